// Package rest is the service's HTTP API: signed requests, and answers that say data or error. Every request that is
// made here may be repeated, and is when nothing or a refusal that passes came back. It also moves the files that the
// API gives addresses for.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/header"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// mostPause is how long a server's wish to be left alone is heeded.
const mostPause = 5 * time.Minute

// maxAnswer is how many bytes an answer may have.
const maxAnswer = 4 << 20

// Config is what a Client needs; all fields but Clock are needed.
type Config struct {
	Base      string // for example https://api.mixin.one, without a slash at its end
	HTTP      *http.Client
	Token     func(method, uri string, body []byte) (token, requestID string, err error)
	Clock     func(server time.Time) // hears of the server's clock with each answer
	Timeout   time.Duration          // of one try
	Attempts  int                    // until a failure is final; a 401 that is retried uses none; negative: no limit
	Temporary func(*wire.Error) bool
	Rest      func(failures int) time.Duration
}

// Client makes requests. Its methods may be called concurrently.
type Client struct {
	cfg   Config
	plain bool // files may be moved without TLS
}

// New returns a Client. Redirects are not followed: what was signed is signed for one address.
func New(cfg Config) *Client {
	hc := *cfg.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg.HTTP = &hc
	u, err := url.Parse(cfg.Base)
	return &Client{cfg: cfg, plain: err == nil && u.Scheme == "http"}
}

// Error is the end of a request that was not carried out, as far as the last try says.
type Error struct {
	Request string // method and path
	Refusal *wire.Error
	Unsure  bool // some try ended without an answer: it may have been carried out

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
	Written bool // it may have been carried out: something of it was written, in this try or one before
}

// Error says why.
func (e *NoAnswerError) Error() string { return e.Request + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// Do makes a request, with in as its JSON body unless that is nil, and reads the data of the answer into out unless
// that is nil. It ends with nil, with an [Error], a [NoAnswerError], or the error of ctx joined with either.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	_, err := c.DoUnsure(ctx, method, path, in, out)
	return err
}

// DoUnsure is Do, and also says whether some try ended without an answer: that one may have been carried out,
// whatever was answered to a later one.
func (c *Client) DoUnsure(ctx context.Context, method, path string, in, out any) (unsure bool, err error) {
	var body []byte
	if in != nil {
		if body, err = wire.Marshal(in); err != nil {
			return false, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	resigned := false
	for failures := 1; ; failures++ {
		err := c.try(ctx, method, path, body, out)
		if !resigned && unauthorized(err) {
			// The answer's clock may have put the token right, so the request is signed and made again. This uses no
			// attempt.
			resigned = true
			err = c.try(ctx, method, path, body, out)
		}
		unsure = carryUnsure(err, unsure)
		pause, again := c.passes(err)
		if !again || c.cfg.Attempts >= 0 && failures >= c.cfg.Attempts {
			return unsure, err
		}
		if !backoff.Sleep(ctx, c.cfg.Rest(failures)+pause) {
			return unsure, errors.Join(ctx.Err(), err)
		}
	}
}

func unauthorized(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Refusal.Code == http.StatusUnauthorized
}

// carryUnsure reports whether this try or an earlier one may have been carried out, and notes it in err.
func carryUnsure(err error, before bool) bool {
	var refused *Error
	var silent *NoAnswerError
	switch {
	case errors.As(err, &refused):
		refused.Unsure = refused.Unsure || before
		return refused.Unsure
	case errors.As(err, &silent):
		silent.Written = silent.Written || before
		return silent.Written
	}
	return before
}

// passes reports whether another try may succeed, and returns the pause that the server asked for.
func (c *Client) passes(err error) (pause time.Duration, again bool) {
	var refused *Error
	if errors.As(err, &refused) {
		return min(refused.retryAfter, mostPause), c.cfg.Temporary(refused.Refusal)
	}
	var silent *NoAnswerError
	return 0, errors.As(err, &silent)
}

// try makes the request once.
func (c *Client) try(parent context.Context, method, path string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(parent, c.cfg.Timeout)
	defer cancel()
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	name := method + " " + path
	token, id, err := c.cfg.Token(method, path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.Base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", id)
	resp, err := c.cfg.HTTP.Do(req)
	late := func(err error) error {
		if ctx.Err() != nil && parent.Err() == nil {
			return fmt.Errorf("nothing came for %v", c.cfg.Timeout) // and not that the caller's time was up
		}
		return unwrapURL(err)
	}
	if err != nil {
		return &NoAnswerError{name, late(err), written.Load()}
	}
	defer func() { _ = resp.Body.Close() }() // only read
	at := header.ServerTime(resp.Header)
	if !at.IsZero() && c.cfg.Clock != nil {
		c.cfg.Clock(at)
	}
	if echo := resp.Header.Get("X-Request-Id"); echo != "" && echo != id {
		return &NoAnswerError{name, errors.New("the answer is to another request"), true}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &NoAnswerError{name, late(err), true}
	case len(text) > maxAnswer:
		return &NoAnswerError{name, fmt.Errorf("an answer of more than %d bytes", maxAnswer), true}
	}
	err = read(name, resp.StatusCode, text, out)
	var refused *Error
	if errors.As(err, &refused) {
		refused.retryAfter = header.RetryAfter(resp.Header, at)
	}
	return err
}

// read takes an answer apart. What is no JSON comes from something before the service, such as a gateway.
func read(name string, status int, text []byte, out any) error {
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error *wire.Error     `json:"error"`
	}
	isJSON := json.Unmarshal(text, &answer) == nil
	switch {
	case isJSON && answer.Error != nil:
		if answer.Error.Status == 0 {
			answer.Error.Status = status
		}
		return &Error{Request: name, Refusal: answer.Error}
	case status >= http.StatusInternalServerError:
		// Whoever says so may have handed the request on before.
		return &Error{Request: name, Refusal: &wire.Error{Status: status, Code: http.StatusInternalServerError}, Unsure: true}
	case status < 200 || status > 299:
		return &Error{Request: name, Refusal: &wire.Error{Status: status, Code: status}}
	case out == nil && json.Valid(text):
		return nil
	case !isJSON:
		return &NoAnswerError{name, errors.New("an answer that is not JSON"), true}
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return &NoAnswerError{name, errors.New("an answer whose data has another shape"), true}
	}
	return nil
}

// unwrapURL takes the address out of an error of net/http: it may hold a signature. So may one that it could not
// follow.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if strings.Contains(err.Error(), "://") {
		return errors.New("an answer that leads somewhere else")
	}
	return err
}
