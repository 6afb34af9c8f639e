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

// seedOf returns the fixed seed of a run, for the same faults every time, or SOAK_SEED if that is set.
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

// soak performs a run and asserts that there is no violation. If SOAK_JSON is set, it writes the report into that
// directory. SOAK_FAIL_FAST is for builds that are expected to fail.
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

// TestSoak is the short soak. The race detector makes it ten times slower, so it then has a fifth of the messages.
func TestSoak(t *testing.T) {
	o := Options{Messages: 100_000, Sends: 10_000, Cuts: 100}
	if Race {
		o = Options{Messages: 20_000, Sends: 4000, Cuts: 100, Window: 600, InboxBytes: 200_000, Conversations: 100}
	}
	o.Seed = seedOf(t, 1)
	rep := soak(t, o)
	assert.GreaterOrEqual(t, rep.Cuts, 70, "connections cut")
}

// TestSoakWithoutPluralActions uses a server that rejects the two plural actions, so that everything is sent in single
// requests.
func TestSoakWithoutPluralActions(t *testing.T) {
	rep := soak(t, Options{
		Messages: 2000, Sends: 800, Cuts: 10, Window: 160, InboxBytes: 40_000, Conversations: 60, FailingEvery: 1000,
		Processes: 2, Seed: seedOf(t, 2), Plain: true,
	})
	assert.Zero(t, rep.Faults["batch rejected"])
}
