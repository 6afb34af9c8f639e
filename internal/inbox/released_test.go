package inbox_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

func (r *rig) wantReleased(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Equal(r.t, want, r.released)
}

// acked makes every message acknowledged before its handler runs.
func (r *rig) acked() {
	settle := r.settle
	r.settle = func(m string, attempt int, err error) inbox.Verdict {
		v := settle(m, attempt, err)
		v.Acked = true
		return v
	}
}

func TestStopReportsAcknowledgedMessagesInBackoff(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.acked()
		r.handle = func(m string, _ int) error {
			if m == "slow" {
				time.Sleep(time.Minute)
			}
			return errHandler
		}
		r.offer("a", "failing", 0, taken)
		r.offer("a", "behind", 0, taken)
		r.offer("b", "slow", 0, taken)
		r.sleep(time.Second)
		r.Stop()
		r.sleep(0)
		r.wantReleased("failing")
		r.sleep(time.Minute)
		r.wantReleased("failing", "slow") // its verdict came after Stop
		r.Stop()
		r.wantReleased("failing", "slow")
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// A message that was not acknowledged is redelivered, so OnReleased is not called for it.
func TestStopReportsNothingThatIsRedelivered(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.handle = func(m string, _ int) error {
			if m == "slow" {
				time.Sleep(time.Minute)
			}
			return errHandler
		}
		r.offer("a", "failing", 0, taken)
		r.offer("b", "slow", 0, taken)
		r.sleep(time.Second)
		r.Stop()
		assert.Equal(t, 1, r.Abandon(), "the slow attempt is running")
		r.sleep(2 * time.Minute)
		r.wantReleased()
	})
}

// OnReleased may block. Stop does not wait for it, and its messages count as running until it returns.
func TestStopDoesNotWaitForOnReleased(t *testing.T) {
	for name, hook := range map[string]func(){
		"slow":  func() { time.Sleep(time.Hour) },
		"exits": func() { time.Sleep(time.Hour); runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 2, 1<<20, func(r *rig) {
				r.acked()
				r.handle = func(string, int) error { return errHandler }
				r.onReleased = hook
				for _, m := range []string{"a", "b", "c"} {
					r.offer(m, m, 0, taken)
				}
				r.sleep(time.Second)
				began := time.Now()
				r.Stop()
				assert.Zero(t, time.Since(began))
				idle := r.Idle()
				r.sleep(90 * time.Minute)
				assert.Len(t, take(r, &r.released), 2)
				assert.Equal(t, inbox.Left{Workers: 1, Handling: 2}, r.Left())
				assert.Equal(t, 2, r.Abandon())
				<-idle
				assert.Equal(t, 3*time.Hour, time.Since(began))
				assert.Len(t, take(r, &r.released), 1)
			})
		})
	}
}

// The code that sets the verdict may end the goroutine.
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

// If Stop came before the verdict, the worker calls OnReleased, and its attempt counts as running until then.
func TestOnReleasedCountsAsHandling(t *testing.T) {
	for name, hook := range map[string]func(){"slow": func() { time.Sleep(time.Hour) }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			run(t, 1, 1<<20, func(r *rig) {
				r.handle = func(string, int) error {
					time.Sleep(time.Minute)
					return errHandler
				}
				r.onReleased = hook
				r.acked()
				r.offer("a", "late", 0, taken)
				r.sleep(time.Second)
				r.Stop()
				r.sleep(2 * time.Minute)
				r.wantReleased("late")
				assert.Equal(t, name == "slow", r.Left().Handling == 1)
				r.sleep(2 * time.Hour)
				assert.Equal(t, inbox.Left{}, r.Left())
			})
		})
	}
}
