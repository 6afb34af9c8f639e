package link

import (
	"fmt"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// flushAt is how many bytes are collected before a system call.
const flushAt = 64 << 10

// scratch is what writing takes. An idle link has none: compressors are large, and few links write at the same moment.
type scratch struct {
	deflater *wire.Deflater
	gzip     []byte
	out      []byte
}

// spare holds what nobody uses. It is bounded, unlike a pool, which would grow with the number of links.
var spare = make(chan *scratch, 4)

func borrow() *scratch {
	select {
	case s := <-spare:
		return s
	default:
		return &scratch{deflater: new(wire.Deflater)}
	}
}

func (s *scratch) giveBack() {
	if cap(s.out) > 4*flushAt {
		return // grown for one large frame
	}
	s.out = s.out[:0]
	select {
	case spare <- s:
	default:
	}
}

// writer is the only goroutine that writes. It ends the connection, and with it the reader.
func (l *Link) writer() {
	err := ErrExited
	defer func() {
		l.stop(err)
		_ = l.raw.Close()
		<-l.read
		close(l.done)
	}()
	err = l.writeFrames()
	if l.failed.Load() != nil {
		l.drain()
	}
}

// drain lets the reader come to the end of what is there already, after a write has failed: it may answer what was
// written before.
func (l *Link) drain() {
	impatient := time.NewTimer(closeTimeout)
	defer impatient.Stop()
	//mutant:write-drain
	select {
	case <-l.read:
	case <-impatient.C:
	}
}

func (l *Link) writeFrames() error {
	ping := time.NewTicker(l.bounds.Ping)
	defer ping.Stop()
	due := time.NewTimer(l.bounds.Ping)
	defer due.Stop()
	l.clocks = newClocks(l.ctx)
	pingNow := false
	for {
		wait, closing, err := l.flush(ping.C, pingNow)
		if err != nil {
			return err
		}
		if closing {
			<-l.read // until the peer's close frame has come, or Close has lost its patience
			return ErrClosed
		}
		if wait < 0 {
			wait = l.bounds.Ping // nothing is due; the ticker comes first
		}
		due.Reset(wait)
		pingNow = false
		select {
		case <-l.src.Wake():
		case <-l.nudge:
		case <-due.C:
		case <-ping.C:
			pingNow = true
		case <-l.ctx.Done():
			l.lastWords()
			return l.Err()
		}
	}
}

// lastWords answers the peer's close frame, if that is what ended the link.
func (l *Link) lastWords() {
	if farewell := l.farewell.Load(); farewell != nil {
		// The link has ended for a reason of its own; this one would add nothing.
		_ = l.write(&scratch{out: appendFrame(nil, opClose, *farewell)})
	}
}

// flush writes all that is due. It reports whether a close frame was among it, after which nothing may follow. The
// source may never run dry, so pings and the end of the link are looked for between frames.
func (l *Link) flush(ping <-chan time.Time, pingNow bool) (wait time.Duration, closing bool, err error) {
	s := borrow()
	defer s.giveBack()
	for {
		select {
		case <-ping:
			pingNow = true
		default:
		}
		if pingNow {
			if l.clocks.jumped() {
				return 0, false, ErrJump
			}
			if l.pings() {
				return 0, false, fmt.Errorf("%w for %v", ErrPong, time.Duration(l.patience.Load()))
			}
			s.out = appendFrame(s.out, opPing, nil)
			pingNow = false
		}
		if pong := l.pong.Swap(nil); pong != nil {
			s.out = appendFrame(s.out, opPong, *pong)
		}
		if farewell := l.farewell.Load(); farewell != nil {
			s.out = appendFrame(s.out, opClose, *farewell)
			return 0, true, l.write(s)
		}
		if l.ctx.Err() != nil {
			return 0, false, l.Err()
		}
		frame, store, wait, err := l.src.Next()
		if err != nil {
			return 0, false, err
		}
		if frame == nil {
			return wait, false, l.write(s)
		}
		l.hooks.Wrote(frame)
		if store {
			s.gzip = wire.AppendStored(s.gzip[:0], frame)
		} else {
			s.gzip = s.deflater.Append(s.gzip[:0], frame)
		}
		s.out = appendFrame(s.out, opBinary, s.gzip)
		if len(s.out) >= flushAt {
			if err := l.write(s); err != nil {
				return 0, false, err
			}
		}
	}
}

// write makes one system call for all that was collected.
func (l *Link) write(s *scratch) error {
	if len(s.out) == 0 {
		return nil
	}
	if l.ctx.Err() != nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // for last words
	}
	_, err := l.conn.Write(s.out)
	s.out = s.out[:0]
	if err != nil {
		return l.fail(fmt.Errorf("write: %w", err))
	}
	return nil
}

// fail keeps why a write failed, unless the link had ended for another reason. Its pointer costs a write that succeeds
// no allocation here.
func (l *Link) fail(err error) error {
	if l.ctx.Err() == nil {
		l.failed.Store(&err)
	}
	return err
}
