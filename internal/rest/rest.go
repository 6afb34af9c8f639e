// Package rest is a client of the service's HTTP API. It signs requests, and reads data or an error from a response.
// A request that is not Single must be safe to repeat: it is retried after no response and after a transient rejection.
// A response that is not JSON of the service comes from an intermediary, such as a gateway, and counts as no response,
// whatever its status. The package also transfers files to and from addresses that the API returns.
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

// mostPause is the upper bound of the Retry-After that a Client obeys.
const mostPause = 5 * time.Minute

// mostTimeout is the upper bound of a timeout that doubles.
const mostTimeout = 5 * time.Minute

// leastWait is the time without a response after which a host counts as failed if the caller's deadline has passed.
const leastWait = 5 * time.Second

// maxAnswer is the maximum size of a response in bytes.
const maxAnswer = 4 << 20

// Config configures a Client. Files, Private, Clock and OnRejection are optional.
type Config struct {
	Bases       []string // hosts of the same API, such as https://api.mixin.one, without a trailing slash
	HTTP        *http.Client
	Files       *http.Client // transfers files; nil: HTTP does
	Private     bool         // files may be at private addresses; always so for a Local API
	UserAgent   string
	Token       func(method, uri string, body []byte) (token, requestID string, err error)
	Clock       func(server time.Time) // is called with the server's time of each response
	Timeout     time.Duration          // of one attempt; it doubles for a patient request
	Attempts    int                    // maximum number; a retry after a 401 does not count; negative: no limit
	Temporary   func(*wire.Error) bool
	Rest        func(failures int) time.Duration
	OnRejection func(*Error) // optional; receives each rejection by the service, of every attempt
}

// Client makes requests. Its methods are safe for concurrent use.
type Client struct {
	cfg     Config
	hosts   hosts
	plain   bool // files may be transferred without TLS
	private bool // files may be at private addresses
}

// New returns a Client. It does not follow redirects, because a signature is valid for one path only.
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

// staying returns a copy of hc that does not follow redirects.
func staying(hc *http.Client) *http.Client {
	stays := *hc
	stays.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stays
}

// Error means that the service rejected the last attempt of a request.
type Error struct {
	Request     string // method and path, without the query
	Rejection   *wire.Error
	Unconfirmed bool      // an attempt had no response: the request may have been carried out
	At          time.Time // time of the response, by X-Server-Time; zero if it had none

	retryAfter time.Duration // from the response
}

// Error returns the request, the status and the code.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: status %d, code %d", e.Request, e.Rejection.Status, e.Rejection.Code)
}

// NoAnswerError means that no attempt had a usable response.
type NoAnswerError struct {
	Request string
	Err     error
	// Written means that the request may have been carried out, by this attempt or an earlier one. It is false only if
	// the HTTP client certainly wrote nothing.
	Written bool

	retryAfter time.Duration // from a response
	late       bool          // the attempt timed out
	ended      bool          // the context had ended before the attempt
	denied     bool          // an intermediary did not forward the request
}

// Error returns the request and the reason.
func (e *NoAnswerError) Error() string { return e.Request + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// ErrDenied ends a request that an intermediary did not forward: see Request.Denials.
var ErrDenied = errors.New("rest: an intermediary rejects the request")

// ErrMissing is returned by the UnmarshalJSON of an Out if the response lacks the data requested. The response counts
// as none.
var ErrMissing = errors.New("the response lacks the requested data")

// EndedError means that a request ended between two attempts.
type EndedError struct {
	Why  error // the error of the context or of Request.Pace, or ErrDenied
	Last error // of the last attempt
}

// Error returns both.
func (e *EndedError) Error() string { return e.Why.Error() + ": " + e.Last.Error() }

// Unwrap returns both.
func (e *EndedError) Unwrap() []error { return []error{e.Why, e.Last} }

// Request is a request to the API.
type Request struct {
	Method, Path string
	In           any // the body; nil: none
	// Out receives the data of the response, which it must accept. A *json.RawMessage accepts data of any form, and
	// none. Nil: the data is ignored.
	Out any
	// Patient is set for a request that only the service itself may end. Until ctx ends, it is retried after each
	// attempt without a response of the service, and after each 401. Neither uses an attempt. The timeout doubles after
	// each attempt that timed out, up to mostTimeout.
	Patient bool
	// Denials ends a patient request after this number of consecutive 4xx responses that are not the service's: a
	// gateway may reject the content of the request. Zero: no limit.
	Denials     int
	Unconfirmed bool // an earlier request for the same purpose may have been carried out
	// Single is set for a request that must not be repeated. It is still signed again after the first 401, because a
	// request with a rejected token was not carried out.
	Single bool
	// Pace, if not nil, is called after each transient rejection, before the next attempt. Its error ends the request.
	Pace func(ctx context.Context, rejection *wire.Error) error
}

// name returns the name of a request in errors. It omits the query, which may contain personal data.
func name(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	return method + " " + path
}

// Do makes a request. in is its JSON body; nil: none. Do decodes the data of the response into out unless out is nil.
// The error is an [Error], a [NoAnswerError], or an [EndedError] that wraps either.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	_, err := c.Make(ctx, Request{Method: method, Path: path, In: in, Out: out})
	return err
}

