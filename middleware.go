package blaze

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"
)

// Apologize returns middleware that replies with text when the handler's message is dropped: after its last attempt, or
// after an error that is not retried (see [Handler]). Panics count. It does not reply to a message that cannot be
// answered, or to one that is redelivered because Run is ending. An error of the reply is ignored. c is the Client that
// runs the handler. Middleware that ends the context, such as a timeout, belongs inside of Apologize.
//
// Apologize panics if c is nil.
func Apologize(c *Client, text Text) func(Handler) Handler {
	if c == nil {
		mistake("Apologize: the client is nil")
	}
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

// minRemembered is longer than the attempts of a message take by default, so that its retries have the same result.
const minRemembered = 5 * time.Minute

// maxLimited bounds the users that RateLimit remembers. The least recently active are forgotten first.
const maxLimited = 10_000

// RateLimit returns middleware that passes at most n messages of each user to the handler, and one more whenever per/n
// has passed, up to n. It does not block. Further messages go to over. A nil over returns nil for them: they are
// acknowledged without a reply, and with AckManual they stay pending until Client.Ack.
//
// The user is Message.Sender. Retries of a message do not count, nor do messages that the handler declines. Messages of
// the system are not limited. At most 10,000 users are remembered, in memory. The limit is shared by all handlers that
// the middleware wraps; a message over the limit goes to over at the first of them.
//
// RateLimit panics if n or per is not above 0.
func RateLimit(n int, per time.Duration, over Handler) func(Handler) Handler {
	if n <= 0 || per <= 0 {
		mistake("RateLimit(%d, %v): both must be above 0", n, per)
	}
	l := &rateLimiter{n: float64(n), per: per, users: ttlcache.New(
		ttlcache.WithCapacity[string, *allowance](maxLimited),
		ttlcache.WithTTL[string, *allowance](max(per, minRemembered)),
	)}
	return func(h Handler) Handler {
		return func(ctx context.Context, m *Message) error {
			switch {
			case m.Category.System():
				return h(ctx, m)
			case l.allows(m.Sender(), m.ID, m.Attempt):
				err := h(ctx, m)
				//mutant:limit-declined
				if errors.Is(err, ErrNotHandled) {
					l.giveBack(m.Sender(), m.Attempt)
				}
				return err
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
	over     [4]string // ids of the last messages that did not pass
	next     int       // index in over
}

// allows reports whether a message may pass. An attempt after the first has the result of the first, unless four other
// messages of the user were over the limit since.
func (l *rateLimiter) allows(user, id string, attempt int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	item, _ := l.users.GetOrSet(user, &allowance{messages: l.n, at: now})
	a := item.Value()
	//mutant:limit-retry
	if attempt > 1 {
		return !slices.Contains(a.over[:], id)
	}
	//mutant:limit-burst
	a.messages = min(l.n, a.messages+l.n*now.Sub(a.at).Seconds()/l.per.Seconds())
	a.at = now
	if a.messages < 1 {
		a.over[a.next] = id
		a.next = (a.next + 1) % len(a.over)
		return false
	}
	a.messages--
	return true
}

// giveBack takes back the count of a message.
func (l *rateLimiter) giveBack(user string, attempt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if item := l.users.Get(user); item != nil && attempt <= 1 {
		a := item.Value()
		a.messages = min(l.n, a.messages+1)
	}
}
