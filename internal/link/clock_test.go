package link_test

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func TestJumped(t *testing.T) {
	for _, test := range []struct {
		wall, monotonic time.Duration
		jumped          bool
	}{
		{0, 0, false},
		{15 * time.Second, 15 * time.Second, false},
		{time.Hour, time.Hour, false},
		{45 * time.Second, 15 * time.Second, false},
		{45*time.Second + 1, 15 * time.Second, true},
		{10 * time.Minute, 15 * time.Second, true},
		{-15 * time.Second, 15 * time.Second, false},
		{-15*time.Second - 1, 15 * time.Second, true},
		{-time.Hour, 15 * time.Second, true},
	} {
		assert.Equal(t, test.jumped, link.Jumped(test.wall, test.monotonic), "%v and %v", test.wall, test.monotonic)
	}
}

func TestAJumpOfTheWallClockEndsTheLink(t *testing.T) {
	tests := map[string]struct {
		jump time.Duration
		busy bool
		ends bool
	}{
		"forwards":                  {10 * time.Minute, false, true},
		"backwards":                 {-10 * time.Minute, false, true},
		"a correction of the clock": {30 * time.Second, false, false},
		"while much is written":     {10 * time.Minute, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var ahead atomic.Int64
				ctx := link.WithWall(t.Context(), func() time.Time {
					return time.Now().Add(time.Duration(ahead.Load()))
				})
				client, server := pipe()
				r := &rig{t: t, conn: client, peer: wspeer.New(server), log: new(log)}
				go func() {
					if r.peer.ReadHead() == nil {
						_, _ = io.WriteString(r.peer, r.peer.Upgrade())
					}
				}()
				var err error
				r.Link, err = link.Dial(ctx,
					link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(client)})
				require.NoError(t, err)
				var src link.Source = newSource()
				if test.busy {
					src = endlessSource(noise(70 << 10))
				}
				r.start(src)
				r.collectEvery(100*time.Millisecond, true)
				time.Sleep(20 * time.Second)
				ahead.Store(int64(test.jump))
				time.Sleep(20 * time.Second)
				select {
				case <-r.Done():
					assert.True(t, test.ends)
					assert.ErrorContains(t, r.Err(), "the clock jumped")
				default:
					assert.False(t, test.ends)
				}
			})
		})
	}
}
