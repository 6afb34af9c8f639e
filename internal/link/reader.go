package link

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/tame"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// reader hands on one frame after the other until the connection ends. It never writes and never waits for anything
// but the network and its helpers. (On a violation of RFC 6455 the websocket library itself writes a close frame from
// here; the connection is finished then.)
//
// What is there already it reads at once, as a unit, and looks into it before it asks the connection for more, which
// may be the end for a long time: what was read ahead, what the buffers of TLS and of the websocket library hold, and
// the message that began before it. A unit that is worth it is looked into by a goroutine of its own, while the
// reader reads the next; so several cores inflate under load, and units are handed on in the order in which they
// came. A link with a frame now and then has no other goroutine than this one.
type reader struct {
	l       *Link
	unit    *unit     // nil: nothing was read
	message bool      // in the middle of one
	began   time.Time // when that one did; zero: the connection has not been asked for more of it
	heard   bool      // something came since the connection was last asked for more

	until time.Time // the deadline of reading
	taken int64     // of the connection, when the silence was last excused

	most    int             // helpers
	helpers chan struct{}   // one element for each that there is; nil before the first
	last    <-chan struct{} // closed when the last unit of a helper was handed on; nil: nothing to wait for
}

func (r *reader) run() {
	l := r.l
	err := ErrExited
	defer func() {
		l.stop(err)
		// The writer may be in the middle of a write that will never end. It still gets a moment for the close frame.
		_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		close(l.read)
	}()
	reason := r.read()
	r.flush()
	if r.last != nil {
		<-r.last
	}
	err = reason
}

// mostHelpers bounds the helpers of one link.
const mostHelpers = 8

// helpers returns how many helpers a link has at most. On two cores, two decode 1.8 times as many frames as none
// (BenchmarkReceive; 1.9 where a text has 100 KB), and more no more.
func helpers(cores int) int {
	if cores == 1 {
		return 0
	}
	return min(cores, mostHelpers)
}

// endReading ends the link for a reason that was found in a frame.
func (l *Link) endReading(err error) {
	l.stop(err)
	_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	_ = l.conn.SetReadDeadline(time.Now())
}

func (r *reader) read() error {
	r.await(r.l.bounds.Silence)
	for {
		kind, message, err := r.l.ws.NextReader()
		if err != nil {
			return r.l.lost(err)
		}
		r.heard = true
		if r.unit == nil {
			r.unit = borrowUnit()
		}
		r.message = true
		skip, err := r.readMessage(kind, message)
		if err != nil {
			err = r.lost(err)
		}
		//mutant:message-deadline
		r.heard = r.heard || !r.began.IsZero() // the deadline may be that of this message
		r.message, r.began = false, time.Time{}
		if err != nil {
			return err
		}
		r.unit.add(skip)
		if r.unit.full() || r.l.hooks.Trace != nil {
			r.flush()
		}
	}
}

// readMessage reads one message. Where it cannot be a frame, it is read to its end, and skip says why. Reading may
// call pause, which goes on with another unit, and the same message in it.
func (r *reader) readMessage(kind int, message io.Reader) (skip, err error) {
	if kind != websocket.BinaryMessage {
		_, err := io.Copy(io.Discard, message)
		return ErrText, err
	}
	for {
		b := r.unit.message
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
			r.unit.message = b
		}
		n, err := message.Read(b[len(b):cap(b)])
		r.unit.message = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case len(r.unit.message) > wire.MaxFrame:
			_, err := io.Copy(io.Discard, message)
			return ErrLarge, err
		}
	}
}

// pause is called before the connection is asked for more.
func (r *reader) pause() error {
	r.flush()
	//mutant:message-endless
	if r.message && r.began.IsZero() {
		r.began = time.Now()
		r.heard = true // so that await is called, which heeds it
	}
	if r.endless() {
		return r.tooLong()
	}
	//mutant:read-life
	if r.heard || r.l.raw.came >= lifeBytes {
		r.heard, r.l.raw.came = false, 0
		r.await(r.l.bounds.Silence)
	}
	// A helper may have ended the link, just before the line above.
	return r.l.Err()
}

// lifeBytes is how many bytes of a message are a sign of life, in either direction. A large message on a slow line may
// take longer than Silence. Fewer bytes are none: otherwise a peer could hold a link for ever with a byte now and then.
const lifeBytes = 16 << 10

// await sets how long reading may wait.
func (r *reader) await(patience time.Duration) {
	//mutant:read-deadline
	r.until = time.Now().Add(patience)
	if ends := r.began.Add(r.l.bounds.Message); r.message && ends.Before(r.until) {
		r.until = ends
	}
	// It fails only on a closed connection, where the read says so.
	_ = r.l.conn.SetReadDeadline(r.until)
}

// endless reports whether the message that is being read takes too long. Control frames between its parts, and single
// bytes, are signs of life: a peer could else hold the link, and the memory of what came, for ever.
func (r *reader) endless() bool {
	return r.message && !r.began.IsZero() && time.Since(r.began) >= r.l.bounds.Message
}

func (r *reader) tooLong() error {
	return fmt.Errorf("%w within %v of its first byte", ErrEndless, r.l.bounds.Message)
}

// lost says why reading failed in the middle of a message.
func (r *reader) lost(err error) error {
	if r.endless() {
		return r.tooLong()
	}
	return r.l.lost(err)
}

// silent reports whether the silence is excused: it counts when a ping had its time to be answered. On a slow line none
// can be written before a large frame was.
func (r *reader) silent() bool {
	l := r.l
	if time.Now().Before(r.until) || r.endless() {
		return false // the deadline was not that of await, or the message is not to be waited for
	}
	patience, taken := l.bounds.Silence-l.bounds.Ping, l.raw.taken.Load()
	if first := l.pinged.Load(); first != 0 {
		patience -= time.Since(l.born) - time.Duration(first)
	} else if taken-r.taken < lifeBytes {
		//mutant:write-trickle
		return false
	}
	//mutant:read-excuse
	if patience <= 0 {
		return false
	}
	r.taken = taken
	r.await(patience)
	// A helper may have ended the link, just before the line above.
	return l.Err() == nil
}

// flush looks into what was read, and notes that the peer lives.
func (r *reader) flush() {
	if r.heard {
		r.l.hooks.Alive()
	}
	u := r.unit
	if u == nil || len(u.frames) == 0 {
		return
	}
	r.unit = nil
	if r.message {
		r.unit = borrowUnit()
		//mutant:unit-message
		r.unit.message, u.message = u.message, r.unit.message
	}
	u.after = r.last
	if !u.worth() || r.l.hooks.Trace != nil || r.most == 0 {
		r.l.run(u)
		r.last = nil
		return
	}
	done := make(chan struct{})
	r.last = done
	if r.helpers == nil {
		r.helpers = make(chan struct{}, r.most)
	}
	r.helpers <- struct{}{} // waits where all are busy: then there is nothing else to do
	// The reader waits for it in the end, or for a later one, which does.
	go func() {
		r.l.run(u)
		<-r.helpers
		close(done)
	}()
}

// lost says in words why reading ended.
func (l *Link) lost(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		if l.ours.Load() {
			return ErrClosed
		}
		if closed.Code == websocket.CloseAbnormalClosure { // the library's code for no close frame
			return fmt.Errorf("the connection broke: %s", tame.Quote(closed.Text))
		}
		return fmt.Errorf("the server closed the connection with code %d %s", closed.Code, tame.Quote(closed.Text))
	}
	if timedOut(err) {
		return fmt.Errorf("%w for %v: %w", ErrSilence, l.bounds.Silence, err)
	}
	return fmt.Errorf("read: %w", err)
}
