package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

var (
	confirmed = outbox.Outcome{Kind: outbox.Confirmed}
	split     = outbox.Outcome{Kind: outbox.Split}
)

func TestPluralIsSuspendedAfterASplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p engine.Plural
		assert.Equal(t, 80, p.Size(80))
		for range 3 { // three frames in flight, of which each is split
			assert.Equal(t, 80, p.Take(80))
		}
		for range 3 {
			p.Observe(split)
		}
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			pause *= time.Minute
			assert.Equal(t, 1, p.Size(80))
			time.Sleep(pause - time.Nanosecond)
			assert.Equal(t, 1, p.Size(80), "suspended for %v", pause)
			time.Sleep(time.Nanosecond)
			assert.Equal(t, 2, p.Size(80))
			assert.Equal(t, 1, p.Take(1))
			assert.Equal(t, 2, p.Take(80))
			assert.Equal(t, 1, p.Take(80), "one trial at a time")
			time.Sleep(time.Hour)
			assert.Equal(t, 1, p.Size(80))
			p.Observe(split)
		}
		time.Sleep(time.Hour)
		assert.Equal(t, 2, p.Take(80))
		p.Observe(confirmed)
		assert.Equal(t, 80, p.Size(80))
		p.Observe(split) // caused by one invalid message
		assert.Equal(t, 80, p.Size(80))
	})
}

// No other outcome means that the service does not support the action.
func TestPluralStaysInUse(t *testing.T) {
	for name, o := range map[string]outbox.Outcome{
		"busy":                     {Kind: outbox.TransientExhausted, Rejection: new(wire.Error)},
		"busy, split":              {Kind: outbox.Split, Rejection: new(wire.Error)},
		"unauthorized":             {Kind: outbox.Rejected, Rejection: &wire.Error{Code: 401}},
		"unanswered":               {Kind: outbox.Unanswered, Unconfirmed: true},
		"one message was rejected": {Kind: outbox.Split, Parts: []outbox.Outcome{confirmed, {Kind: outbox.Rejected}}},
	} {
		t.Run(name, func(t *testing.T) {
			var p engine.Plural
			p.Take(80)
			p.Observe(o)
			assert.Equal(t, 80, p.Size(80))
		})
	}
}

// After an inconclusive trial, the next one follows at once.
func TestPluralIsProbedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p engine.Plural
		p.Take(80)
		p.Observe(split)
		time.Sleep(time.Minute)
		p.Take(80)
		p.Observe(outbox.Outcome{Kind: outbox.Unanswered})
		assert.Equal(t, 2, p.Size(80))
	})
}
