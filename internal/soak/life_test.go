package soak

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// realTimes are the times of a client in production. In a testing/synctest bubble they take no real time.
var realTimes = times{
	reply: 20 * time.Second, failing: 10 * time.Minute, pushPause: 3 * time.Second, poll: time.Second,
}

// life returns the options of one short run: hundreds of messages, few conversations, and several processes.
func life(seed uint64) Options {
	s := script{seed: seed}
	messages := 80 + s.draw(forMode, 1, 200)
	window := 20 + s.draw(forMode, 2, 200)
	return Options{
		Messages: messages, Sends: 80 + s.draw(forMode, 3, 120),
		Batch: 5, Often: 10, Seed: seed, Cuts: 1 + s.draw(forMode, 4, 30),
		Conversations: 1 + s.draw(forMode, 5, 20), FailingEvery: messages/2 + 1, Processes: 2 + s.draw(forMode, 6, 4),
		Window: window, InboxBytes: int64(window) * 400, Patience: 3 * time.Hour,
	}
}

// runLife performs one short run in virtual time.
func runLife(t *testing.T, seed uint64) (rep *Report) {
	synctest.Test(t, func(t *testing.T) {
		o := life(seed).withDefaults()
		r, err := start(o, realTimes, newMemory())
		require.NoError(t, err)
		rep, err = r.finish(t.Context(), r.runProcesses(t.Context()))
		require.NoError(t, err)
		rep.Violations, rep.ViolationCount = r.list()
	})
	return rep
}

// TestLives performs many short runs. LIFE_SEED=7 runs only the one with that seed; LIVES sets the number of runs.
func TestLives(t *testing.T) {
	first, lives := 1, 100
	if Race { // nine times slower
		lives = 15
	}
	if text := os.Getenv("LIVES"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "LIVES")
		lives = n
	}
	if text := os.Getenv("LIFE_SEED"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "LIFE_SEED")
		first, lives = n, 1
	}
	var mu sync.Mutex
	faults := make(map[string]uint64)
	t.Run("all", func(t *testing.T) {
		for seed := first; seed < first+lives; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				rep := runLife(t, uint64(seed))
				for _, v := range rep.Violations {
					if v.Name != NotFired {
						t.Error(v)
					}
				}
				if t.Failed() {
					t.Logf("LIFE_SEED=%d go test -run TestLives ./internal/soak runs it again", seed)
				}
				mu.Lock()
				defer mu.Unlock()
				for name, n := range rep.Faults {
					faults[name] += n
				}
			})
		}
	})
	if lives < 100 || t.Failed() {
		return // too few runs to have every fault
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Logf("%-40s %d", name, faults[name])
		if !strings.HasPrefix(name, "slice") { // pipes slice all data
			assert.NotZero(t, faults[name], name)
		}
	}
}
