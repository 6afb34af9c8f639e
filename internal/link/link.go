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

// Errors of messages that are skipped.
var (
	ErrText  = errors.New("a text message: frames are binary")
	ErrLarge = fmt.Errorf("a frame of more than %d bytes", wire.MaxFrame)
)

// ErrClosed is the cause of a link that was closed by its owner, with a close handshake.
var ErrClosed = errors.New("link closed")

// ErrSilence is the cause of a link on which nothing arrived for too long.
var ErrSilence = errors.New("no sign of life")

// ErrEndless is the cause of a link with a message that took too long to arrive.
var ErrEndless = errors.New("a message did not end")

// ErrPong is the cause of a link on which a ping was not answered in time, while other frames arrived.
var ErrPong = errors.New("a ping was not answered")

// ErrExited ends a link after Trace or Wrote has ended its reader or its writer.
var ErrExited = errors.New("a hook called runtime.Goexit")

// Source is where the writer gets its frames.
type Source interface {
	// Next returns the JSON of the next frame and whether it is to be stored as it is, or nil and how long until
	// there may be one, negative for ever. An error ends the link. It must not block.
	Next() (frame []byte, store bool, wait time.Duration, err error)
	// Wake is readable when Next may have something new to say.
	Wake() <-chan struct{}
}

// Hooks is what a link tells its owner. All but Trace are set; none may block. The writer calls Wrote. Of the others,
// which tell of what was read, one is called at a time, in order, but for Alive. Trace and Wrote may call
// runtime.Goexit, which ends the link.
type Hooks struct {
	Alive func() // a frame, a ping or a pong came
	Pong  func() // a ping was answered
	Read  func() // a message was inflated
	// its JSON, valid during the call; where it is set, one is inflated at a time
	Trace func(json []byte)
	Frame func(l *Link, f *wire.Received) error // valid during the call; an error ends the link
	Bad   func(err error)                       // a message was skipped
	Wrote func(json []byte)                     // a frame is about to be written; valid during the call
}

// Link is one connection. Its methods are safe for concurrent use. It has to be started, also to be ended.
type Link struct {
	ws    *websocket.Conn
	conn  net.Conn // what frames are written to: raw, or the TLS over it
	raw   *bounded
	hooks Hooks
	src   Source

	bounds     bounds.Bounds
	pinged     atomic.Int64 // when the oldest unanswered ping was written, in nanoseconds since born; 0: there is none
	patience   atomic.Int64 // how long that one may be unanswered, in nanoseconds
	ponged     atomic.Bool
	born       time.Time
	clocks     *clocks   // owned by the writer
	serverTime time.Time // of the handshake

	ctx context.Context         // ends with the link; its cause is why
	end context.CancelCauseFunc // stop calls it
	// failed is why a write failed while the link had not ended. It becomes the cause, when the reader has ended.
	failed atomic.Pointer[error]

	// Control frames that are due. The newest pong wins: the answer to an older ping is of no use.
	nudge    chan struct{}
	pong     atomic.Pointer[[]byte]
	farewell atomic.Pointer[[]byte] // payload of the close frame
	ours     atomic.Bool            // the close handshake was begun by Close
	read     chan struct{}          // closed when the reader has ended
	done     chan struct{}          // closed when both have
}

// newLink makes a link that keeps the values of ctx, not its end.
func newLink(ctx context.Context, ws *websocket.Conn, raw *bounded) *Link {
	ctx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &Link{
		ws: ws, conn: ws.NetConn(), raw: raw, ctx: ctx, end: end, bounds: bounds.From(ctx), born: time.Now(),
		nudge: make(chan struct{}, 1), read: make(chan struct{}), done: make(chan struct{}),
	}
	l.patience.Store(int64(l.bounds.Pong))
	return l
}

// Start starts the reader and the writer.
func (l *Link) Start(src Source, hooks Hooks) {
	l.src, l.hooks = src, hooks
	l.ws.SetReadLimit(wire.MaxSkipped)
	r := &reader{l: l, most: helpers(runtime.GOMAXPROCS(0))}
	l.raw.before, l.raw.silent = r.pause, r.silent
	l.ws.SetPingHandler(func(payload string) error {
		r.heard = true
		p := []byte(payload)
		l.pong.Store(&p)
		l.poke()
		return nil
	})
	l.ws.SetPongHandler(func(string) error {
		r.heard = true
		l.pongCame()
		return nil
	})
	l.ws.SetCloseHandler(func(code int, _ string) error {
		// The answer repeats the code and not the text; 1005 means that there was none and is never written.
		l.sayFarewell(code)
		return nil
	})
	go r.run()
	go l.writer()
}

// ServerTime returns when the handshake was by the server's clock, or zero if it did not say.
func (l *Link) ServerTime() time.Time { return l.serverTime }

// Done is closed when the link has ended and both of its goroutines have.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the link ended, after Done.
func (l *Link) Err() error { return context.Cause(l.ctx) }

// Fail ends the link at once, without a close frame.
func (l *Link) Fail(err error) {
	l.stop(err)
	_ = l.raw.Close()
}

// Close writes a close frame, waits for the peer's, and ends the link, all within patience and never more than a
// second. It says that the session is over.
//
//mutant:close-end
func (l *Link) Close(patience time.Duration) { l.close(websocket.CloseNormalClosure, patience) }

// Leave is Close for a link that another one follows.
//
//mutant:close-leave
func (l *Link) Leave(patience time.Duration) { l.close(websocket.CloseGoingAway, patience) }

func (l *Link) close(code int, patience time.Duration) {
	l.ours.Store(true)
	l.sayFarewell(code)
	impatient := time.AfterFunc(min(patience, closeTimeout), func() { l.Fail(ErrClosed) })
	defer impatient.Stop()
	<-l.done
}

// stop ends the link for err, or for the write that had failed by then. The first reason counts.
func (l *Link) stop(err error) {
	//mutant:write-reason
	if failed := l.failed.Load(); failed != nil {
		err = *failed
	}
	l.end(err)
}

func (l *Link) sayFarewell(code int) {
	payload := websocket.FormatCloseMessage(code, "")
	// The first one counts: who answers a close frame has nothing to add.
	if l.farewell.CompareAndSwap(nil, &payload) {
		l.poke()
	}
}

func (l *Link) poke() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}
