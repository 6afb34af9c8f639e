package inbox_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// detaching makes the handler of the given messages, in lane "a", detach them at each attempt and return.
func (r *rig) detaching(messages ...string) {
	quick := r.handle
	r.handle = func(m string, attempt int) error {
		for _, d := range messages {
			if m == d {
				r.Detach("a", m)
				return nil
			}
		}
		return quick(m, attempt)
	}
}

// A detached message does not hold up its lane. It stays in flight and counts until it is settled, but not as running.
func TestADetachedMessageLeavesItsLane(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		r.detaching("a1")
		for _, id := range []string{"a1", "a2", "a3"} {
			r.offer("a", id, 100, taken)
		}
		r.sleep(10 * time.Second)
		r.handled("a1", "a2", "a3")
		r.offer("a", "a1", 100, duplicate)
		assert.Equal(t, inbox.Len{Messages: 1}, r.Len())
		assert.Equal(t, inbox.Left{Used: 100 + overhead, IDs: 1, Lanes: 1, Messages: 1, Detached: 1}, r.Left())
		r.Settle("a1", inbox.Verdict{Then: inbox.Done})
		assert.Equal(t, inbox.Left{}, r.Left())
		assert.False(t, r.InFlight("a1"))
	})
}

// A retry waits and runs beside its lane. It may be detached again.
func TestADetachedMessageIsRetriedBesideItsLane(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		r.detaching("a1")
		r.offer("a", "a1", 100, taken)
		r.sleep(0)
		note := new(int)
		r.Settle("a1", inbox.Verdict{Then: inbox.Retry, After: 10 * time.Second, Note: note})
		assert.Equal(t, 1, r.backoffs)
		r.offer("a", "a2", 100, taken)
		r.sleep(5 * time.Second)
		r.handled("a1", "a2")
		assert.Equal(t, inbox.Len{Messages: 1, Waiting: 1, Delayed: 1, OldestWaiting: 5 * time.Second}, r.Len())
		r.sleep(5 * time.Second)
		r.handled("a1/2")
		r.offer("a", "a3", 100, taken)
		r.sleep(time.Second)
		r.handled("a3")
		r.Settle("a1", inbox.Verdict{Then: inbox.Keep})
		assert.Equal(t, inbox.Left{Manual: 1}, r.Left())
	})
}

// The goroutine that detached a message may run on, or end with Goexit. It is no worker any more.
func TestTheGoroutineOfADetachedMessage(t *testing.T) {
	for name, rest := range map[string]func(){"runs": func() { time.Sleep(time.Hour) }, "exits": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			run(t, 1, 1<<20, func(r *rig) {
				quick := r.handle
				r.handle = func(m string, attempt int) error {
					if m != "a1" {
						return quick(m, attempt)
					}
					r.Detach("a", m)
					rest()
					return errHandler
				}
				r.offer("a", "a1", 100, taken)
				r.offer("a", "a2", 100, taken)
				r.sleep(time.Minute)
				r.handled("a1", "a2")
				assert.Equal(t, 0, r.Left().Workers)
				r.Settle("a1", inbox.Verdict{})
				r.sleep(2 * time.Hour)
				assert.Equal(t, inbox.Left{}, r.Left())
				r.offer("a", "a3", 100, taken)
				r.sleep(time.Second)
				r.handled("a3")
			})
		})
	}
}

// The next attempt may begin before the goroutine of the first has returned. Its return changes nothing.
func TestADetachedMessageIsRetriedWhileItsHandlerRuns(t *testing.T) {
	run(t, 2, 1<<20, func(r *rig) {
		r.handle = func(m string, attempt int) error {
			if attempt == 1 {
				r.Detach("a", m)
				r.Settle(m, inbox.Verdict{Then: inbox.Retry, After: time.Second})
				time.Sleep(2 * time.Second)
				return nil
			}
			time.Sleep(time.Minute)
			return errHandler
		}
		r.offer("a", "a1", 100, taken)
		r.sleep(30 * time.Second)
		r.handled("a1", "a1/2")
		assert.Equal(t, inbox.Len{Messages: 1, Handling: 1, OldestHandler: 29 * time.Second}, r.Len())
		r.sleep(35 * time.Second)
		assert.Equal(t, 1, r.Len().Waiting, "the second attempt failed")
	})
}

// The end waits for a detached message, and releases it if it is to be retried.
func TestStopWaitsForADetachedMessage(t *testing.T) {
	for name, v := range map[string]inbox.Verdict{
		"done": {}, "retry": {Then: inbox.Retry}, "acknowledged": {Then: inbox.Retry, Acked: true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 1, 1<<20, func(r *rig) {
				r.detaching("a1")
				r.offer("a", "a1", 100, taken)
				r.sleep(0)
				r.Stop()
				idle := r.Idle()
				r.sleep(time.Minute)
				select {
				case <-idle:
					assert.Fail(t, "idle, although a message is detached")
				default:
				}
				assert.Equal(t, 1, r.Left().Detached)
				r.Settle("a1", v)
				<-idle
				assert.Equal(t, inbox.Left{}, r.Left())
				assert.Equal(t, v.Acked, len(take(r, &r.released)) == 1)
			})
		})
	}
}

func TestAbandonCountsDetachedMessages(t *testing.T) {
	run(t, 1, 1<<20, func(r *rig) {
		r.detaching("a1")
		r.offer("a", "a1", 100, taken)
		r.sleep(0)
		r.Stop()
		assert.Equal(t, 1, r.Abandon())
		r.Settle("a1", inbox.Verdict{})
	})
}

