package blaze

import (
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
