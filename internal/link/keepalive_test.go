package link_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPingsEvery15Seconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(true)
		const hours = 5
		time.Sleep(hours*time.Hour + 1)
		r.mu.Lock()
		require.Len(t, r.times, hours*240)
		for i, at := range r.times {
			require.Equal(t, time.Duration(i+1)*15*time.Second, at)
			require.Equal(t, final|opPing, r.frames[i].first)
			require.Empty(t, r.frames[i].payload)
		}
		r.mu.Unlock()
		r.lives()
		assert.Equal(t, hours*240+1, r.log.alive, "each pong is life, and each frame")
	})
}

func TestASilentPeerIsDeadAfter35Seconds(t *testing.T) {
	parts := compress(`{"id":"parts","action":"X"}`)
	tests := map[string]struct {
		last  []byte // what it says after 30 s
		after time.Duration
	}{
		"nothing":          {nil, 35 * time.Second},
		"ping":             {encode(final|opPing, nil), 65 * time.Second},
		"pong":             {encode(final|opPong, nil), 65 * time.Second},
		"frame":            {named("x"), 65 * time.Second},
		"text":             {encode(final|opText, nil), 65 * time.Second},
		"no frame":         {encode(final|opBinary, nil), 65 * time.Second},
		"part of a frame":  {encode(opBinary, parts[:5]), 65 * time.Second},
		"ping in a frame":  {append(encode(opBinary, parts[:5]), encode(final|opPing, nil)...), 65 * time.Second},
		"half a ping":      {encode(final|opPing, []byte("ping"))[:3], 35 * time.Second},
		"half of a header": {named("x")[:1], 35 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(false)
				time.Sleep(30 * time.Second)
				r.send(test.last)
				<-r.Done()
				assert.Equal(t, test.after, time.Since(r.born))
				assert.ErrorContains(t, r.Err(), "no sign of life for 35s")
			})
		})
	}
}
