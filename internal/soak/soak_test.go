//go:build soak

package soak

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seedOf returns the seed of a run: a fixed one, so that the same faults are met every time, unless SOAK_SEED says
// another.
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

// soak runs, prints and asserts. With SOAK_JSON, it writes the report into that directory; with SOAK_FAIL_FAST, it is
// for builds that are expected to fail.
func soak(t *testing.T, o Options) *Report {
	t.Helper()
	if os.Getenv("SOAK_FAIL_FAST") != "" {
		o.FailFast, o.Patience = true, 10*time.Second
	}
	rep, err := Run(t.Context(), o)
	require.NoError(t, err)
	t.Log(rep)
	if dir := os.Getenv("SOAK_JSON"); dir != "" {
		name := t.Name()
		if Race {
			name += "-race"
		}
		require.NoError(t, rep.Write(filepath.Join(dir, name+".json")))
	}
	for _, v := range rep.Violations {
		t.Error(v)
	}
	assert.Zero(t, rep.ViolationCount)
	return rep
}

// TestSoak is the short soak: a fifth of the messages where the race detector takes ten times as long.
func TestSoak(t *testing.T) {
	o := Options{Messages: 100_000, Sends: 10_000, Cuts: 100}
	if Race {
		o = Options{Messages: 20_000, Sends: 4000, Cuts: 100, Window: 600, InboxBytes: 200_000, Conversations: 100}
	}
	o.Seed = seedOf(t, 1)
	rep := soak(t, o)
	assert.GreaterOrEqual(t, rep.Cuts, 70, "connections cut")
}

// TestSoakWithoutPluralActions meets a server that refuses the two plural actions, so that everything goes out alone.
func TestSoakWithoutPluralActions(t *testing.T) {
	rep := soak(t, Options{
		Messages: 2000, Sends: 800, Cuts: 10, Window: 160, InboxBytes: 40_000, Conversations: 60, SickEvery: 1000,
		Processes: 2, Seed: seedOf(t, 2), Plain: true,
	})
	assert.Zero(t, rep.Faults["batch refused"])
}
