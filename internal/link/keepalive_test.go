package link_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wspeer"
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
			require.Equal(t, wspeer.Final|wspeer.Ping, r.frames[i].First)
			require.Empty(t, r.frames[i].Payload)
		}
		r.mu.Unlock()
		r.lives()
		assert.Equal(t, hours*240+1, r.log.alive, "one for each pong and frame")
	})
}

func TestASilentPeerIsDeadAfter35Seconds(t *testing.T) {
	parts := wspeer.Gzip(`{"id":"parts","action":"X"}`)
	tests := map[string]struct {
		last  []byte // sent after 30 s
		after time.Duration
	}{
		"nothing":         {nil, 35 * time.Second},
		"ping":            {wspeer.Whole(wspeer.Ping, nil), 65 * time.Second},
		"pong":            {wspeer.Whole(wspeer.Pong, nil), 65 * time.Second},
		"frame":           {named("x"), 65 * time.Second},
		"text":            {wspeer.Whole(wspeer.Text, nil), 65 * time.Second},
		"no frame":        {wspeer.Whole(wspeer.Binary, nil), 65 * time.Second},
		"part of a frame": {wspeer.Encode(wspeer.Binary, parts[:5]), 65 * time.Second},
		"ping in a frame": {
			append(wspeer.Encode(wspeer.Binary, parts[:5]), wspeer.Whole(wspeer.Ping, nil)...), 65 * time.Second,
		},
		"half a ping":      {wspeer.Whole(wspeer.Ping, []byte("ping"))[:3], 35 * time.Second},
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
