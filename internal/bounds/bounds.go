// Package bounds has the timeouts and intervals of a session. They are not options. Tests put other values into the
// context of Run, so that an hour passes in a second. Users cannot import this package.
package bounds

import (
	"context"
	"time"
)

// Bounds has the times of a session. [From] returns a complete set.
type Bounds struct {
	Ping    time.Duration // between two pings
	Silence time.Duration // a link without a frame, a ping or a pong for this time is dead
	// Message is the maximum time from the first byte of a message to its last, whatever arrives in between.
	Message time.Duration
	// Pong is the maximum time until a pong while other frames arrive: on a slow line, pongs are queued behind pushes.
	// It doubles, up to MaxPong, each time it ends a link, and is reset when a pong arrives.
	Pong, MaxPong time.Duration
	MaxReply      time.Duration // upper bound of the reply timeout, which doubles

	// Resync is the time between two connections that were closed to list pending messages again. It doubles, up to
	// MaxResync, while only conversations were closed, and is reset after Calm without such a connection.
	Resync, MaxResync, Calm time.Duration

	// Plural is the time during which an action for several messages is not used, after the service did not accept it.
	// It doubles, up to MaxPlural, with each failed attempt.
	Plural, MaxPlural time.Duration
}

// Default returns the bounds of a session.
func Default() Bounds {
	return Bounds{
		Ping: 15 * time.Second, Silence: 35 * time.Second, Message: 5 * time.Minute,
		Pong: 3 * time.Minute, MaxPong: time.Hour,
		MaxReply: 5 * time.Minute,
		Resync:   time.Second, MaxResync: time.Minute, Calm: time.Minute,
		Plural: time.Minute, MaxPlural: time.Hour,
	}
}

type key struct{}

// With returns a context with the bounds of a session.
func With(ctx context.Context, b Bounds) context.Context { return context.WithValue(ctx, key{}, b) }

// From returns the bounds in ctx, or Default if there are none.
func From(ctx context.Context) Bounds {
	if b, ok := ctx.Value(key{}).(Bounds); ok {
		return b
	}
	return Default()
}