// Make is like Do. unconfirmed reports whether an attempt had no response: that attempt may have been carried out,
// whatever the response to a later one.
func (c *Client) Make(ctx context.Context, r Request) (unconfirmed bool, err error) {
	var body []byte
	if r.In != nil {
		if body, err = wire.Marshal(r.In); err != nil {
			return r.Unconfirmed, fmt.Errorf("%s: %w", name(r.Method, r.Path), err)
		}
	}
	unconfirmed = r.Unconfirmed
	p := retrier{cfg: &c.cfg, endless: r.Patient, single: r.Single, timeout: c.cfg.Timeout, denials: r.Denials}
	for {
		err := c.attempt(ctx, p.timeout, r.Method, r.Path, body, r.Out)
		unconfirmed = carryUnconfirmed(err, unconfirmed)
		switch p.after(err) { //nolint:exhaustive // the other verdicts wait first, below
		case final:
			return unconfirmed, err
		case finalDenied:
			return unconfirmed, &EndedError{ErrDenied, err}
		case signAgain:
			continue
		}
		if why := c.wait(ctx, r, err, p.waits); why != nil {
			return unconfirmed, &EndedError{why, err}
		}
	}
}

// Once is like Do, for a request without a body, and does not retry.
func (c *Client) Once(ctx context.Context, method, path string, out any) error {
	return c.attempt(ctx, c.cfg.Timeout, method, path, nil, out)
}

// wait waits before the next attempt. An error means that there must be none.
func (c *Client) wait(ctx context.Context, r Request, err error, waits int) error {
	var rejected *Error
	var silent *NoAnswerError
	var pause time.Duration // from the response
	switch {
	case errors.As(err, &rejected):
		pause = rejected.retryAfter
		//mutant:rest-limiter
		if r.Pace != nil && c.cfg.Temporary(rejected.Rejection) {
			if err := r.Pace(ctx, rejected.Rejection); err != nil {
				return err
			}
		}
	case errors.As(err, &silent):
		pause = silent.retryAfter
	}
	//mutant:rest-retry-after
	if !backoff.Sleep(ctx, c.cfg.Rest(waits)+min(pause, mostPause)) {
		return ctx.Err()
	}
	return nil
}

// carryUnconfirmed reports whether this attempt or an earlier one may have been carried out, and records it in err.
func carryUnconfirmed(err error, before bool) bool {
	var rejected *Error
	var silent *NoAnswerError
	switch {
	case errors.As(err, &rejected):
		//mutant:rest-unconfirmed
		rejected.Unconfirmed = rejected.Unconfirmed || before
		return rejected.Unconfirmed
	case errors.As(err, &silent):
		//mutant:rest-written
		silent.Written = silent.Written || before
		return silent.Written
	}
	return before
}

// attempt makes one attempt, at the current host. If that host does not respond, the next attempt goes to another one.
func (c *Client) attempt(ctx context.Context, timeout time.Duration, method, path string, body []byte, out any) error {
	base, failed := c.hosts.present()
	began := time.Now()
	err := c.attemptAt(ctx, base, timeout, method, path, body, out)
	var silent *NoAnswerError
	// If the caller ended the attempt early, the host is not at fault.
	waited := ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) && time.Since(began) >= leastWait
	//mutant:rest-next-host
	if errors.As(err, &silent) && !silent.ended && waited {
		failed()
	}
	return err
}

// attemptAt makes one attempt at a host.
func (c *Client) attemptAt(
	parent context.Context, base string, timeout time.Duration, method, path string, body []byte, out any,
) error {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	name := name(method, path)
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
			// Not the error of ctx: it would mean that the caller's deadline has passed.
			err = fmt.Errorf("no response within %v", timeout)
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
		return noAnswer(name, errors.New("the response has the X-Request-Id of another request"))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return silent(err, true)
	case len(text) > maxAnswer:
		return noAnswer(name, fmt.Errorf("the response is larger than %d bytes", maxAnswer))
	}
	err = read(name, resp.StatusCode, text, out)
	c.note(err, resp.Header, at, own)
	return err
}

