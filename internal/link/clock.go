package link

import (
	"context"
	"errors"
	"time"
)

// maxJump is the largest accepted difference between the wall clock and the monotonic clock from one ping to the next.
const maxJump = 30 * time.Second

// ErrJump ends a link after a jump of the wall clock. The usual reason is that the machine was asleep. Timers follow
// the monotonic clock, which stood still, so the link would wait for a peer that has closed the connection long ago.
var ErrJump = errors.New("the clock jumped, as it does when a machine wakes up")

// jumped reports whether the clocks moved apart. wall and monotonic are the durations that each of them measured.
//
//mutant:clock-jump
func jumped(wall, monotonic time.Duration) bool { return (wall - monotonic).Abs() > maxJump }

type wallKey struct{}

// WithWall returns a context under which links use now as the wall clock. It is for tests, which cannot set the clock
// of the machine.
func WithWall(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, wallKey{}, now)
}

// clocks detects jumps. The writer owns it.
type clocks struct {
	now       func() time.Time
	wall      time.Time // without a monotonic reading
	monotonic time.Time
}

func newClocks(ctx context.Context) *clocks {
	c := &clocks{now: time.Now}
	if now, ok := ctx.Value(wallKey{}).(func() time.Time); ok {
		c.now = now
	}
	_ = c.jumped()
	return c
}

// jumped reports whether the clocks have moved apart since the last call. It ignores slow drift.
func (c *clocks) jumped() bool {
	wall, monotonic := c.now().Round(0), time.Now()
	j := jumped(wall.Sub(c.wall), monotonic.Sub(c.monotonic))
	c.wall, c.monotonic = wall, monotonic
	return j
}
