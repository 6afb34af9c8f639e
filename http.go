package blaze

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// clockSlack is how far the clocks may differ before tokens are dated by the server's: an answer may have been on its way for
// that long, and the service accepts five minutes.
const clockSlack = time.Minute

// newRest returns the client of the HTTP API, and starts nothing.
func newRest(cfg *Config, signer *auth.Signer) *rest.Client {
	return rest.New(rest.Config{
		Base: cfg.API, HTTP: cfg.HTTPClient, Token: signer.Token,
		Clock:   func(server time.Time) { adjustClock(signer, server) },
		Timeout: cfg.ReplyTimeout, Attempts: cfg.SendAttempts, Temporary: transient, Rest: refusalWait.Near,
	})
}

// adjustClock dates later tokens by the server's clock, if the difference matters.
func adjustClock(signer *auth.Signer, server time.Time) {
	if ahead := time.Until(server); (ahead - signer.Offset()).Abs() > clockSlack {
		signer.SetOffset(ahead)
	}
}