// A lane that is closed stays closed when its first message is detached, and is due when it has shrunk enough.
func TestAClosedLaneStaysClosedAfterADetach(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		detach := make(chan struct{})
		quick := r.handle
		r.handle = func(m string, attempt int) error {
			if m == "a1" {
				<-detach
				r.Detach("a", m)
				return nil
			}
			return quick(m, attempt)
		}
		r.offer("a", "a1", 4000-overhead, taken)
		r.offer("a", "a2", 3000-overhead, taken)
		r.offer("a", "a3", 4000-overhead, rejected)
		r.due()
		close(detach)
		r.sleep(0)
		r.due("lane")
		r.offer("a", "a4", 0, rejected)
		r.sleep(2 * time.Second)
		r.offer("a", "a5", 0, rejected)
		r.Reopen()
		r.offer("a", "a3", 4000-overhead, taken)
		r.sleep(time.Second)
		r.handled("a1", "a2", "a3")
		r.Settle("a1", inbox.Verdict{})
	})
}

// Detached messages that fill the box close all of it, because none of them can be released.
func TestDetachedMessagesFillTheBox(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.detaching("a1", "a2")
		r.offer("a", "a1", 4500-overhead, taken)
		r.offer("a", "a2", 4500-overhead, taken)
		r.sleep(0)
		r.offer("b", "b1", 2000-overhead, rejected)
		assert.True(t, r.Stuck())
		r.Settle("a1", inbox.Verdict{})
		r.due("whole")
		r.Reopen()
		r.offer("b", "b1", 2000-overhead, taken)
		r.sleep(time.Second)
		r.Settle("a2", inbox.Verdict{})
	})
}

// Ids come from the network. Whatever they contain, detached messages are told apart by them.
func TestDetachedMessagesWithHostileNames(t *testing.T) {
	run(t, 4, 1<<20, func(r *rig) {
		lanes := map[string]string{"y\x00z": "x", "z": "x\x00y", "1": "", "x": "1"}
		r.handle = func(m string, attempt int) error {
			if attempt == 1 {
				r.Detach(lanes[m], m)
			}
			return nil
		}
		for m, lane := range lanes {
			r.offer(lane, m, 0, taken)
		}
		r.sleep(0)
		assert.Equal(t, 4, r.Left().Detached)
		for m := range lanes {
			r.Settle(m, inbox.Verdict{Then: inbox.Retry, After: time.Second})
		}
		r.sleep(time.Second)
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// A detached message in backoff is released for another one like any failing message. Redelivered, it waits on beside
// its lane.
func TestADetachedMessageInBackoffIsReleased(t *testing.T) {
	run(t, 1, 10_000, func(r *rig) {
		r.detaching("a1")
		r.offer("a", "a1", 9000-overhead, taken)
		r.sleep(0)
		r.Settle("a1", inbox.Verdict{Then: inbox.Retry, After: 10 * time.Second})
		r.offer("b", "b1", 2000-overhead, taken)
		assert.False(t, r.InFlight("a1"))
		assert.True(t, r.Stuck(), "the server must redeliver it")
		r.offer("a", "a1", 9000-overhead, rejected)
		r.offer("a", "a2", 0, taken) // its lane is open
		r.sleep(2 * time.Second)
		r.handled("a1", "b1", "a2")
		r.Reopen()
		r.offer("a", "a1", 9000-overhead, taken)
		r.offer("a", "a3", 0, taken)
		r.sleep(time.Second)
		r.handled("a3")
		r.sleep(10 * time.Second)
		r.handled("a1/2")
		r.Settle("a1", inbox.Verdict{})
		assert.Equal(t, inbox.Left{}, r.Left())
	})
}

// Time after Detach does not make a handler slow. A slow retry is reported under its own lane.
func TestADetachedMessageIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan string, 2)
		var b *inbox.Box[string]
		b = inbox.New(inbox.Config[string]{
			Workers: 1, Bytes: 1 << 20, OnBackoff: func() {}, Due: func(bool) {},
			SlowAfter: time.Minute,
			Slow: func(key, id string, running time.Duration, busy int) {
				slow <- fmt.Sprint(key, " ", id, " ", running, " ", busy)
			},
			Handle: func(m string, attempt int, _ *inbox.Verdict) {
				if attempt == 1 {
					b.Detach("a", m)
					time.Sleep(time.Hour)
					b.Settle(m, inbox.Verdict{Then: inbox.Retry})
					return
				}
				time.Sleep(2 * time.Minute)
			},
		})
		b.Offer("a", "a1", 100, "a1")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Empty(t, slow)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Len(t, slow, 1)
		assert.Equal(t, "a a1 1m0s 1", <-slow)
		b.Stop()
	})
}

// A conversation waits for its failing message, also while that is released. It does not wait for a detached one.
func TestLanesThatAreHeldUp(t *testing.T) {
	run(t, 4, 10_000, func(r *rig) {
		r.failing()
		r.offer("f", "f", 9000-overhead, taken)
		r.sleep(2 * time.Second)
		want := func(lanes int, oldest time.Duration) {
			t.Helper()
			gotLanes, gotOldest := r.HeldUp()
			assert.Equal(t, lanes, gotLanes)
			assert.Equal(t, oldest, gotOldest)
		}
		want(1, 2*time.Second)
		r.offer("m", "m", 2000-overhead, taken)
		r.sleep(time.Second)
		assert.False(t, r.InFlight("f"))
		want(1, 3*time.Second)
		r.Reopen()
		want(0, 0)
		r.detaching("a1")
		r.offer("a", "a1", 100, taken)
		r.sleep(0)
		r.Settle("a1", inbox.Verdict{Then: inbox.Retry, After: 10 * time.Second})
		want(0, 0)
	})
}
