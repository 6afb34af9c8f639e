package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// jobRig is a bot with a Jobs and the command /stop. Its job takes a minute, or until it is canceled.
type jobRig struct {
	*rig
	blaze.Jobs
	log diary // texts of jobs as they begin, and as they end with the error
	job blaze.Handler
}

func runJobs(t *testing.T, workers, queue int, edit func(*blaze.Config)) *jobRig {
	t.Helper()
	j := &jobRig{Jobs: blaze.Jobs{Workers: workers, Queue: queue}}
	j.job = func(ctx context.Context, m *blaze.Message) error {
		select {
		case <-time.After(time.Minute):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	j.rig = run(t, j.handler(), edit)
	return j
}

func (j *jobRig) handler() blaze.Handler {
	return blaze.Route(
		blaze.Command("/stop", func(_ context.Context, m *blaze.Message, _ string) error {
			j.log.add("stopped %d", j.Cancel(m))
			return nil
		}),
		blaze.Command("/note", func(context.Context, *blaze.Message, string) error {
			j.log.add("note")
			return nil
		}),
		j.Background(func(ctx context.Context, m *blaze.Message) (err error) {
			j.log.add("%s", textOf(m))
			defer func() { j.log.add("%s: %v", textOf(m), err) }()
			return j.job(ctx, m)
		}),
	)
}

// wantLog waits until every goroutine is blocked, and compares and clears the log.
func (j *jobRig) wantLog(want ...string) {
	j.t.Helper()
	synctest.Wait()
	assert.Equal(j.t, want, j.log.Take())
}

// Jobs of one conversation run one at a time and in order, those of others beside them. Conversations go on meanwhile.
func TestJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 2, 0, func(cfg *blaze.Config) { cfg.Workers = 1 })
		first := j.say("alice", "a1")
		for _, text := range []string{"a2", "b1", "c1", "b2"} {
			j.say(text[:1]+"lice", text)
			synctest.Wait()
		}
		j.say("alice", "/note")
		j.wantLog("a1", "b1", "note")
		assert.Contains(t, j.Pending(), first, "not acknowledged before the job has ended")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.ElementsMatch(t, []string{"a1: <nil>", "b1: <nil>", "a2", "c1"}, j.log.Take())
		time.Sleep(2 * time.Minute)
		assert.NotContains(t, j.Pending(), first)
		j.idle()
		assert.ElementsMatch(t, []string{"a2: <nil>", "c1: <nil>", "b2", "b2: <nil>"}, j.log.Take())
		assert.EqualValues(t, 6, j.Stats().Handled)
	})
}

// If the queue is full, the conversation waits. A conversation with a free worker does not need the queue.
func TestJobsWithAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 2, 1, nil)
		for _, text := range []string{"a1", "a2", "a3"} { // running, queued, waiting for the queue
			j.say("alice", text)
			synctest.Wait()
		}
		j.say("alice", "/note")
		j.say("bob", "b1")
		j.wantLog("a1", "b1")
		assert.Equal(t, 1, j.Stats().HandlersRunning)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.ElementsMatch(t, []string{"a1: <nil>", "b1: <nil>", "a2", "note"}, j.log.Take())
		assert.Zero(t, j.Stats().HandlersRunning)
		time.Sleep(2 * time.Minute)
		j.idle()
	})
}

