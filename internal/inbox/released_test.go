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
	assert.Equal(r.t, want, r.reportReleased)
}

// acked lets every message be acknowledged before its handler runs.
func (r *rig) acked() {
	settle := r.settle
	r.settle = func(m string, attempt int, err error) inbox.Verdict {
		v := settle(m, attempt, err)
		v.Acked = true
		return v
	}
}

func TestStopTellsOfWhatWaitedForAnotherAttempt(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.acked()
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
		r.sleep(0)
		r.told("parked")
		r.sleep(time.Minute)
		r.told("parked", "slow") // its verdict came too late
		r.Stop()
		r.told("parked", "slow")
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// What was not acknowledged comes again.
func TestStopTellsOfNothingThatComesAgain(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.handle = func(m string, _ int) error {
			if m == "slow" {
				time.Sleep(time.Minute)
			}
			return errHandler
		}
		r.offer("a", "parked", 0, taken)
		r.offer("b", "slow", 0, taken)
		r.sleep(time.Second)
		r.Stop()
		assert.Equal(t, 1, r.Abandon(), "the slow one")
		r.sleep(2 * time.Minute)
		r.told()
	})
}

// Who is told may block: Stop does not, and those that are not told of yet count as being handled.
func TestStopDoesNotWaitForLetGo(t *testing.T) {
	for name, hook := range map[string]func(){
		"slow":  func() { time.Sleep(time.Hour) },
		"exits": func() { time.Sleep(time.Hour); runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 2, 1<<20, func(r *rig) {
				r.acked()
				r.handle = func(string, int) error { return errHandler }
				r.onLetGo = hook
				for _, m := range []string{"a", "b", "c"} {
					r.offer(m, m, 0, taken)
				}
				r.sleep(time.Second)
				began := time.Now()
				r.Stop()
				assert.Zero(t, time.Since(began))
				idle := r.Idle()
				r.sleep(90 * time.Minute)
				assert.Len(t, take(r, &r.reportReleased), 2)
				assert.Equal(t, inbox.Left{Workers: 1, Handling: 2}, r.Left())
				assert.Equal(t, 2, r.Abandon())
				<-idle
				assert.Equal(t, 3*time.Hour, time.Since(began))
				assert.Len(t, take(r, &r.reportReleased), 1)
			})
		})
	}
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
				r.acked()
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
