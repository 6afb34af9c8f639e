package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Errors of skipped messages.
var (
	ErrText  = errors.New("a text message: frames are binary")
	ErrLarge = fmt.Errorf("a frame of more than %d bytes", wire.MaxFrame)
)

// ErrClosed is the error of a link that its owner closed with a close handshake.
var ErrClosed = errors.New("link closed")

// ErrSilence is the error of a link on which nothing arrived for too long.
var ErrSilence = errors.New("no sign of life")

// ErrEndless is the error of a link with a message that took too long to arrive.
var ErrEndless = errors.New("a message did not end")

// ErrPong is the error of a link without a pong in time, while other frames arrived.
var ErrPong = errors.New("a ping was not answered")

// ErrExited is the error of a link after Trace or Wrote has ended its reader or writer.
var ErrExited = errors.New("a hook called runtime.Goexit")

// Source supplies frames to the writer.
type Source interface {
	// Next returns the JSON of the next frame and whether it must not be compressed. Without a frame it returns how
	// long until there may be one; negative means unlimited. An error ends the link. Next must not block.
	Next() (frame []byte, store bool, wait time.Duration, err error)
	// Wake returns a channel that is readable when the result of Next may have changed.
	Wake() <-chan struct{}
}

// Hooks are the callbacks of a link. All but Trace are required. None may block. The writer calls Wrote. The others
// concern received data and are called serially and in order, except Alive. Trace and Wrote may call runtime.Goexit,
// which ends the link.
type Hooks struct {
	Alive func() // a frame, a ping or a pong arrived
	Pong  func() // a pong arrived
	Read  func() // a message was decompressed
	// the JSON of a message, valid during the call; setting it turns off parallel decompression
	Trace func(json []byte)
	Frame func(l *Link, f *wire.Received) error // valid during the call; an error ends the link
	Bad   func(err error)                       // a message was skipped
	Wrote func(json []byte)                     // a frame is about to be written; valid during the call
}

// Link is one connection. Its methods are safe for concurrent use. Start must be called, even if the link is only to be
// ended.
type Link struct {
	ws    *websocket.Conn
	conn  net.Conn // frames are written to it: raw, or TLS over raw
	raw   *bounded
	hooks Hooks
	src   Source

	bounds     bounds.Bounds
	pinged     atomic.Int64 // write of the oldest unanswered ping, in nanoseconds since born; 0: none
	patience   atomic.Int64 // how long that ping may be unanswered, in nanoseconds
	ponged     atomic.Bool
	born       time.Time
	clocks     *clocks   // owned by the writer
	serverTime time.Time // at the handshake

	ctx context.Context         // ends with the link, with the reason as its cause
	end context.CancelCauseFunc // stop calls it
	// failed is the error of a write that failed on a live link. It becomes the cause when the reader has ended.
	failed atomic.Pointer[error]

	// Control frames to write. A newer pong replaces an older one, which the peer no longer needs.
	control    chan struct{}
	pong       atomic.Pointer[[]byte]
	closeFrame atomic.Pointer[[]byte] // payload of the close frame
	ours       atomic.Bool            // Close began the close handshake
	read       chan struct{}          // closed when the reader has ended
	done       chan struct{}          // closed when reader and writer have ended
}

// newLink returns a link with the values of ctx, but not its cancellation.
func newLink(ctx context.Context, ws *websocket.Conn, raw *bounded) *Link {
	ctx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &Link{
		ws: ws, conn: ws.NetConn(), raw: raw, ctx: ctx, end: end, bounds: bounds.From(ctx), born: time.Now(),
		control: make(chan struct{}, 1), read: make(chan struct{}), done: make(chan struct{}),
	}
	l.patience.Store(int64(l.bounds.Pong))
	return l
}

// Start starts the reader and the writer.
func (l *Link) Start(src Source, hooks Hooks) {
	l.src, l.hooks = src, hooks
	l.ws.SetReadLimit(wire.MaxSkipped)
	r := &reader{l: l, limit: helpers(runtime.GOMAXPROCS(0))}
	l.raw.before, l.raw.silent = r.beforeBlocking, r.silent
	l.ws.SetPingHandler(func(payload string) error {
		r.heard = true
		p := []byte(payload)
		l.pong.Store(&p)
		l.signal()
		return nil
	})
	l.ws.SetPongHandler(func(string) error {
		r.heard = true
		l.pongCame()
		return nil
	})
	l.ws.SetCloseHandler(func(code int, _ string) error {
		// The reply repeats the code without the text. 1005 stands for no code and is never written.
		l.queueClose(code)
		return nil
	})
	go r.run()
	go l.writer()
}

// ServerTime returns the server's time at the handshake, or zero if it sent none.
func (l *Link) ServerTime() time.Time { return l.serverTime }

// Done returns a channel that is closed when the link and both of its goroutines have ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns the reason for the end of the link, after Done.
func (l *Link) Err() error { return context.Cause(l.ctx) }

// Fail ends the link at once, without a close frame.
func (l *Link) Fail(err error) {
	l.stop(err)
	_ = l.raw.Close()
}

// Close performs the close handshake and ends the link, within patience and at most a second. The close code says that
// the session is over.
//
//mutant:close-end
func (l *Link) Close(patience time.Duration) { l.close(websocket.CloseNormalClosure, patience) }

// Leave is like Close, for a link that is replaced by another.
//
//mutant:close-leave
func (l *Link) Leave(patience time.Duration) { l.close(websocket.CloseGoingAway, patience) }

func (l *Link) close(code int, patience time.Duration) {
	l.ours.Store(true)
	l.queueClose(code)
	impatient := time.AfterFunc(min(patience, closeTimeout), func() { l.Fail(ErrClosed) })
	defer impatient.Stop()
	<-l.done
}

// stop ends the link with err, or with the error of a write that failed before. The first error counts.
func (l *Link) stop(err error) {
	//mutant:write-reason
	if failed := l.failed.Load(); failed != nil {
		err = *failed
	}
	l.end(err)
}

func (l *Link) queueClose(code int) {
	payload := websocket.FormatCloseMessage(code, "")
	// The first one counts, because nothing may follow a close frame.
	if l.closeFrame.CompareAndSwap(nil, &payload) {
		l.signal()
	}
}

func (l *Link) signal() {
	select {
	case l.control <- struct{}{}:
	default:
	}
}
