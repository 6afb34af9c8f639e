package link

import (
	"context"
	"errors"
	"time"
)

// maxJump is how far the wall clock may move away from the monotonic one between two pings.
const maxJump = 30 * time.Second

// ErrJump ends a link after a jump of the wall clock. The usual reason is that the machine was asleep: the monotonic
// clock, which all timers follow, stood still, so that a peer that has long given us up would still be waited for.
var ErrJump = errors.New("the clock jumped, as it does when a machine wakes up")

// jumped reports whether the clocks moved apart between two moments: wall and monotonic are how far each of them moved.
//
//mutant:clock-jump
func jumped(wall, monotonic time.Duration) bool { return (wall - monotonic).Abs() > maxJump }

type wallKey struct{}

// WithWall returns a context under which links take the time of the wall clock from now. Tests cannot set that of the
// machine. Users cannot reach this package.
func WithWall(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, wallKey{}, now)
}

// clocks watches for jumps. It belongs to the writer.
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

// jumped reports whether the clocks have moved apart since the last call. A slow drift is none of our business.
func (c *clocks) jumped() bool {
	wall, monotonic := c.now().Round(0), time.Now()
	j := jumped(wall.Sub(c.wall), monotonic.Sub(c.monotonic))
	c.wall, c.monotonic = wall, monotonic
	return j
}
