package blaze

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// clockSlack is how far the clocks may differ before tokens are dated by the server's: an answer may have been on its way for
// that long, and the service accepts five minutes.
const clockSlack = time.Minute

// newRest returns what makes a Client's HTTP requests, and starts nothing.
func newRest(c *Client) *rest.Client {
	return rest.New(rest.Config{
		Base: c.cfg.API, HTTP: c.cfg.HTTPClient, Token: c.signer.Token, Clock: c.hearClock,
		Timeout: c.cfg.ReplyTimeout, Attempts: c.cfg.SendAttempts,
		Temporary: func(e *wire.Error) bool { return Code(e.Code).temporary() },
		Rest:      refusalWait.Near,
	})
}

// hearClock dates later tokens by the server's clock, if the difference matters.
func (c *Client) hearClock(server time.Time) {
	if ahead := time.Until(server); (ahead - c.signer.Offset()).Abs() > clockSlack {
		c.signer.SetOffset(ahead)
	}
}

// ownHTTPClient has the dialer, the TLS and the proxy of the websocket.
func (c *Config) ownHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: c.DialContext, TLSClientConfig: c.TLSClientConfig, Proxy: c.Proxy,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 16,
		// A file is what it is: its length is checked, and its bytes are compressed already or encrypted.
		DisableCompression: true,
	}}
}

// checkAPI keeps tokens off the open network: https, or http to this machine.
func checkAPI(api string) error {
	u, err := url.Parse(api)
	switch {
	case err != nil || u.Host == "":
		return errors.New("must be a URL such as https://api.mixin.one")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "":
		return errors.New("must have no user, path, query or fragment, and no slash at its end: requests are signed with their whole path")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must begin with https://, or http:// for a loopback host")
}

// httpError makes a Client's error of one of the HTTP API.
func httpError(err error) error {
	if err == nil {
		return nil
	}
	var refused *rest.Error
	if !errors.As(err, &refused) {
		var silent *rest.NoAnswerError
		if errors.As(err, &silent) {
			return fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		return fmt.Errorf("blaze: %w", err)
	}
	return withEnd(err, newError(refused.Refusal, refused.Request, ""))
}

// withEnd returns e, joined with the end of a context that err holds, if it holds one.
func withEnd(err, e error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return errors.Join(ended, e)
		}
	}
	return e
}
