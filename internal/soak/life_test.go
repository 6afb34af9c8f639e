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

// real are the times of a life: those of a client that is given no others. In a bubble they pass at once.
var real = times{
	reply: 20 * time.Second, sick: 10 * time.Minute, pace: 3 * time.Second, look: time.Second,
}

// life returns the options of one: hundreds of messages, in few conversations, over some processes.
func life(seed uint64) Options {
	s := script{seed: seed}
	messages := 80 + s.draw(forMode, 1, 200)
	window := 20 + s.draw(forMode, 2, 200)
	return Options{
		Messages: messages, Sends: 80 + s.draw(forMode, 3, 120),
		Batch: 5, Often: 10, Seed: seed, Cuts: 1 + s.draw(forMode, 4, 30),
		Conversations: 1 + s.draw(forMode, 5, 20), SickEvery: messages/2 + 1, Processes: 2 + s.draw(forMode, 6, 4),
		Window: window, InboxBytes: int64(window) * 400, Patience: 3 * time.Hour,
	}
}

// live lets one bot live, in time that is not real, and returns what happened to it.
func live(t *testing.T, seed uint64) (rep *Report) {
	synctest.Test(t, func(t *testing.T) {
		o := life(seed).withDefaults()
		r, err := start(o, real, newMemory())
		require.NoError(t, err)
		rep, err = r.finish(t.Context(), r.live(t.Context()))
		require.NoError(t, err)
		rep.Violations, rep.ViolationCount = r.list()
	})
	return rep
}

// TestLives lets many bots live. LIFE_SEED=7 lets one of them live again; LIVES=2000 makes them more.
func TestLives(t *testing.T) {
	first, lives := 1, 100
	if Race { // takes nine times as long
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
				rep := live(t, uint64(seed))
				for _, v := range rep.Violations {
					if v.Name != NotFired {
						t.Error(v)
					}
				}
				if t.Failed() {
					t.Logf("LIFE_SEED=%d go test -run TestLives ./internal/soak lets it live again", seed)
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
		return // each fault comes sooner or later
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Logf("%-40s %d", name, faults[name])
		if !strings.HasPrefix(name, "slice") { // pipes slice all they carry
			assert.NotZero(t, faults[name], name)
		}
	}
}
