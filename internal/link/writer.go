package link

import (
	"fmt"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// flushAt is how many bytes are collected for a system call.
const flushAt = 64 << 10

// scratch is the memory for writing. An idle link has none, because compressors are large and few links write at the
// same time.
type scratch struct {
	deflater *wire.Deflater
	gzip     []byte
	out      []byte
}

// spare holds unused scratches. Unlike a pool, it is bounded and does not grow with the number of links.
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

// writer is the only goroutine that writes. It closes the connection, which ends the reader.
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

// drain lets the reader consume the data that has arrived, after a failed write: it may contain replies to earlier
// frames.
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
			<-l.read // until the peer's close frame has arrived, or Close times out
			return ErrClosed
		}
		if wait < 0 {
			wait = l.bounds.Ping // nothing is due; the ticker fires first
		}
		due.Reset(wait)
		pingNow = false
		select {
		case <-l.src.Wake():
		case <-l.control:
		case <-due.C:
		case <-ping.C:
			pingNow = true
		case <-l.ctx.Done():
			l.answerClose()
			return l.Err()
		}
	}
}

// answerClose answers the peer's close frame, if that ended the link.
func (l *Link) answerClose() {
	if closeFrame := l.closeFrame.Load(); closeFrame != nil {
		// The link has its reason already; an error here adds nothing.
		_ = l.write(&scratch{out: appendFrame(nil, opClose, *closeFrame)})
	}
}

// flush writes everything that is due. closing means that a close frame was written, after which nothing may follow.
// The source may never run dry, so flush checks for pings and the end of the link between frames.
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
		if closeFrame := l.closeFrame.Load(); closeFrame != nil {
			s.out = appendFrame(s.out, opClose, *closeFrame)
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

// write makes one system call for all collected frames.
func (l *Link) write(s *scratch) error {
	if len(s.out) == 0 {
		return nil
	}
	if l.ctx.Err() != nil {
		_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // for the close frame
	}
	_, err := l.conn.Write(s.out)
	s.out = s.out[:0]
	if err != nil {
		return l.fail(fmt.Errorf("write: %w", err))
	}
	return nil
}

// fail records the error of a write, unless the link has ended for another reason. The pointer is stored here so that a
// successful write does not allocate.
func (l *Link) fail(err error) error {
	if l.ctx.Err() == nil {
		l.failed.Store(&err)
	}
	return err
}
