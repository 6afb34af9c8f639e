package blaze

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// errConnecting is why nothing is written until the first connection is there, or has failed.
var errConnecting = errors.New("blaze: not connected yet")

// Client is a bot's connection to the service. Make one with [New], start it with Run, and use its other methods from any
// goroutine, handlers included, before and while it runs: they wait until it is connected. The zero Client is of no use.
type Client struct {
	cfg    Config
	appID  string
	signer *auth.Signer
	stats  counters

	rest      *rest.Client
	closeIdle func() // closes the idle connections of our own HTTP client
	outbox    *outbox.Box
	inbox     *inbox.Box[lane, *inbound]
	acker     *acker
	sessions  sessions // of those that encrypted messages go to
	batches   plural   // what is known of CREATE_PLAIN_MESSAGES

	started atomic.Bool
	link    atomic.Pointer[link.Link]

	// Set once, by Run, before any goroutine that reads them is started.
	handler     Handler
	runCtx      context.Context
	handlerCtx  context.Context // outlives runCtx, until everything is drained
	endHandlers context.CancelFunc

	over context.Context // ends when Run has, and everything was answered
	end  context.CancelFunc

	mu        sync.Mutex
	offline   error // why nothing is written at present; nil while connected
	gateTimer *time.Timer
	declined  map[string]bool // categories whose first decline was logged

	// Owned by the supervisor, answered excepted.
	refused   bool        // the server has said 401
	answered  atomic.Bool // and it has answered something since
	lostBy401 bool        // it was the last connection's end
	skew      time.Duration
}

// New returns a Client for the session of key. It connects nothing and starts no goroutine. cfg may be nil; it is copied.
// The error is an [InvalidError] that names the field and shows no secret.
func New(key Keystore, cfg *Config) (*Client, error) {
	signer, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	config, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	appID, _ := canonicalUUID(key.AppID) // newSigner has checked it
	c := &Client{cfg: config, appID: appID, signer: signer, offline: ErrNotRunning, declined: make(map[string]bool)}
	c.closeIdle = func() {}
	if config.HTTPClient == nil {
		own := config.ownHTTPClient()
		c.cfg.HTTPClient, c.closeIdle = own, own.CloseIdleConnections
	}
	c.rest = newRest(c)
	c.over, c.end = context.WithCancel(context.Background()) //nolint:forbidigo // nobody's wish, but a fact: Run has ended
	c.outbox = outbox.New(outbox.Config{
		Len: config.OutboxLen, Bytes: outboxBytes, ReplyTimeout: config.ReplyTimeout, Attempts: config.SendAttempts,
		Transient: func(e *wire.Error) bool { return Code(e.Code).temporary() },
		Rest:      refusalWait.Near,
	})
	c.inbox = inbox.New[lane](inbox.Config[*inbound]{
		Workers: config.Workers, Bytes: config.InboxBytes, Handle: c.handle, Relist: c.relist, LetGo: c.letGo,
	})
	c.acker = newAcker(c)
	return c, nil
}

// Run connects, hands what arrives to h, and connects again whenever the connection is lost, until ctx ends or the service
// refuses for good. It may be called once. A nil h makes a client that only sends: nothing is asked for, so nothing arrives.
//
// It returns nil only when ctx ended and everything under way was drained: handlers returned, sends answered,
// acknowledgements confirmed; otherwise an error that is [ErrDrain]. Refused keys end it with [CodeUnauthorized], a wrong
// clock with [ErrClockSkew], an outdated client with [CodeUpdateRequired].
func (c *Client) Run(ctx context.Context, h Handler) error {
	if !c.started.CompareAndSwap(false, true) {
		return fmt.Errorf("blaze: Run was called before, and a Client runs once: %w", ErrClosed)
	}
	c.setOffline(errConnecting)
	c.handler, c.runCtx = h, ctx
	c.handlerCtx, c.endHandlers = context.WithCancel(context.WithoutCancel(ctx))
	return c.finish(c.supervise(ctx))
}

// supervise dials, serves and waits, until ctx ends or the error is one that no further try would change.
func (c *Client) supervise(ctx context.Context) error {
	wait := backoff.Backoff{Policy: backoff.From(ctx, reconnectWait)}
	for endpoint := 0; ; {
		lived, err := c.connect(ctx, c.cfg.Endpoints[endpoint%len(c.cfg.Endpoints)])
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end that was asked for; what it cut short does not matter
		}
		c.setOffline(err)
		if err := c.permanent(err); err != nil {
			c.cfg.Logger.Warn("blaze: refused for good", "error", err)
			c.tell(err, 0)
			return err
		}
		var answer *link.HandshakeError
		if lived > 0 {
			wait.Lived(lived)
		} else if !errors.As(err, &answer) {
			endpoint++
		}
		retryIn := c.retryIn(&wait, err)
		c.disconnected(err, retryIn)
		if !backoff.Sleep(ctx, retryIn) {
			return nil
		}
	}
}

