package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/engine"
)

func TestAuthPolicy(t *testing.T) {
	type rejection struct {
		code         int
		answered     bool // something, since the last one
		skew, offset time.Duration
		reason       engine.Reason
		want         time.Duration // how later tokens are dated, or how wrong this one was
	}
	const hour = time.Hour
	for name, rejections := range map[string][]rejection{
		"the first 401 sets the clock": {{401, false, hour, 0, engine.NotFinal, hour}},
		"the second is final": {
			{401, true, 0, 0, engine.NotFinal, 0}, {401, false, 0, 0, engine.Unauthorized, 0},
		},
		"an answer in between": {
			{401, false, 0, 0, engine.NotFinal, 0},
			{401, true, hour, 0, engine.NotFinal, hour},
			{401, false, hour, hour, engine.Unauthorized, 0},
		},
		"five minutes are accepted": {
			{401, false, 0, 0, engine.NotFinal, 0}, {401, false, 5 * time.Minute, 0, engine.Unauthorized, 0},
		},
		"more is a wrong clock": {
			{401, false, 0, 0, engine.NotFinal, 0},
			{401, false, 5*time.Minute + 1, 0, engine.ClockSkew, 5*time.Minute + 1},
		},
		"a clock that was set back": {
			{401, false, hour, 0, engine.NotFinal, hour}, {401, false, 0, hour, engine.ClockSkew, -hour},
		},
		"an outdated client": {{10006, true, hour, 0, engine.UpdateRequired, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var p engine.Policy
			for i, r := range rejections {
				reason, skew := p.OnRejected(r.code, r.answered, r.skew, r.offset)
				assert.Equal(t, r.reason, reason, "rejection %d", i)
				assert.Equal(t, r.want, skew, "rejection %d", i)
			}
		})
	}
}
