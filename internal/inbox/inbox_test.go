package inbox_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

const (
	taken     = inbox.Taken
	duplicate = inbox.Duplicate
	rejected  = inbox.Rejected
	overhead  = inbox.Overhead
)

var (
	errHandler = errors.New("not now")
	errGoexit  = errors.New("exited")
)

// rig is a Box of strings, in which a message is its own id, with a record of events.
type rig struct {
	*inbox.Box[string]
	t *testing.T

	mu         sync.Mutex
	began      []string // handled messages, with the attempt if it is not the first
	settled    []string
	dues       []string // calls of Due: lane or whole
	backoffs   int
	released   []string
	onReleased func()
	most       int // maximum of concurrent attempts

	handle func(m string, attempt int) error
	settle func(m string, attempt int, err error) inbox.Verdict
}

// run runs a test in a synctest bubble. By default a handler runs for one second, and errors are retried after ten
// seconds.
func run(t *testing.T, workers int, bytes int64, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		r.handle = func(string, int) error {
			time.Sleep(time.Second)
			return nil
		}
		r.settle = func(_ string, _ int, err error) inbox.Verdict {
			if err != nil {
				return inbox.Verdict{Then: inbox.Retry, After: 10 * time.Second}
			}
			return inbox.Verdict{Then: inbox.Done}
		}
		r.Box = inbox.New(inbox.Config[string]{
			Workers: workers, Bytes: bytes,
			Handle: func(m string, attempt int, v *inbox.Verdict) {
				r.mu.Lock()
				r.began = append(r.began, named(m, attempt))
				r.most = max(r.most, r.Len().Handling)
				r.mu.Unlock()
				err := errGoexit
				defer func() {
					if r.Abandoned() || v.Detached() {
						return
					}
					*v = r.settle(m, attempt, err)
					r.mu.Lock()
					defer r.mu.Unlock()
					r.settled = append(r.settled, named(m, attempt))
				}()
				err = r.handle(m, attempt)
			},
			Due: func(whole bool) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.dues = append(r.dues, map[bool]string{false: "lane", true: "whole"}[whole])
			},
			OnBackoff: func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.backoffs++
			},
			OnReleased: func(m string) {
				r.mu.Lock()
				r.released = append(r.released, m)
				r.mu.Unlock()
				if r.onReleased != nil {
					r.onReleased()
				}
			},
		})
		test(r)
		r.Stop()
		<-r.Idle()
		left := r.Left()
		left.Manual, left.Closed = 0, 0
		assert.Equal(t, inbox.Left{}, left, "state after the end")
	})
}

func named(m string, attempt int) string {
	if attempt > 1 {
		return fmt.Sprintf("%s/%d", m, attempt)
	}
	return m
}

// take returns and clears one of the rig's lists.
func take(r *rig, list *[]string) []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := *list
	*list = nil
	return got
}

func (r *rig) offer(lane, id string, size int64, want inbox.Fate) {
	r.t.Helper()
	require.Equal(r.t, want, r.Offer(lane, id, int32(size), id), "%s in %s", id, lane)
}

// sleep advances the fake time by d and waits until every goroutine is blocked.
func (r *rig) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) handled(want ...string) {
	r.t.Helper()
	assert.Equal(r.t, want, take(r, &r.began))
}

func (r *rig) due(want ...string) {
	r.t.Helper()
	assert.Equal(r.t, want, take(r, &r.dues))
}

func TestLanesAreInOrderAndParallel(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		for _, id := range []string{"a1", "a2", "b1", "a3", "c1", "b2"} {
			r.offer(id[:1], id, 10, taken)
		}
		synctest.Wait()
		assert.Equal(t, inbox.Len{Messages: 6, Handling: 2}, r.Len())
		r.mu.Lock()
		assert.ElementsMatch(t, []string{"a1", "b1"}, r.began)
		r.began = nil
		r.mu.Unlock()
		r.sleep(time.Second)
		r.mu.Lock()
		assert.Contains(t, r.began, "c1", "it has been ready longest")
		r.mu.Unlock()
		r.sleep(time.Minute)
		assert.Equal(t, inbox.Left{}, r.Left(), "state of an idle box")

		take(r, &r.began)
		for i := range 100 {
			r.offer(fmt.Sprint(i%3), fmt.Sprint(i), 10, taken)
		}
		r.sleep(2 * time.Minute)
		assert.Equal(t, inbox.Left{}, r.Left())
		last := map[string]int{}
		for _, m := range take(r, &r.began) {
			var i int
			_, err := fmt.Sscan(m, &i)
			require.NoError(t, err)
			lane := fmt.Sprint(i % 3)
			assert.Greater(t, i+1, last[lane])
			last[lane] = i + 1
		}
		assert.Equal(t, 2, r.most)
	})
}

func TestWorkersAreStartedOnDemand(t *testing.T) {
	run(t, 100, 1<<20, func(r *rig) {
		assert.Zero(t, r.Left().Workers)
		for lanes := range 5 {
			r.offer(fmt.Sprint("lane", lanes), fmt.Sprint("m", lanes), 1, taken)
			synctest.Wait()
			assert.Equal(t, lanes+1, r.Left().Workers)
		}
		for i := range 10 {
			r.offer("lane0", fmt.Sprint("n", i), 1, taken)
		}
		synctest.Wait()
		assert.Equal(t, 5, r.Left().Workers)
		r.sleep(time.Second)
		assert.Equal(t, 1, r.Left().Workers, "one lane has messages")
		r.sleep(10 * time.Second)
		assert.Zero(t, r.Left().Workers)
	})
}

