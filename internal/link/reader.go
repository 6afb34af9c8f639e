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

// reader passes frames to the hooks until the connection ends. It never writes. It waits only for the network and its
// helpers. (On a violation of RFC 6455 the websocket library writes a close frame from here. The connection is finished
// then.)
//
// The reader drains the data that is already buffered, in the read-ahead buffer, in TLS and in the websocket library,
// into one chunk and decodes it before it blocks on the network. A message that began before is part of it. A chunk of
// some size is decoded by a helper goroutine while the reader reads the next one. So several cores decompress under
// load, and chunks are delivered in the order of arrival. A link with few frames has no helper.
type reader struct {
	l         *Link
	chunk     *chunk    // nil: empty
	inMessage bool      // reading one; a chunk that starts now contains it too
	began     time.Time // its start; zero: no blocking read since
	heard     bool      // data arrived since the last blocking read

	until time.Time // read deadline
	taken int64     // bytes accepted by the peer at the last extension for silence

	limit   int             // maximum number of helpers
	helpers chan struct{}   // one element per helper; nil before the first
	last    <-chan struct{} // closed when the last helper's chunk was delivered; nil: nothing to wait for
}

func (r *reader) run() {
	l := r.l
	err := ErrExited
	defer func() {
		l.stop(err)
		// The writer may be blocked in a write that never ends. Leave it a moment for the close frame.
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

// maxHelpers bounds the helpers of one link.
const maxHelpers = 8

// helpers returns the maximum number of helpers. On two cores, two helpers decode 1.8 times as many frames as none
// (BenchmarkReceive; 1.9 times with texts of 100 KB). More helpers do not increase that.
func helpers(cores int) int {
	if cores == 1 {
		return 0
	}
	return min(cores, maxHelpers)
}

// endReading ends the link with an error found in a frame.
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
		if r.chunk == nil {
			r.chunk = borrowChunk()
		}
		r.inMessage = true
		skip, err := r.readMessage(kind, message)
		if err != nil {
			err = r.lost(err)
		}
		//mutant:message-deadline
		r.heard = r.heard || !r.began.IsZero() // the deadline may be that of this message
		r.inMessage, r.began = false, time.Time{}
		if err != nil {
			return err
		}
		r.chunk.add(skip)
		if r.chunk.full() || r.l.hooks.Trace != nil {
			r.flush()
		}
	}
}

// readMessage reads one message. If it cannot be a frame, it reads it to the end and returns the reason as skip. Reads
// may call beforeBlocking, which continues with another chunk that contains the same message.
func (r *reader) readMessage(kind int, message io.Reader) (skip, err error) {
	if kind != websocket.BinaryMessage {
		_, err := io.Copy(io.Discard, message)
		return ErrText, err
	}
	for {
		b := r.chunk.message
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
			r.chunk.message = b
		}
		n, err := message.Read(b[len(b):cap(b)])
		r.chunk.message = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case len(r.chunk.message) > wire.MaxFrame:
			_, err := io.Copy(io.Discard, message)
			return ErrLarge, err
		}
	}
}

// beforeBlocking is called before each blocking read.
func (r *reader) beforeBlocking() error {
	r.flush()
	//mutant:message-endless
	if r.inMessage && r.began.IsZero() {
		r.began = time.Now()
		r.heard = true // makes await run, which respects it
	}
	if r.endless() {
		return r.tooLong()
	}
	//mutant:read-life
	if r.heard || r.l.raw.came >= lifeBytes {
		r.heard, r.l.raw.came = false, 0
		r.await(r.l.bounds.Silence)
	}
	// A helper may have ended the link just before the previous line.
	return r.l.Err()
}

// lifeBytes is how many bytes of a message count as a sign of life, in either direction. A large message on a slow line
// may take longer than Silence. Fewer bytes do not count, because a peer could hold a link open forever with single
// bytes.
const lifeBytes = 16 << 10

// await sets the read deadline.
func (r *reader) await(patience time.Duration) {
	//mutant:read-deadline
	r.until = time.Now().Add(patience)
	if ends := r.began.Add(r.l.bounds.Message); r.inMessage && ends.Before(r.until) {
		r.until = ends
	}
	// It fails only on a closed connection, and then the read fails too.
	_ = r.l.conn.SetReadDeadline(r.until)
}

// endless reports whether the current message takes too long. Control frames between its fragments, and single bytes,
// are signs of life, so without this check a peer could hold the link and the memory of the message forever.
func (r *reader) endless() bool {
	return r.inMessage && !r.began.IsZero() && time.Since(r.began) >= r.l.bounds.Message
}

func (r *reader) tooLong() error {
	return fmt.Errorf("%w within %v of its first byte", ErrEndless, r.l.bounds.Message)
}

// lost returns the error for a read that failed in the middle of a message.
func (r *reader) lost(err error) error {
	if r.endless() {
		return r.tooLong()
	}
	return r.l.lost(err)
}

// silent reports whether silence is acceptable: it counts only after a ping had enough time to be answered. On a slow
// line a ping waits until a large frame has been written.
func (r *reader) silent() bool {
	l := r.l
	if time.Now().Before(r.until) || r.endless() {
		return false // it was not the deadline of await, or the message takes too long
	}
	patience, taken := l.bounds.Silence-l.bounds.Ping, l.raw.taken.Load()
	if first := l.pinged.Load(); first != 0 {
		patience -= time.Since(l.born) - time.Duration(first)
	} else if taken-r.taken < lifeBytes {
		//mutant:write-trickle
		return false
	}
	//mutant:read-delayed
	if patience <= 0 {
		return false
	}
	r.taken = taken
	r.await(patience)
	// A helper may have ended the link just before the previous line.
	return l.Err() == nil
}

// flush decodes and delivers the data read so far, and records a sign of life.
func (r *reader) flush() {
	if r.heard {
		r.l.hooks.Alive()
	}
	u := r.chunk
	if u == nil || len(u.frames) == 0 {
		return
	}
	r.chunk = nil
	if r.inMessage {
		r.chunk = borrowChunk()
		//mutant:chunk-message
		r.chunk.message, u.message = u.message, r.chunk.message
	}
	u.after = r.last
	if !u.worth() || r.l.hooks.Trace != nil || r.limit == 0 {
		r.l.run(u)
		r.last = nil
		return
	}
	done := make(chan struct{})
	r.last = done
	if r.helpers == nil {
		r.helpers = make(chan struct{}, r.limit)
	}
	r.helpers <- struct{}{} // blocks while all helpers are busy
	// The reader finally waits for this goroutine, or for a later one, which waits for it.
	go func() {
		r.l.run(u)
		<-r.helpers
		close(done)
	}()
}

// lost converts the error that ended reading.
func (l *Link) lost(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		if l.ours.Load() {
			return ErrClosed
		}
		if closed.Code == websocket.CloseAbnormalClosure { // the library's code for a missing close frame
			return fmt.Errorf("the connection broke: %s", tame.Quote(closed.Text))
		}
		return fmt.Errorf("the server closed the connection with code %d %s", closed.Code, tame.Quote(closed.Text))
	}
	if timedOut(err) {
		return fmt.Errorf("%w for %v: %w", ErrSilence, l.bounds.Silence, err)
	}
	return fmt.Errorf("read: %w", err)
}
