package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/engine"
)

func TestDialPlanEndpoints(t *testing.T) {
	for name, tt := range map[string]struct {
		end  engine.End
		next string
	}{
		"nobody answered":       {engine.End{}, "two"},
		"a server answered":     {engine.End{Handshake: true}, "one"},
		"a connection was lost": {engine.End{Lived: 1}, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			p := engine.NewPlan(backoff.Policy{}, "one", "two")
			assert.Equal(t, "one", p.Endpoint())
			p.After(tt.end)
			assert.Equal(t, tt.next, p.Endpoint())
		})
	}
	p := engine.NewPlan(backoff.Policy{}, "one", "two")
	p.After(engine.End{})
	p.After(engine.End{})
	assert.Equal(t, "one", p.Endpoint(), "in turn")
}

// The wait of a Policy without Base is 0, so the whole result is added by the plan.
func TestDialPlanRetryAfter(t *testing.T) {
	p := engine.NewPlan(backoff.Policy{}, "one")
	assert.Zero(t, p.After(engine.End{Handshake: true}))
	assert.Equal(t, time.Minute, p.After(engine.End{Handshake: true, RetryAfter: time.Minute}))
	assert.Equal(t, 5*time.Minute, p.After(engine.End{Handshake: true, RetryAfter: time.Hour}), "bounded")
}

// A wait of this Policy is 0 once in 10^18 times.
func TestDialPlanWaits(t *testing.T) {
	day := backoff.Policy{Base: 100 * 24 * time.Hour, Cap: 100 * 24 * time.Hour}
	lost := engine.End{Lived: time.Second}
	rejected := engine.End{Handshake: true, Rejected: true, RetryAfter: time.Second}
	resync := engine.End{Lived: time.Second, ResyncFailed: true}
	for name, tt := range map[string]struct {
		ends  []engine.End
		waits string // of each end: w where there is one
	}{
		"lost":                            {[]engine.End{lost, lost}, "ww"},
		"a first rejection":               {[]engine.End{lost, rejected}, "w."},
		"one rejection after the other":   {[]engine.End{rejected, rejected}, ".w"},
		"rejections with a link between":  {[]engine.End{rejected, lost, rejected}, ".w."},
		"a resync that failed":            {[]engine.End{resync, resync}, ".."},
		"a resync that failed, then lost": {[]engine.End{resync, lost}, ".w"},
	} {
		t.Run(name, func(t *testing.T) {
			p := engine.NewPlan(day, "one")
			got := ""
			for _, end := range tt.ends {
				if p.After(end) == 0 {
					got += "."
				} else {
					got += "w"
				}
			}
			assert.Equal(t, tt.waits, got)
		})
	}
}
