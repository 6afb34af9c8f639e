// Package bounds has the times after which a session acts by itself. They are not options: tests carry other values in
// the context of Run, so that an hour passes in a second. Users cannot reach this package.
package bounds

import (
	"context"
	"time"
)

// Bounds are the times of a session. [From] returns a complete set.
type Bounds struct {
	Ping    time.Duration // between two pings
	Silence time.Duration // without a frame, a ping or a pong, a link is dead
	// Message is how long a message may take from its first byte to its last, whatever comes in between.
	Message time.Duration
	// Pong is how long a ping may be unanswered while other frames arrive: on a slow line pongs queue behind pushes. It
	// doubles, up to MaxPong, each time it ends a link, and falls back when a ping is answered.
	Pong, MaxPong time.Duration
	MaxReply      time.Duration // up to which the reply timeout doubles

	// Resync is the time between two connections that were closed to list pending messages again. It doubles, up to
	// MaxResync, while only conversations were closed, and falls back after Calm without.
	Resync, MaxResync, Calm time.Duration

	// Plural is how long an action for several messages is not used after the service did not take it. It doubles, up
	// to MaxPlural, with each failed trial.
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

// With returns a context under which a session has the bounds b.
func With(ctx context.Context, b Bounds) context.Context { return context.WithValue(ctx, key{}, b) }

// From returns the bounds that With put into ctx, or else Default.
func From(ctx context.Context) Bounds {
	if b, ok := ctx.Value(key{}).(Bounds); ok {
		return b
	}
	return Default()
}