func TestDuplicates(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		r.handle = func(m string, attempt int) error {
			time.Sleep(time.Second)
			if m == "failing" && attempt == 1 {
				return errHandler
			}
			return nil
		}
		r.settle = func(m string, attempt int, err error) inbox.Verdict {
			switch {
			case err != nil:
				return inbox.Verdict{Then: inbox.Retry, After: time.Minute}
			case m == "manual":
				return inbox.Verdict{Then: inbox.Keep}
			}
			r.Hold(m)
			return inbox.Verdict{Then: inbox.Done}
		}
		r.offer("l", "failing", 1, taken)
		r.offer("m", "queued", 1, taken)
		r.offer("m", "manual", 1, taken)
		synctest.Wait()
		r.offer("l", "failing", 1, duplicate) // its attempt is running
		r.offer("m", "queued", 1, duplicate)
		r.offer("other lane", "queued", 1, duplicate)
		r.sleep(3 * time.Second)
		r.handled("failing", "queued", "manual")
		r.offer("l", "failing", 1, duplicate)
		r.offer("m", "queued", 1, duplicate) // its acknowledgement is not confirmed
		r.offer("m", "manual", 1, duplicate)
		r.sleep(time.Minute)
		r.handled("failing/2")
		r.offer("l", "failing", 1, duplicate)

		r.Release("failing", "queued", "never seen", "manual")
		r.Forget("manual", "never seen")
		assert.Equal(t, inbox.Left{}, r.Left())
		for _, id := range []string{"failing", "queued", "manual"} {
			r.offer("l", id, 1, taken)
		}
		r.sleep(3 * time.Minute)
		r.Release("failing", "queued")
	})
}

func TestHoldReleaseForget(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		used := func(want int) {
			t.Helper()
			synctest.Wait()
			assert.Equal(t, want, r.Left().Used)
		}
		r.Hold("a") // an id without a message
		used(overhead)
		r.Hold("a") // a second acknowledgement of the same id
		used(overhead)
		r.Release("a")
		used(overhead)
		r.offer("l", "a", 1, duplicate)
		r.Release("a")
		used(0)
		r.Release("a", "a", "")
		used(0)

		r.offer("l", "b", 100, taken)
		used(overhead + 100)
		r.Hold("b") // acknowledged during its attempt
		used(overhead + 100)
		r.sleep(time.Second)
		used(overhead) // only the id is left
		r.Release("b")
		used(0)

		r.offer("l", "c", 100, taken)
		r.Hold("c")
		r.Release("c") // confirmed before its handler returned
		used(overhead + 100)
		r.offer("l", "c", 100, duplicate)
		r.sleep(time.Second)
		used(0)

		r.settle = func(string, int, error) inbox.Verdict { return inbox.Verdict{Then: inbox.Keep} }
		r.offer("l", "d", 100, taken)
		r.sleep(time.Second)
		used(0) // manual ids do not count
		assert.Equal(t, 1, r.Left().Manual)
		r.offer("l", "d", 100, duplicate)
		r.Forget("d")
		assert.Zero(t, r.Left().Manual)

		r.offer("l", "e", 100, taken)
		r.Forget("e") // acknowledged by its own handler
		r.offer("l", "e", 100, duplicate)
		r.sleep(time.Second)
		assert.Equal(t, inbox.Left{}, r.Left())
		r.offer("l", "e", 100, taken)
		r.sleep(time.Second)
		assert.Equal(t, inbox.Left{Manual: 1}, r.Left(), "only the earlier message was acknowledged early")

		r.offer("l", "f", 100, taken)
		r.Hold("f")
		r.sleep(time.Second)
		used(overhead)
		r.Forget("f")
		r.offer("l", "f", 100, duplicate) // its acknowledgement is still in flight
		r.Release("f")
		used(0)
		r.offer("l", "f", 100, taken)
		r.sleep(time.Second)
	})
}

func TestRetryBacksOffWithoutAWorker(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		var errs []error
		r.handle = func(m string, attempt int) error {
			if m == "a1" && attempt < 4 {
				return errHandler
			}
			return nil
		}
		settle := r.settle
		r.settle = func(m string, attempt int, err error) inbox.Verdict {
			errs = append(errs, err)
			return settle(m, attempt, err)
		}
		r.offer("a", "a1", 1, taken)
		r.offer("a", "a2", 1, taken)
		r.offer("b", "b1", 1, taken)
		r.handled("a1", "b1")
		assert.Equal(t, inbox.Left{Used: 2 * (overhead + 1), IDs: 2, Lanes: 1, Messages: 2},
			r.Left(), "a lane in backoff has no worker")
		r.offer("a", "a3", 1, taken)
		r.offer("b", "b2", 1, taken)
		r.sleep(10*time.Second - 1)
		r.handled("b2")
		r.sleep(1)
		r.handled("a1/2")
		r.sleep(10 * time.Second)
		r.handled("a1/3")
		r.sleep(10 * time.Second)
		r.handled("a1/4", "a2", "a3")
		assert.Equal(t, []error{errHandler, nil, nil, errHandler, errHandler, nil, nil, nil}, errs)
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// Lanes are not kept after they are empty, except for a bounded number of spare ones.
func TestSpareLanesAreBounded(t *testing.T) {
	run(t, 4, 1<<20, func(r *rig) {
		for i := range 1000 {
			require.Equal(t, taken, r.Offer(fmt.Sprint("lane ", i), fmt.Sprint(i), 1, fmt.Sprint(i)))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Zero(t, r.Left().Lanes)
		assert.LessOrEqual(t, r.Spare(), 64)
	})
}