// Cancel ends the running job, the queued one and the one that waits for the queue, of its conversation only.
func TestCancelJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 1, 2, nil)
		for _, text := range []string{"a1", "a2", "b1", "b2"} {
			j.say(text[:1]+"lice", text)
			synctest.Wait()
		}
		j.wantLog("a1")
		assert.Equal(t, 1, j.Stats().HandlersRunning, "b2 waits for the queue")
		j.say("alice", "/stop")
		synctest.Wait()
		got := j.log.Take()
		assert.ElementsMatch(t, []string{"stopped 2", "a1: " + blaze.ErrCanceled.Error(), "b1"}, got)
		j.say("alice", "/stop")
		j.wantLog("stopped 0")
		time.Sleep(time.Second) // acknowledgements are collected
		require.Len(t, j.Pending(), 2)
		j.say("blice", "b3")
		synctest.Wait()
		assert.Equal(t, 0, j.Stats().HandlersRunning)
		j.say("blice", "b4")
		synctest.Wait()
		assert.Equal(t, 1, j.Stats().HandlersRunning, "b4 waits for the queue")
		j.Cancel(&blaze.Message{BotID: j.AppID(), ConversationID: j.ConversationWith(userID("blice"))})
		j.idle()
		j.wantLog("b1: " + blaze.ErrCanceled.Error())
		s := j.Stats()
		assert.EqualValues(t, []uint64{8, 0, 0}, []uint64{s.Handled, s.Failed, s.Dropped})
	})
}

// The result of a canceled job does not count: it may return nil, an error or a panic.
func TestTheResultOfACanceledJob(t *testing.T) {
	for name, end := range map[string]func() error{
		"nil": func() error { return nil }, "an error": func() error { return errAny },
		"a panic": func() error { panic("at the disco") },
	} {
		bubble(t, name, func(t *testing.T) {
			j := runJobs(t, 0, 0, nil)
			j.job = func(ctx context.Context, _ *blaze.Message) error {
				<-ctx.Done()
				assert.ErrorIs(t, context.Cause(ctx), blaze.ErrCanceled)
				time.Sleep(time.Second)
				return end()
			}
			j.say("alice", "a1")
			synctest.Wait()
			j.say("alice", "/stop")
			time.Sleep(500 * time.Millisecond) // acknowledgements are collected
			assert.Len(t, j.Pending(), 1, "the job has not ended")
			j.idle()
			s := j.Stats()
			assert.EqualValues(t, []uint64{2, 0}, []uint64{s.Handled, s.Failed})
		})
	}
}

// A job that failed is retried, and Cancel ends that. Later messages are not canceled.
func TestCancelAJobThatWaitsForItsNextAttempt(t *testing.T) {
	for _, stop := range []bool{false, true} {
		bubble(t, fmt.Sprint("stop ", stop), func(t *testing.T) {
			j := runJobs(t, 0, 0, nil)
			j.job = func(_ context.Context, m *blaze.Message) error {
				if m.Attempt == 1 {
					return errAny
				}
				return nil
			}
			j.say("alice", "a1")
			j.wantLog("a1", "a1: something went wrong")
			if stop {
				time.Sleep(time.Millisecond)
				j.say("alice", "/stop")
				j.wantLog("stopped 0")
			}
			time.Sleep(10 * time.Millisecond)
			j.say("alice", "a2")
			j.idle()
			want := []string{"a2", "a2: something went wrong", "a2", "a2: <nil>"}
			if !stop {
				want = append(want, "a1", "a1: <nil>")
			}
			assert.ElementsMatch(t, want, j.log.Take())
		})
	}
}

// A panic or a Goexit of a job is retried like an error, and the next job begins.
func TestJobsThatFail(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errAny }, "panic": func() error { panic("at the disco") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		bubble(t, name, func(t *testing.T) {
			j := runJobs(t, 1, 0, func(cfg *blaze.Config) { cfg.HandlerAttempts = 2 })
			j.job = func(_ context.Context, m *blaze.Message) error {
				if textOf(m) == "fails" {
					return fail()
				}
				return nil
			}
			j.say("alice", "fails")
			j.say("alice", "good")
			j.idle()
			s := j.Stats()
			assert.EqualValues(t, []uint64{1, 2, 1}, []uint64{s.Handled, s.Failed, s.Dropped})
		})
	}
}

