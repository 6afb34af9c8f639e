// Package rest is the service's HTTP API: signed requests, and answers that say data or error. Every request that is
// made here may be repeated, and is when nothing or a refusal that passes came back. An answer that is not JSON of the
// service comes from something before it, such as a gateway, and counts as none, whatever its status. The package also
// moves the files that the API gives addresses for.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/header"
	"github.com/mixin-blaze/blaze/internal/tame"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// mostPause is how long a server's wish to be left alone is heeded.
const mostPause = 5 * time.Minute

// mostTimeout is up to which the time of a try doubles.
const mostTimeout = 5 * time.Minute

// leastWait is how long a host has to be silent to be at fault where the time of the caller is up.
const leastWait = 5 * time.Second

// maxAnswer is how many bytes an answer may have.
const maxAnswer = 4 << 20

// Config is what a Client needs; all fields but Files, Private, Clock and Refused are needed.
type Config struct {
	Bases     []string // hosts of the same API, for example https://api.mixin.one, without a slash at the end
	HTTP      *http.Client
	Files     *http.Client // moves files; nil: HTTP does
	Private   bool         // files may be at addresses that are not public; those of a Local API may
	UserAgent string
	Token     func(method, uri string, body []byte) (token, requestID string, err error)
	Clock     func(server time.Time) // is called with the server's time of each answer
	Timeout   time.Duration          // of one try; it doubles for a patient request
	Attempts  int                    // until a failure is final; a 401 that is retried uses none; negative: no limit
	Temporary func(*wire.Error) bool
	Rest      func(failures int) time.Duration
	Refused   func(*Error) // takes each refusal of the service's own, that of a try too; nil: nobody
}

// Client makes requests. Its methods may be called concurrently.
type Client struct {
	cfg     Config
	hosts   hosts
	plain   bool // files may be moved without TLS
	private bool // files may be at addresses that are not public
}

// New returns a Client. Redirects are not followed: what was signed is signed for one path.
func New(cfg Config) *Client {
	if cfg.Files == nil {
		cfg.Files = cfg.HTTP
	}
	cfg.HTTP, cfg.Files = staying(cfg.HTTP), staying(cfg.Files)
	u, err := url.Parse(cfg.Bases[0])
	return &Client{
		cfg: cfg, hosts: hosts{bases: cfg.Bases}, plain: err == nil && u.Scheme == "http",
		private: cfg.Private || Local(cfg.Bases),
	}
}

// staying returns a copy of hc that follows no redirects.
func staying(hc *http.Client) *http.Client {
	stays := *hc
	stays.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stays
}

// Error is the end of a request that was not carried out, as far as the last try says.
type Error struct {
	Request string // method and path
	Refusal *wire.Error
	Unsure  bool      // some try ended without an answer: it may have been carried out
	At      time.Time // of the answer, by X-Server-Time; zero without one

	retryAfter time.Duration // what the server asked for
}

// Error names the request and the code.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: status %d, code %d", e.Request, e.Refusal.Status, e.Refusal.Code)
}

// NoAnswerError means that no try was answered in a way that can be understood.
type NoAnswerError struct {
	Request string
	Err     error
	// Written says that the request may have been carried out, by this try or one before. It is false only where the
	// HTTP client is known to have written nothing.
	Written bool

	retryAfter time.Duration // what a server asked for
	late       bool          // the time of the try was up
	ended      bool          // the context had ended before the try began
	denied     bool          // something before the service will not pass the request on
}

// Error says why.
func (e *NoAnswerError) Error() string { return e.Request + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// ErrDenied is why a request ended that something before the service did not pass on: see Request.Denials.
var ErrDenied = errors.New("rest: something before the service answers in its place")

// ErrMissing is the error of an Out that does not find in an answer what was asked for. The answer counts as none.
var ErrMissing = errors.New("an answer without what was asked for, which is not the service's")

// EndedError means that a request was given up between two tries.
type EndedError struct {
	Why  error // that of the context or of Request.Pace, or ErrDenied
	Last error // of the last try
}

// Error says both.
func (e *EndedError) Error() string { return e.Why.Error() + ": " + e.Last.Error() }

// Unwrap returns both.
func (e *EndedError) Unwrap() []error { return []error{e.Why, e.Last} }

// Request is a request of the API.
type Request struct {
	Method, Path string
	In           any // its body; nil: it has none
	Out          any // takes the data of the answer; nil: nothing does
	// Patient is set for a request that only the service itself may end. It is made again, until ctx ends, after each
	// try that the service did not answer, and after each 401. Neither uses an attempt.
	// The time of a try doubles each time that it was too short, up to mostTimeout.
	Patient bool
	// Denials ends a patient request after so many answers in a row with a status of 4xx that are not the service's: a
	// gateway may not like what the request says. Zero: never.
	Denials int
	Unsure  bool // an earlier request for the same may have been carried out
	// Pace, if not nil, is called after each temporary refusal, before the next try. Its error ends the request.
	Pace func(ctx context.Context, refusal *wire.Error) error
}

// Do makes a request, with in as its JSON body unless that is nil, and reads the data of the answer into out unless
// that is nil. It ends with nil, with an [Error], a [NoAnswerError], or an [EndedError] that wraps either.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	_, err := c.Make(ctx, Request{Method: method, Path: path, In: in, Out: out})
	return err
}