// connect makes one connection and serves it until it ends. It returns how long that was; 0: there was none.
func (c *Client) connect(ctx context.Context, endpoint string) (lived time.Duration, err error) {
	token, _, err := c.signer.Token("GET", "/", nil)
	if err != nil {
		return 0, fmt.Errorf("blaze: cannot sign in: %w", err)
	}
	l, err := link.Dial(ctx, link.Config{
		URL: endpoint, Token: token, DialContext: c.cfg.DialContext, TLS: c.cfg.TLSClientConfig, Proxy: c.cfg.Proxy,
	})
	if err != nil {
		return 0, fmt.Errorf("blaze: cannot connect to %s: %w", endpoint, err)
	}
	began := time.Now()
	if at := l.ServerTime(); !at.IsZero() {
		c.skew = at.Sub(began) // for a 401 that comes in a frame, which says no time
	}
	c.serve(ctx, l, endpoint)
	return max(time.Since(began), 1), fmt.Errorf("blaze: connection to %s lost: %w", endpoint, l.Err())
}

// serve runs one link to its end. When ctx ends first, it drains.
func (c *Client) serve(ctx context.Context, l *link.Link, endpoint string) {
	c.link.Store(l)
	c.inbox.OpenGate()
	c.outbox.Up()
	if c.handler != nil {
		c.list(l, func() {})
	}
	c.setOffline(nil)
	c.stats.connectedAt.Store(time.Now().UnixMilli())
	c.stats.connects.Add(1)
	c.cfg.Logger.Info("blaze: connected", "endpoint", endpoint)
	if c.cfg.Trace.Connected != nil {
		c.cfg.Trace.Connected(endpoint)
	}
	l.Start(c.outbox, c.hooks())
	select {
	case <-l.Done():
	case <-ctx.Done():
		c.drain(l)
		<-l.Done()
	}
	c.link.Store(nil)
	c.stopGateTimer()
	c.outbox.Down()
}

// permanent returns the error that ends Run, if err is of that kind: a client that is too old, or a 401 that is the second
// one although the token was new, with nothing answered in between.
func (c *Client) permanent(err error) error {
	e := refusal(err)
	if e == nil {
		return nil
	}
	if e.Code == CodeUpdateRequired {
		return e
	}
	again := c.refused && !c.answered.Load()
	c.refused = true
	c.answered.Store(false)
	var answer *link.HandshakeError
	if errors.As(err, &answer) && !answer.ServerTime.IsZero() {
		c.skew = time.Until(answer.ServerTime)
	}
	// How wrong the refused token was dated: the server said its time too late, or one of the clocks was set meanwhile.
	off := c.skew - c.signer.Offset()
	switch {
	case again && off.Abs() > 5*time.Minute:
		return fmt.Errorf("%w: it is %v off: %w", ErrClockSkew, off.Round(time.Second), e)
	case again:
		return fmt.Errorf("blaze: the key is not this session's, the session is gone, or the clock is wrong: %w", e)
	}
	c.signer.SetOffset(c.skew)
	return nil
}

// refusal returns the 401 or 10006 inside err, from whatever part of the protocol it came.
func refusal(err error) *Error {
	var e *Error
	var answer *link.HandshakeError
	switch {
	case errors.As(err, &e):
	case !errors.As(err, &answer):
		return nil
	case answer.Refusal != nil:
		e = newError(answer.Refusal, "", "")
	default:
		e = &Error{Code: Code(answer.Status), Status: answer.Status}
	}
	if answer != nil && answer.Status == http.StatusUnauthorized && e.Code != CodeUpdateRequired {
		e.Code = CodeUnauthorized // the status says it, whatever the body may call it
	}
	if e.Code == CodeUnauthorized || e.Code == CodeUpdateRequired {
		return e
	}
	return nil
}

// retryIn decides how long to wait after err.
func (c *Client) retryIn(wait *backoff.Backoff, err error) time.Duration {
	// A first 401 may be a matter of the clock, and a closed gate is our own doing: there is nothing to wait for. One 401 after
	// the other is different, even if something is answered in between.
	again := c.lostBy401
	c.lostBy401 = refusal(err) != nil
	if c.lostBy401 && !again || errors.Is(err, errGate) {
		return 0
	}
	d := wait.Next()
	var answer *link.HandshakeError
	if errors.As(err, &answer) {
		d += min(answer.RetryAfter, 5*time.Minute) // and not all clients at that very moment
	}
	return d
}

func (c *Client) disconnected(err error, retryIn time.Duration) {
	c.cfg.Logger.Warn("blaze: disconnected", "error", err, "retry_in", retryIn)
	c.tell(err, retryIn)
}

func (c *Client) tell(err error, retryIn time.Duration) {
	if c.cfg.Trace.Disconnected != nil {
		c.cfg.Trace.Disconnected(err, retryIn)
	}
}

func (c *Client) setOffline(err error) {
	c.mu.Lock()
	c.offline = err
	c.mu.Unlock()
}
