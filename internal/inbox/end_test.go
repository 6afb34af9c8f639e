package inbox_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

func TestGoexitReplacesTheWorker(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		var got []error
		r.handle = func(m string, attempt int) error {
			if attempt == 1 && m != "last" {
				runtime.Goexit()
			}
			return nil
		}
		settle := r.settle
		r.settle = func(m string, attempt int, err error) inbox.Verdict {
			got = append(got, err)
			return settle(m, attempt, err)
		}
		r.offer("a", "a", 1, taken)
		r.offer("b", "b", 1, taken)
		r.offer("c", "last", 1, taken)
		r.handled("a", "b", "last")
		assert.Zero(t, r.Left().Workers)
		r.sleep(10 * time.Second)
		assert.ElementsMatch(t, []string{"a/2", "b/2"}, take(r, &r.began))
		assert.Equal(t, []error{errGoexit, errGoexit, nil, nil, nil}, got)
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

func TestStopReleasesMessages(t *testing.T) {
	for _, then := range []inbox.Then{inbox.Done, inbox.Keep, inbox.Retry} {
		run(t, 2, 3000, func(r *rig) {
			r.handle = func(m string, _ int) error {
				if m == "failing" {
					return errHandler
				}
				time.Sleep(time.Second)
				return nil
			}
			settle := r.settle
			r.settle = func(m string, attempt int, err error) inbox.Verdict {
				if m == "failing" {
					return settle(m, attempt, err)
				}
				return inbox.Verdict{Then: then, After: time.Second}
			}
			r.Hold("in flight")
			r.offer("a", "failing", 1, taken)
			r.offer("a", "behind", 1, taken)
			synctest.Wait()
			r.offer("b", "running", 100, taken)
			r.offer("b", "queued", 100, taken)
			r.offer("c", "large", 2000, rejected)
			r.handled("failing", "running")

			r.Stop()
			assert.Equal(t, inbox.Left{
				Used: overhead + 100 + overhead, IDs: 2, Lanes: 1, Closed: 1, Workers: 1, Messages: 1, Handling: 1,
			}, r.Left())
			idle := r.Idle()
			select {
			case <-idle:
				assert.Fail(t, "idle during an attempt")
			default:
			}
			for _, id := range []string{"failing", "behind", "queued", "large", "new"} {
				r.offer("a", id, 1, rejected)
			}
			r.offer("a", "running", 1, duplicate)
			r.offer("a", "in flight", 1, duplicate)
			<-idle
			<-r.Idle()
			time.Sleep(time.Hour)
			r.handled()
			r.due()
			assert.Equal(t, []string{"failing", "running"}, take(r, &r.settled), "verdict of the running attempt")
			r.Release("in flight")
			assert.Zero(t, r.Left().Used)
			r.Stop()
		})
	}
}

func TestAbandonDiscardsResults(t *testing.T) {
	run(t, 3, 1<<20, func(r *rig) {
		r.handle = func(m string, _ int) error {
			time.Sleep(time.Hour)
			switch m {
			case "exits":
				runtime.Goexit()
			case "fails":
				return errHandler
			}
			return nil
		}
		for _, m := range []string{"returns", "fails", "exits"} {
			r.offer(m, m, 1, taken)
		}
		r.offer("returns", "queued", 1, taken)
		synctest.Wait()
		r.Stop()
		assert.Equal(t, 3, r.Abandon())
		<-r.Idle()
		assert.Equal(t, 0, r.Abandon())
		assert.Empty(t, take(r, &r.settled))
		assert.Len(t, take(r, &r.began), 3)
	})
}

func TestIdleWithoutWork(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		<-r.Idle()
		r.offer("l", "m", 1, taken)
		first, second := r.Idle(), r.Idle()
		start := time.Now()
		<-first
		<-second
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestStopAsALaneWakes(t *testing.T) {
	for range 200 {
		run(t, 4, 1<<20, func(r *rig) {
			r.handle = func(string, int) error { return errHandler }
			for _, lane := range []string{"a", "b", "c", "d"} {
				r.offer(lane, lane, 1, taken)
			}
			synctest.Wait()
			time.Sleep(10 * time.Second) // all of them become due now
			r.Stop()
			<-r.Idle()
			assert.Equal(t, inbox.Left{}, r.Left())
		})
	}
}