// Make makes a request, with the errors of Do. unsure says whether some try ended without an answer: that one may have
// been carried out, whatever was answered to a later one.
func (c *Client) Make(ctx context.Context, r Request) (unsure bool, err error) {
	var body []byte
	if r.In != nil {
		if body, err = wire.Marshal(r.In); err != nil {
			return r.Unsure, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
	}
	unsure = r.Unsure
	p := patience{cfg: &c.cfg, endless: r.Patient, timeout: c.cfg.Timeout, denials: r.Denials}
	for {
		err := c.try(ctx, p.timeout, r.Method, r.Path, body, r.Out)
		unsure = carryUnsure(err, unsure)
		switch p.after(err) { //nolint:exhaustive // what is not named rests first, below
		case giveUp:
			return unsure, err
		case giveUpDenied:
			return unsure, &EndedError{ErrDenied, err}
		case signAnew:
			continue
		}
		if why := c.rest(ctx, r, err, p.rests); why != nil {
			return unsure, &EndedError{why, err}
		}
	}
}

// Once makes a request without a body, as Do does, and never repeats it.
func (c *Client) Once(ctx context.Context, method, path string, out any) error {
	return c.try(ctx, c.cfg.Timeout, method, path, nil, out)
}

// rest waits before the next try. The error is why there is to be none.
func (c *Client) rest(ctx context.Context, r Request, err error, rests int) error {
	var refused *Error
	var silent *NoAnswerError
	var pause time.Duration // that a server asked for
	switch {
	case errors.As(err, &refused):
		pause = refused.retryAfter
		//mutant:rest-pace
		if r.Pace != nil && c.cfg.Temporary(refused.Refusal) {
			if err := r.Pace(ctx, refused.Refusal); err != nil {
				return err
			}
		}
	case errors.As(err, &silent):
		pause = silent.retryAfter
	}
	//mutant:rest-retry-after
	if !backoff.Sleep(ctx, c.cfg.Rest(rests)+min(pause, mostPause)) {
		return ctx.Err()
	}
	return nil
}

// carryUnsure reports whether this try or an earlier one may have been carried out, and notes it in err.
func carryUnsure(err error, before bool) bool {
	var refused *Error
	var silent *NoAnswerError
	switch {
	case errors.As(err, &refused):
		//mutant:rest-unsure
		refused.Unsure = refused.Unsure || before
		return refused.Unsure
	case errors.As(err, &silent):
		//mutant:rest-written
		silent.Written = silent.Written || before
		return silent.Written
	}
	return before
}

// try makes the request once, to the host that worked last. If that one gives no answer, the next try is made to
// another one.
func (c *Client) try(ctx context.Context, timeout time.Duration, method, path string, body []byte, out any) error {
	base, failed := c.hosts.present()
	began := time.Now()
	err := c.tryAt(ctx, base, timeout, method, path, body, out)
	var silent *NoAnswerError
	// A caller who ended it early says nothing about the host.
	waited := ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) && time.Since(began) >= leastWait
	//mutant:rest-next-host
	if errors.As(err, &silent) && !silent.ended && waited {
		failed()
	}
	return err
}