// note adds to the error of a response its time, if own is set, and its Retry-After. own means that the service sent
// X-Server-Time.
func (c *Client) note(err error, h http.Header, at time.Time, own bool) {
	var rejected *Error
	var silent *NoAnswerError
	switch {
	case errors.As(err, &rejected):
		//mutant:clock-own
		if own {
			rejected.At = at
		}
		rejected.retryAfter = header.RetryAfter(h, at)
		if c.cfg.OnRejection != nil {
			c.cfg.OnRejection(rejected)
		}
	case errors.As(err, &silent):
		silent.retryAfter = header.RetryAfter(h, at)
	}
}

// watch records whether an attempt was written.
type watch struct{ asked, got atomic.Bool } // for a connection

// trace returns a context that reports the events of net/http to w. Other transports may not report any.
func (w *watch) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		// Not WroteHeaders, which may be called only after the attempt has ended.
		GotConn: func(httptrace.GotConnInfo) { w.got.Store(true) },
	})
}

// written reports whether a failed attempt may have been written. Only a transport that requested a connection and did
// not get one certainly wrote nothing. The error does not decide, because a transport may write and dial again.
func (w *watch) written() bool {
	//mutant:rest-untraced
	return w.got.Load() || !w.asked.Load()
}

// noAnswer returns the error of a request that was written and had no usable response.
func noAnswer(name string, err error) *NoAnswerError {
	return &NoAnswerError{Request: name, Err: err, Written: true}
}

// read decodes a response.
func read(name string, status int, text []byte, out any) error {
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error json.RawMessage `json:"error"`
	}
	isJSON := json.Unmarshal(text, &answer) == nil
	rejection := rejectionOf(status, answer.Error)
	switch {
	case isJSON && rejection != nil:
		return &Error{Request: name, Rejection: rejection}
	case !succeeds(status):
		// The gateway may have forwarded the request before it failed.
		//mutant:rest-gateway
		return &NoAnswerError{
			Request: name, Err: fmt.Errorf("a response with status %d that is not from the service", status),
			Written: true, denied: denies(status),
		}
	case isJSON && len(answer.Error) > 0 && string(answer.Error) != "null":
		return noAnswer(name, errors.New("the error in the response has an unexpected form"))
	case out == nil && json.Valid(text):
		return nil
	case isJSON && len(answer.Data) == 0 && isRaw(out):
		return nil
	case !isJSON:
		return noAnswer(name, errors.New("the response is not JSON"))
	}
	switch err := json.Unmarshal(answer.Data, out); {
	case errors.Is(err, ErrMissing):
		return noAnswer(name, ErrMissing)
	case err != nil:
		return noAnswer(name, errors.New("the data in the response has an unexpected form"))
	}
	return nil
}

// isRaw reports whether out takes data of any form, or none.
func isRaw(out any) bool {
	_, ok := out.(*json.RawMessage)
	return ok
}

// rejectionOf returns the rejection in the error field of a response, or nil if the error is not the service's. The
// service writes an object with a code, a status or both. An object with neither is the service's if the HTTP status is
// a success, because a gateway does not send an error with such a status.
func rejectionOf(status int, raw json.RawMessage) *wire.Error {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	rejection := new(wire.Error)
	_ = rejection.UnmarshalJSON(raw) // always nil
	switch {
	case rejection.Code != 0 && rejection.Status == 0:
		rejection.Status = status
	//mutant:rest-codeless
	case rejection.Code == 0 && rejection.Status == 0 && !succeeds(status):
		return nil
	}
	return rejection
}

func succeeds(status int) bool { return status >= 200 && status <= 299 }

// denies reports whether a status means that the request is at fault. Two of the 4xx statuses do not: they depend on
// time.
func denies(status int) bool {
	return status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// unwrapURL removes the address from an error of net/http, because it may contain a signature. The location of a
// redirect may, too.
func unwrapURL(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // as net/http returns it; errors.As would ask that of a user
		err = u.Err
	}
	if op, ok := err.(*net.OpError); ok && op.Op == "proxyconnect" { //nolint:errorlint // as net/http returns it
		err = fmt.Errorf("the proxy cannot be reached: %w", op.Err)
	}
	if strings.Contains(err.Error(), "://") {
		return errors.New("the response redirects to another address")
	}
	return guard.Short(err, tame.Most)
}