// At the end of Run the running job finishes. Those that wait do not begin, and come again.
func TestJobsAtTheEndOfRun(t *testing.T) {
	for name, drain := range map[string]time.Duration{"in time": 2 * time.Minute, "too late": time.Second} {
		bubble(t, name, func(t *testing.T) {
			j := runJobs(t, 1, 2, func(cfg *blaze.Config) { cfg.Drain = drain })
			ids := make([]string, 4)
			for i := range ids {
				ids[i] = j.say("alice", fmt.Sprint("a", i))
				synctest.Wait()
			}
			began := time.Now()
			err := j.stop()
			if drain < time.Minute {
				require.ErrorIs(t, err, blaze.ErrDrain)
				assert.Equal(t, drain, time.Since(began))
				j.wantLog("a0", "a0: context canceled")
				assert.Equal(t, ids, j.Pending())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, time.Minute, time.Since(began))
			j.wantLog("a0", "a0: <nil>")
			assert.Equal(t, ids[1:], j.Pending())
			j.log.Take()
			next := prepareFor(t, j.Server, nil)
			next.start(t.Context(), j.handler())
			next.idle()
			j.wantLog("a1", "a1: <nil>", "a2", "a2: <nil>", "a3", "a3: <nil>")
		})
	}
}

// A context that ends while the queue is full makes Background return its cause.
func TestAJobWithAnEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := blaze.Jobs{Workers: 1, Queue: 1}
		h := jobs.Background(func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		})
		r := run(t, func(ctx context.Context, m *blaze.Message) error {
			if textOf(m) != "c" {
				return h(ctx, m)
			}
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, errAny)
			defer cancel()
			return h(ctx, m)
		}, nil)
		for _, text := range []string{"a", "b", "c"} {
			r.say(text, text)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, r.failures.all(), 1)
		assert.Contains(t, r.failures.all()[0], errAny.Error())
		r.idle()
	})
}

func TestMistakesWithJobs(t *testing.T) {
	assert.PanicsWithValue(t, "blaze: Jobs.Background: the handler is nil, or Workers or Queue is negative",
		func() { new(blaze.Jobs).Background(nil) })
	assert.Panics(t, func() {
		(&blaze.Jobs{Workers: -1}).Background(func(context.Context, *blaze.Message) error { return errors.New("") })
	})
}

// By default four jobs run and 1,024 wait.
func TestTheDefaultsOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 0, 0, nil)
		j.job = func(ctx context.Context, _ *blaze.Message) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		for i := range 4 + 1024 {
			j.say(fmt.Sprint(i), fmt.Sprint(i))
		}
		synctest.Wait()
		assert.Equal(t, 0, j.Stats().HandlersRunning)
		assert.Len(t, j.log.Take(), 4)
		j.say("one more", "one more")
		synctest.Wait()
		assert.Equal(t, 1, j.Stats().HandlersRunning)
		for _, user := range append([]string{"one more"}, numbers(4+1024)...) {
			j.Cancel(&blaze.Message{BotID: j.AppID(), ConversationID: j.ConversationWith(userID(user))})
		}
		j.idle()
	})
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return all
}

// A Cancel is remembered for an hour, and only the newest 10,000 are.
func TestStopsAreForgotten(t *testing.T) {
	for name, forget := range map[string]func(*blaze.Jobs){
		"an hour": func(*blaze.Jobs) { time.Sleep(time.Hour + time.Second) },
		"ten thousand others": func(jobs *blaze.Jobs) {
			for _, id := range numbers(10_000) {
				jobs.Cancel(&blaze.Message{ConversationID: id})
			}
		},
	} {
		bubble(t, name, func(t *testing.T) {
			jobs := new(blaze.Jobs)
			again := &blaze.Message{ConversationID: "one", CreatedAt: time.Now(), Attempt: 2}
			jobs.Cancel(&blaze.Message{ConversationID: "one", CreatedAt: time.Now().Add(time.Second)})
			require.True(t, blaze.WasCanceled(jobs, again))
			forget(jobs)
			assert.False(t, blaze.WasCanceled(jobs, again))
		})
	}
}

