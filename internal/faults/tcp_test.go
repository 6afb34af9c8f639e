package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/faultproxy"
)

// Fault 16 over TCP: on each connection all bytes after an offset are lost, and neither end is notified. The offset is
// after the handshake and a few requests. A request that was lost is answered on the next connection.
func TestFault16BlackHole(t *testing.T) {
	for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
		t.Run(d.String(), func(t *testing.T) {
			b, ctx, proxy := proxied(t, func(int) faultproxy.Plan {
				return faultproxy.Plan{{Kind: faultproxy.Vanish, Direction: d, At: 4 << 10}}
			})
			within := bounds.Default() // on a slow machine, these may also end healthy connections
			within.Ping, within.Silence = 100*time.Millisecond, 500*time.Millisecond
			b.run(bounds.With(ctx, within), nil)
			sent := 0
			for proxy.Count(faultproxy.Vanish, d) == 0 || len(b.failures()) == 0 {
				_, err := b.send(t.Context(), fmt.Sprint(sent))
				require.NoError(t, err)
				sent++
			}
			assert.ErrorContains(t, b.failures()[0], "no sign of life")
			assert.Len(t, b.s.Sent(), sent)
			require.NoError(t, b.stop())
			firedN(t, 16, int(proxy.Count(faultproxy.Vanish, d)))
		})
	}
}

// Fault 18 over TCP: every byte arrives alone, in both directions, with the same results.
func TestFault18Slices(t *testing.T) {
	slice := func(d faultproxy.Direction) faultproxy.Fault {
		return faultproxy.Fault{Kind: faultproxy.Slice, Direction: d, Size: 1, Length: 1 << 20}
	}
	v, proxy := converse(t, func(int) faultproxy.Plan {
		return faultproxy.Plan{slice(faultproxy.Up), slice(faultproxy.Down)}
	})
	const many = 10
	for n := range many {
		v.deliver(n)
	}
	require.NoError(t, v.b.s.Idle(t.Context()))
	require.NoError(t, v.b.stop())
	v.verify(many)
	firedN(t, 18,
		int(min(proxy.Count(faultproxy.Slice, faultproxy.Up), proxy.Count(faultproxy.Slice, faultproxy.Down))))
}
