package blaze

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// clockSlack is the largest difference of the clocks for which tokens are dated by this machine's clock. The service
// accepts five minutes, and a response may have been in transit for up to a minute.
const clockSlack = time.Minute

// httpClients returns the HTTP clients for the API and for files, and a function that closes the idle connections of
// both. With the Client's own dialer, files use separate connections, to public addresses only. A connection opened for
// the API may go to any address and must not be reused for a file.
func (c *Config) httpClients(ownDialer bool) (api, files *http.Client, closeIdle func()) {
	if c.HTTPClient != nil {
		closeIdle = func() {}
		if t, ok := c.HTTPClient.Transport.(guardedTransport); ok {
			closeIdle = t.closeIdle
		}
		return c.HTTPClient, c.HTTPClient, closeIdle
	}
	api = newHTTPClient(c.DialContext, c.TLSClientConfig, c.Proxy, c.UserAgent)
	if !ownDialer || c.AllowPrivateStorage || rest.Local(c.apis()) {
		return api, api, api.CloseIdleConnections
	}
	files = newHTTPClient(dialPublic, c.TLSClientConfig, c.Proxy, c.UserAgent)
	return api, files, func() { api.CloseIdleConnections(); files.CloseIdleConnections() }
}

// newRest returns the client of the HTTP API. files transfers files. onRejection is called for each rejection.
func newRest(
	cfg *Config, files *http.Client, signer *auth.Signer, onRejection func(*rest.Error), before func(),
) *rest.Client {
	return rest.New(rest.Config{
		Bases: cfg.apis(), HTTP: cfg.HTTPClient, Files: files, Private: cfg.AllowPrivateStorage,
		UserAgent: cfg.UserAgent,
		Token: func(method, uri string, body []byte) (token, requestID string, err error) {
			before()
			return signer.Token(method, uri, body)
		},
		Clock:   func(server time.Time) { adjustClock(signer, server) },
		Timeout: cfg.ReplyTimeout, Attempts: cfg.SendAttempts, Temporary: transient, Rest: rejectionWait.Near,
		OnRejection: onRejection,
	})
}

// adjustClock dates later tokens by the server's clock if the difference is large.
func adjustClock(signer *auth.Signer, server time.Time) {
	if ahead := time.Until(server); (ahead - signer.Offset()).Abs() > clockSlack {
		signer.SetOffset(ahead)
	}
}

// onRejection ends Run if the service no longer accepts this client.
func (c *Client) onRejection(e *rest.Error) {
	if Code(e.Rejection.Code) == CodeUpdateRequired {
		//mutant:outdated-http
		c.engine.Reject(e.Rejection, e.Request)
	}
}

// probe checks with GET /me whether the service accepts the session. It does not wait for a RoundTripper that ignores
// the end of its context.
func (c *Client) probe(ctx context.Context) engine.Probed {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ReplyTimeout)
	defer cancel()
	result := make(chan engine.Probed, 1)
	go func() {
		var p engine.Probed // the zero value, no response, stands if user code panics
		_ = guard.Apart(func() error { p = c.askMe(ctx); return nil })
		result <- p
	}()
	select {
	case p := <-result:
		return p
	case <-ctx.Done():
		return engine.Probed{}
	}
}

// askMe requests GET /me. It tries again once if a 401 changed the clock offset, or if there was no response and the
// API has another host.
func (c *Client) askMe(ctx context.Context) engine.Probed {
	for again := false; ; again = true {
		offset := c.signer.Offset()
		me := askedUser{id: c.appID}
		err := c.rest.Once(ctx, "GET", "/me", &me)
		var rejection *rest.Error
		var silent *rest.NoAnswerError
		switch {
		//mutant:probe-host
		case !again && errors.As(err, &silent) && c.cfg.API == "" && ctx.Err() == nil:
			continue
		case err == nil:
			c.identity.keep(me.User)
			return engine.Probed{Answer: engine.ProbeAccepted}
		case !errors.As(err, &rejection), Code(rejection.Rejection.Code) != CodeUnauthorized:
			return engine.Probed{}
		//mutant:probe-again
		case !again && c.signer.Offset() != offset:
			continue
		}
		p := engine.Probed{Answer: engine.ProbeRejected}
		if !rejection.At.IsZero() {
			p.Skew = time.Until(rejection.At) - offset
		}
		return p
	}
}
