package blaze

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"
)

// Apologize returns middleware that replies with text when the handler's message is dropped: after its last attempt, or
// after an error that is not retried (see [Handler]). Panics count. It does not reply to a message that cannot be
// answered, or while Run is ending, because the message is then redelivered on the next start. An error of the reply is
// ignored. c is the Client that runs the handler.
func Apologize(c *Client, text Text) func(Handler) Handler {
	return func(h Handler) Handler {
		return func(ctx context.Context, m *Message) error {
			returned := false
			defer func() {
				if !returned && c.drops(m, nil) { // a panic, or runtime.Goexit
					c.apologize(ctx, m, text)
				}
			}()
			err := h(ctx, m)
			returned = true
			if err != nil && c.drops(m, err) {
				c.apologize(ctx, m, text)
			}
			return err
		}
	}
}

// drops reports whether a message is dropped after an attempt that failed with err. A nil err is a panic.
func (c *Client) drops(m *Message, err error) bool {
	switch {
	case errors.Is(err, ErrNotHandled):
		return false
	//mutant:apology-ending
	case c.engine.Ending():
		return c.deliverer.cfg.Ack == AckReceived // it was acknowledged, and is not redelivered
	}
	//mutant:apology-last
	return m.LastAttempt || permanent(err)
}

func (c *Client) apologize(ctx context.Context, m *Message, text Text) {
	if out := m.NewReply(text); out.ConversationID != "" {
		_, _ = c.Send(ctx, out)
	}
}

// maxLimited bounds the users that RateLimit remembers. The least recently active are forgotten first.
const maxLimited = 10_000

// RateLimit returns middleware that passes at most n messages of each user to the handler, and one more whenever per/n
// has passed, up to n. It does not block. Further messages go to over; if over is nil, they are acknowledged without a
// reply. The user is Message.Sender. Retries of a message do not count, and messages of the system are not limited. At
// most 10,000 users are remembered, in memory. The limit is shared by all handlers that the middleware wraps.
//
// RateLimit panics if n or per is not above 0.
func RateLimit(n int, per time.Duration, over Handler) func(Handler) Handler {
	if n <= 0 || per <= 0 {
		mistake("RateLimit(%d, %v): both must be above 0", n, per)
	}
	l := &rateLimiter{n: float64(n), per: per, users: ttlcache.New(
		ttlcache.WithCapacity[string, *allowance](maxLimited), ttlcache.WithTTL[string, *allowance](per))}
	return func(h Handler) Handler {
		return func(ctx context.Context, m *Message) error {
			switch {
			case m.Category.System() || l.allows(m.Sender(), m.ID, m.Attempt):
				return h(ctx, m)
			case over != nil:
				return over(ctx, m)
			}
			return nil
		}
	}
}

// rateLimiter has a token bucket for each user. A bucket that was not used for per is full, so it may be forgotten.
type rateLimiter struct {
	n   float64
	per time.Duration

	mu    sync.Mutex
	users *ttlcache.Cache[string, *allowance]
}

type allowance struct {
	messages float64   // that may pass now
	at       time.Time // of the last change
	over     string    // the id of the last message that did not pass
}

// allows reports whether a message may pass. An attempt after the first has the result of the first.
func (l *rateLimiter) allows(user, id string, attempt int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	item, _ := l.users.GetOrSet(user, &allowance{messages: l.n, at: now})
	a := item.Value()
	//mutant:limit-retry
	if attempt > 1 {
		return a.over != id
	}
	//mutant:limit-burst
	a.messages = min(l.n, a.messages+l.n*now.Sub(a.at).Seconds()/l.per.Seconds())
	a.at = now
	if a.messages < 1 {
		a.over = id
		return false
	}
	a.messages--
	return true
}
