package inbox_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

func (r *rig) told(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Equal(r.t, want, r.letGo)
}

func TestStopTellsOfWhatWaitedForAnotherAttempt(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.handle = func(m string, _ int) error {
			if m == "slow" {
				time.Sleep(time.Minute)
			}
			return errHandler
		}
		r.offer("a", "parked", 0, taken)
		r.offer("a", "behind", 0, taken)
		r.offer("b", "slow", 0, taken)
		r.sleep(time.Second)
		r.Stop()
		r.told("parked")
		r.sleep(time.Minute)
		r.told("parked", "slow") // its verdict came too late
		r.Stop()
		r.told("parked", "slow")
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// A verdict may run the user's code, too, which may exit the goroutine there.
func TestSettleMayExitItsGoroutine(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		settle := r.settle
		r.settle = func(m string, attempt int, err error) inbox.Verdict {
			if m == "exits" {
				runtime.Goexit()
			}
			return settle(m, attempt, err)
		}
		r.offer("a", "exits", 0, taken)
		r.offer("b", "other", 0, taken)
		r.sleep(time.Minute)
		r.handled("exits", "other")
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// Who is told that Stop came before the verdict is told by the worker, who is counted until then.
func TestLetGoIsPartOfTheHandling(t *testing.T) {
	for name, hook := range map[string]func(){"slow": func() { time.Sleep(time.Hour) }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			run(t, 1, 1<<20, func(r *rig) {
				r.handle = func(string, int) error {
					time.Sleep(time.Minute)
					return errHandler
				}
				r.onLetGo = hook
				r.offer("a", "late", 0, taken)
				r.sleep(time.Second)
				r.Stop()
				r.sleep(2 * time.Minute)
				r.told("late")
				assert.Equal(t, name == "slow", r.Left().Handling == 1)
				r.sleep(2 * time.Hour)
				assert.Equal(t, inbox.Left{}, r.Left())
			})
		})
	}
}
