package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/engine"
)

var (
	failed    = engine.End{}
	useless   = engine.End{Lived: time.Second} // ended before any answer
	lost      = engine.End{Lived: time.Second, Answered: true}
	quiet     = engine.End{Lived: time.Hour}              // nothing to send
	mute      = engine.End{Lived: time.Hour, Asked: true} // no request was answered
	handled   = engine.End{Lived: time.Second, Asked: true, Worked: true}
	rejected  = engine.End{Rejected: true}
	redated   = engine.End{Rejected: true, Redated: true}
	throttled = engine.End{Throttled: true}
	busy      = engine.End{RetryAfter: time.Minute}
	resync    = engine.End{Lived: time.Second, Answered: true, Resync: true}
)

// ages is a policy with waits between rounds that are less than an hour only once in a million times.
var ages = backoff.Policy{Base: 1e6 * time.Hour, Cap: 1e6 * time.Hour}

// waitKind returns a letter for a wait: "." for none, "t" before the next endpoint of a round, "W" between rounds.
func waitKind(t *testing.T, wait time.Duration) string {
	t.Helper()
	switch {
	case wait == 0:
		return "."
	case wait < time.Hour:
		assert.GreaterOrEqual(t, wait, 50*time.Millisecond)
		assert.LessOrEqual(t, wait, 250*time.Millisecond)
		return "t"
	}
	return "W"
}

func TestDialPlan(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoints string // one letter each
		ends      []engine.End
		dials     string // the first one, and one after each end
		waits     string // letters of waitKind, one after each end
	}{
		"one endpoint":         {"a", []engine.End{failed, failed, useless}, "aaaa", "WWW"},
		"a round of two":       {"ab", []engine.End{failed, failed, failed, failed}, "ababa", "tWtW"},
		"a round of three":     {"abc", []engine.End{failed, useless, failed, failed}, "abcab", "ttWt"},
		"a link that was lost": {"ab", []engine.End{lost, lost}, "aaa", "WW"},
		"the endpoint that served comes first": {
			"ab", []engine.End{failed, lost, failed, failed, lost}, "abbabb", "tWtWW",
		},
		"served in the middle of a round": {
			"abc", []engine.End{failed, lost, failed, failed, failed}, "abbcab", "tWttW",
		},
		"a quiet link":                         {"ab", []engine.End{quiet, quiet}, "aaa", "WW"},
		"a link that answers nothing":          {"ab", []engine.End{mute, mute, mute}, "abab", "tWt"},
		"a message was handled, no answer yet": {"ab", []engine.End{handled, handled}, "aaa", "WW"},
		"a rejection concerns all endpoints":   {"ab", []engine.End{rejected, rejected, failed}, "abab", "WWt"},
		"429 concerns all endpoints":           {"ab", []engine.End{throttled, throttled}, "aba", "WW"},
		"Retry-After concerns all endpoints":   {"ab", []engine.End{busy, busy}, "aba", "WW"},
		"a new date of tokens, once":           {"ab", []engine.End{redated, redated, redated}, "aaba", ".WW"},
		"a new date after another rejection":   {"ab", []engine.End{rejected, redated}, "aba", "WW"},
		"a new date after each link":           {"ab", []engine.End{redated, lost, redated, lost}, "aaaaa", ".W.W"},
		"a resync that failed":                 {"ab", []engine.End{resync, resync}, "aaa", ".."},
		"a resync that failed, then lost":      {"ab", []engine.End{resync, lost}, "aaa", ".W"},
		"a new date in the middle of a round":  {"ab", []engine.End{failed, redated, failed, failed}, "abbab", "t.Wt"},
	} {
		t.Run(name, func(t *testing.T) {
			var endpoints []string
			for _, e := range tt.endpoints {
				endpoints = append(endpoints, string(e))
			}
			p := engine.NewPlan(ages, endpoints...)
			dials, waits := p.Endpoint(), ""
			for _, end := range tt.ends {
				waits += waitKind(t, p.After(end))
				dials += p.Endpoint()
			}
			assert.Equal(t, tt.dials, dials)
			assert.Equal(t, tt.waits, waits)
		})
	}
}

// The bound of the waits doubles with each round, not with each endpoint.
func TestDialPlanGrowsByRound(t *testing.T) {
	for round, bound := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		longest := time.Duration(0)
		for range 500 {
			p := engine.NewPlan(backoff.Policy{Base: time.Second, Cap: 30 * time.Second}, "a", "b", "c")
			for range round {
				p.After(failed)
				p.After(failed)
				p.After(failed)
			}
			p.After(failed)
			p.After(failed)
			longest = max(longest, p.After(failed))
		}
		// The longest of 500 waits is in the upper tenth of its range, except once in 10²² times.
		assert.LessOrEqual(t, longest, bound*time.Second, "round %d", round)
		assert.Greater(t, longest, bound*time.Second*9/10, "round %d", round)
	}
}

// The wait before the next endpoint is at most the first wait between rounds.
func TestDialPlanOfAPolicyWithShortWaits(t *testing.T) {
	p := engine.NewPlan(backoff.Policy{Base: time.Microsecond, Cap: time.Microsecond}, "a", "b")
	assert.LessOrEqual(t, p.After(failed), time.Microsecond)
	assert.Equal(t, "b", p.Endpoint())
}

// A Policy without Base waits 0, so the plan adds the whole result.
func TestDialPlanRetryAfter(t *testing.T) {
	p := engine.NewPlan(backoff.Policy{}, "one", "two")
	assert.Zero(t, p.After(failed))
	assert.Equal(t, time.Minute, p.After(busy))
	assert.Equal(t, 5*time.Minute, p.After(engine.End{RetryAfter: time.Hour}), "bounded")
}

// flaps returns the longest of 500 waits after each of the ends.
func flaps(ends ...engine.End) []time.Duration {
	longest := make([]time.Duration, len(ends))
	for range 500 {
		p := engine.NewPlan(backoff.Policy{Base: 500 * time.Millisecond, Cap: 30 * time.Second}, "a")
		for i, end := range ends {
			longest[i] = max(longest[i], p.After(end))
		}
	}
	return longest
}

// The bound of the wait after equally short links is twice their lifetime if they did useful work. Otherwise it
// doubles.
func TestDialPlanOfLinksThatFlap(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		end    engine.End
		bounds []time.Duration
	}{
		"nothing but the list": {
			engine.End{Lived: 125 * ms, Answered: true, Asked: true},
			[]time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 30000 * ms, 30000 * ms},
		},
		"work for a moment": {
			engine.End{Lived: 125 * ms, Answered: true, Asked: true, Worked: true},
			[]time.Duration{500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms},
		},
		"work for a second": {
			engine.End{Lived: 1000 * ms, Answered: true, Asked: true, Worked: true},
			[]time.Duration{500 * ms, 1000 * ms, 2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ends := make([]engine.End, len(tt.bounds))
			for i := range ends {
				ends[i] = tt.end
			}
			for i, longest := range flaps(ends...) {
				// In the upper tenth of its range, except once in 10²² times.
				assert.LessOrEqual(t, longest, tt.bounds[i], "link %d", i)
				assert.Greater(t, longest, tt.bounds[i]*9/10, "link %d", i)
			}
		})
	}
}
