package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/engine"
)

// Each step is a resync of the whole inbox or of conversations. It becomes due some time after the previous resync.
func TestResyncs(t *testing.T) {
	type step struct {
		idle  time.Duration // since the previous resync
		whole bool
		wait  time.Duration
	}
	const conversations, whole = false, true
	for name, steps := range map[string][]step{
		"the first one": {{0, conversations, 0}},
		"a backlog flows": {
			{0, whole, 0},
			{0, whole, time.Second},
			{300 * time.Millisecond, whole, 700 * time.Millisecond},
			{time.Hour, whole, 0},
		},
		"conversations with failing messages only": {
			{0, conversations, 0},
			{0, conversations, 2 * time.Second},
			{0, conversations, 4 * time.Second},
			{time.Second, conversations, 7 * time.Second},
			{0, conversations, 16 * time.Second},
			{0, conversations, 32 * time.Second},
			{0, conversations, time.Minute},
			{59 * time.Second, conversations, time.Second},
			{time.Minute, conversations, 0},
			{0, conversations, 2 * time.Second},
		},
		"both": {
			{0, conversations, 0},
			{0, conversations, 2 * time.Second},
			{0, whole, time.Second},
			{0, conversations, 4 * time.Second},
			{500 * time.Millisecond, whole, 500 * time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := engine.NewResyncPlan(bounds.Default())
			now := time.Now()
			for i, s := range steps {
				now = now.Add(s.idle)
				wait := p.After(now, s.whole)
				assert.Equal(t, s.wait, wait, "resync %d", i)
				now = now.Add(wait)
				p.Done(now, s.whole)
			}
		})
	}
}