// A Message that is detached already, or was constructed by hand, is handled in place.
func TestJobsInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jobs blaze.Jobs
		fails := jobs.Background(func(context.Context, *blaze.Message) error { return errAny })
		require.ErrorIs(t, fails(t.Context(), new(blaze.Message)), errAny)
		inside := blaze.Jobs{Workers: 1, Queue: 1}
		r := run(t, inside.Background(inside.Background(func(_ context.Context, m *blaze.Message) error {
			if m.Attempt == 1 {
				return errAny
			}
			return nil
		})), nil)
		r.say("alice", "hi")
		r.idle()
		assert.EqualValues(t, 1, r.Stats().Failed)
	})
}

// A Ledger that ends the goroutine of Cancel loses no job.
func TestCancelWithALedgerThatExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 1, 10, func(cfg *blaze.Config) { cfg.Ledger = exitingLedger{} })
		for _, text := range []string{"a1", "a2", "a3", "a4"} {
			j.say("alice", text)
			synctest.Wait()
		}
		assert.Equal(t, 4, j.Cancel(&blaze.Message{
			BotID: j.AppID(), ConversationID: j.ConversationWith(userID("alice")),
		}))
		j.idle()
		assert.Zero(t, j.Stats().InboxMessages)
	})
}

type exitingLedger struct{}

func (exitingLedger) Handled(context.Context, string) (bool, error) { return false, nil }

func (exitingLedger) Record(context.Context, string) error {
	runtime.Goexit()
	return nil
}

// Failed jobs of one conversation that are retried while the queue is full do not hold the workers of the others.
func TestRetriesOfJobsHoldNoWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := runJobs(t, 1, 2, func(cfg *blaze.Config) { cfg.Workers, cfg.HandlerAttempts = 4, -1 })
		var slow atomic.Bool
		j.job = func(ctx context.Context, m *blaze.Message) error {
			if slow.Load() {
				<-ctx.Done()
			}
			return errAny
		}
		for i := range 10 {
			j.say("alice", fmt.Sprint(i))
		}
		synctest.Wait()
		slow.Store(true)
		time.Sleep(10 * time.Minute)
		j.log.Take()
		j.say("bob", "/note")
		j.wantLog("note")
		assert.Zero(t, j.Stats().HandlersRunning)
		j.Cancel(&blaze.Message{
			BotID: j.AppID(), ConversationID: j.ConversationWith(userID("alice")), CreatedAt: time.Now(),
		})
		j.idle()
	})
}

// The end of a Run ends its waiting jobs at once, although another Client with the same Jobs occupies the workers.
func TestJobsOfTwoClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := &blaze.Jobs{Workers: 1}
		h := jobs.Background(func(context.Context, *blaze.Message) error {
			time.Sleep(time.Minute)
			return nil
		})
		edit := func(cfg *blaze.Config) { cfg.Drain = 2 * time.Minute }
		a := run(t, h, edit)
		a.say("alice", "a")
		synctest.Wait()
		other := run(t, h, edit)
		id := other.say("bob", "b")
		synctest.Wait()
		began := time.Now()
		require.NoError(t, other.stop())
		assert.Less(t, time.Since(began), time.Second)
		assert.Equal(t, []string{id}, other.Pending())
		a.idle()
	})
}

// An error of the outer handler is the result. The job does not run.
func TestAnErrorAfterBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs, ran := blaze.Jobs{Workers: 1}, 0
		h := jobs.Background(func(_ context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(time.Minute)
			} else {
				ran++
			}
			return nil
		})
		r := run(t, func(ctx context.Context, m *blaze.Message) error {
			err := h(ctx, m)
			if textOf(m) == "dropped" {
				return blaze.ErrDrop
			}
			return err
		}, nil)
		r.say("alice", "slow")
		synctest.Wait()
		r.say("bob", "dropped")
		r.idle()
		assert.Zero(t, ran)
		assert.EqualValues(t, 1, r.Stats().Dropped)
	})
}