// tryAt makes the request once.
func (c *Client) tryAt(
	parent context.Context, base string, timeout time.Duration, method, path string, body []byte, out any,
) error {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	name := method + " " + path
	token, id, err := c.cfg.Token(method, path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var w watch
	req, err := http.NewRequestWithContext(w.trace(ctx), method, base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	if err := ctx.Err(); err != nil {
		//mutant:rest-ended
		return &NoAnswerError{Request: name, Err: err, ended: true}
	}
	resp, err := c.cfg.HTTP.Do(req)
	silent := func(err error, written bool) error {
		late := ctx.Err() != nil && parent.Err() == nil
		if err = unwrapURL(err); late {
			err = fmt.Errorf("nothing came for %v", timeout) // and not that the caller's time was up
		}
		return &NoAnswerError{Request: name, Err: err, Written: written, late: late}
	}
	if err != nil {
		return silent(err, w.written())
	}
	defer func() { _ = resp.Body.Close() }() // only read
	at, own := header.ServerTime(resp.Header)
	if !at.IsZero() && c.cfg.Clock != nil {
		c.cfg.Clock(at)
	}
	//mutant:rest-echo
	if echo := resp.Header.Get("X-Request-Id"); echo != "" && echo != id {
		return noAnswer(name, errors.New("the answer is to another request"))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return silent(err, true)
	case len(text) > maxAnswer:
		return noAnswer(name, fmt.Errorf("an answer of more than %d bytes", maxAnswer))
	}
	err = read(name, resp.StatusCode, text, out)
	c.note(err, resp.Header, at, own)
	return err
}

// note notes in the error of an answer when it came, if own says that the service told its time, and what the server
// asked for.
func (c *Client) note(err error, h http.Header, at time.Time, own bool) {
	var refused *Error
	var silent *NoAnswerError
	switch {
	case errors.As(err, &refused):
		//mutant:clock-own
		if own {
			refused.At = at
		}
		refused.retryAfter = header.RetryAfter(h, at)
		if c.cfg.Refused != nil {
			c.cfg.Refused(refused)
		}
	case errors.As(err, &silent):
		silent.retryAfter = header.RetryAfter(h, at)
	}
}

// watch sees whether one try was written.
type watch struct{ asked, got atomic.Bool } // for a connection

// trace returns a context that tells w what net/http does. Other transports may not do so.
func (w *watch) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		// When the try ends, WroteHeaders may still be to come.
		GotConn: func(httptrace.GotConnInfo) { w.got.Store(true) },
	})
}

// written reports whether a try that failed may have written something. Only a transport that asked for a connection
// and got none is known to have written nothing. An error says less: a transport may dial again after it has written.
func (w *watch) written() bool {
	//mutant:rest-untraced
	return w.got.Load() || !w.asked.Load()
}

// noAnswer is the error of a request that was written and has no answer that can be understood.
func noAnswer(name string, err error) *NoAnswerError {
	return &NoAnswerError{Request: name, Err: err, Written: true}
}

// read takes an answer apart.
func read(name string, status int, text []byte, out any) error {
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error json.RawMessage `json:"error"`
	}
	isJSON := json.Unmarshal(text, &answer) == nil
	refusal := refusalOf(status, answer.Error)
	switch {
	case isJSON && refusal != nil:
		return &Error{Request: name, Refusal: refusal}
	case !succeeds(status):
		// Whoever says so may have handed the request on before.
		//mutant:rest-gateway
		return &NoAnswerError{
			Request: name, Err: fmt.Errorf("an answer of status %d that is not the service's", status), Written: true,
			denied: denies(status),
		}
	case isJSON && len(answer.Error) > 0 && string(answer.Error) != "null":
		return noAnswer(name, errors.New("an error of another shape"))
	case out == nil && json.Valid(text):
		return nil
	case !isJSON:
		return noAnswer(name, errors.New("an answer that is not JSON"))
	}
	switch err := json.Unmarshal(answer.Data, out); {
	case errors.Is(err, ErrMissing):
		return noAnswer(name, ErrMissing)
	case err != nil:
		return noAnswer(name, errors.New("an answer whose data has another shape"))
	}
	return nil
}

// refusalOf returns the refusal that the error of an answer is; nil: it is none of the service's. The service writes an
// object with a code, a status or both. An object with neither is the service's where HTTP reports success: gateways
// report none with an error.
func refusalOf(status int, raw json.RawMessage) *wire.Error {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	refusal := new(wire.Error)
	_ = refusal.UnmarshalJSON(raw) // always nil
	switch {
	case refusal.Code != 0 && refusal.Status == 0:
		refusal.Status = status
	//mutant:rest-codeless
	case refusal.Code == 0 && refusal.Status == 0 && !succeeds(status):
		return nil
	}
	return refusal
}

func succeeds(status int) bool { return status >= 200 && status <= 299 }

// denies reports whether a status says that the request is at fault. Two of 4xx say that it came at a bad time.
func denies(status int) bool {
	return status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// unwrapURL takes the address out of an error of net/http: it may hold a signature. So may one that it could not
// follow.
func unwrapURL(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // as net/http returns it; errors.As would ask that of a user
		err = u.Err
	}
	if op, ok := err.(*net.OpError); ok && op.Op == "proxyconnect" { //nolint:errorlint // as net/http returns it
		err = fmt.Errorf("the proxy cannot be reached: %w", op.Err)
	}
	if strings.Contains(err.Error(), "://") {
		return errors.New("an answer that leads somewhere else")
	}
	return guard.Short(err, tame.Most)
}
