package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/engine"
)

func TestAuthPolicy(t *testing.T) {
	type rejection struct {
		after  time.Duration // since the first rejection
		code   int
		worked bool // the session worked on the link that ended so
		probed engine.Probed
		want   engine.Decision
	}
	var (
		silent   = engine.Probed{Answer: engine.ProbeSilent}
		accepted = engine.Probed{Answer: engine.ProbeAccepted}
		rejected = func(skew time.Duration) engine.Probed {
			return engine.Probed{Answer: engine.ProbeRejected, Skew: skew}
		}
		retry    = engine.Decision{Reason: engine.NotFinal}
		alarmed  = engine.Decision{Reason: engine.NotFinal, Alarm: true}
		over     = engine.Decision{Reason: engine.Unauthorized}
		outdated = engine.Decision{Reason: engine.UpdateRequired}
		skewed   = func(d time.Duration) engine.Decision { return engine.Decision{Reason: engine.ClockSkew, Skew: d} }
	)
	const s, day = time.Second, 24 * time.Hour
	for name, rejections := range map[string][]rejection{
		"an outdated client":                    {{0, 10006, false, silent, outdated}},
		"an outdated client that worked":        {{0, 10006, true, silent, outdated}},
		"GET /me rejects":                       {{0, 401, false, rejected(0), over}},
		"GET /me rejects a session that worked": {{0, 401, true, rejected(0), over}},
		"GET /me rejects after a while": {
			{0, 401, true, silent, retry}, {day, 401, false, rejected(0), over},
		},
		"GET /me rejects after it accepted": {
			{0, 401, false, accepted, alarmed}, {s, 401, false, rejected(0), over},
		},
		"five minutes are accepted":        {{0, 401, false, rejected(5 * time.Minute), over}},
		"five minutes behind are accepted": {{0, 401, false, rejected(-5 * time.Minute), over}},
		"more is a wrong clock":            {{0, 401, false, rejected(5*time.Minute + 1), skewed(5*time.Minute + 1)}},
		"more behind is a wrong clock": {
			{0, 401, false, rejected(-5*time.Minute - 1), skewed(-5*time.Minute - 1)},
		},
		"a wrong clock of a session that worked": {{0, 401, true, rejected(time.Hour), skewed(time.Hour)}},
		"silence before anything worked": {
			{0, 401, false, silent, retry}, {29 * s, 401, false, silent, retry}, {30 * s, 401, false, silent, over},
		},
		"silence that is noticed late": {{0, 401, false, silent, retry}, {day, 401, false, silent, over}},
		"silence for a session that worked": {
			{0, 401, true, silent, retry}, {30 * s, 401, false, silent, retry}, {day, 401, false, silent, retry},
		},
		"silence, and then it works": {
			{0, 401, false, silent, retry}, {29 * s, 401, true, silent, retry}, {day, 401, false, silent, retry},
		},
		"silence, and then GET /me accepts": {
			{0, 401, false, silent, retry}, {29 * s, 401, false, accepted, alarmed}, {day, 401, false, silent, retry},
		},
		"GET /me accepts": {
			{0, 401, false, accepted, alarmed},
			{59 * s, 401, false, accepted, retry},
			{60 * s, 401, false, accepted, alarmed},
			{61 * s, 401, false, accepted, retry},
			{119 * s, 401, true, accepted, retry},
			{120 * s, 401, false, accepted, alarmed},
			{day, 401, false, accepted, alarmed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var p engine.Policy
			first := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			for i, r := range rejections {
				assert.Equal(t, r.want, p.OnRejected(r.code, r.worked, first.Add(r.after), r.probed), "rejection %d", i)
			}
		})
	}
}
