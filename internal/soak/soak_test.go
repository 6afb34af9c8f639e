//go:build soak

package soak

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seedOf returns the seed of a run: a fixed one, so that the same faults are met every time, unless SOAK_SEED says another.
func seedOf(t *testing.T, fixed uint64) uint64 {
	t.Helper()
	text := os.Getenv("SOAK_SEED")
	if text == "" {
		return fixed
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "SOAK_SEED")
	return seed
}

// soak runs, prints and asserts.
func soak(t *testing.T, o Options) *Report {
	t.Helper()
	rep, err := Run(t.Context(), o)
	require.NoError(t, err)
	t.Log(rep)
	if path := os.Getenv("SOAK_JSON"); path != "" {
		require.NoError(t, rep.Write(path))
	}
	for _, v := range rep.Violations {
		t.Error(v)
	}
	assert.Zero(t, rep.ViolationCount)
	return rep
}

// TestSoak is the short soak: a tenth of the messages where the race detector takes ten times as long.
func TestSoak(t *testing.T) {
	o := Options{Messages: 200_000, Sends: 20_000, Seed: seedOf(t, 1)}
	if Race {
		o = Options{Messages: 20_000, Sends: 4000, Cuts: 300, Window: 600, InboxBytes: 300_000, Conversations: 100, ReplyTimeout: 250 * time.Millisecond, Seed: seedOf(t, 1)}
	}
	rep := soak(t, o)
	assert.GreaterOrEqual(t, rep.Cuts, 200, "connections cut")
}

// TestSoakWithoutPluralActions meets a server that refuses the two plural actions, so that everything goes out alone.
func TestSoakWithoutPluralActions(t *testing.T) {
	rep := soak(t, Options{
		Messages: 2000, Sends: 800, Cuts: 40, Window: 160, Conversations: 60, ReplyTimeout: 300 * time.Millisecond, Seed: seedOf(t, 2), Plain: true,
	})
	assert.Zero(t, rep.Faults["batch refused"])
}
