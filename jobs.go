package blaze

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// Defaults of Jobs.
const (
	jobWorkers = 4
	jobQueue   = 1024
)

// ErrCanceled is the cause (see [context.Cause]) of the context of a job that [Jobs.Cancel] ended.
var ErrCanceled = errors.New("blaze: the job was canceled")

// errEnding is the result of a job that did not begin because Run is ending.
var errEnding = errors.New("the job had not begun")

// Jobs runs slow handlers beside the conversations of their messages, such as requests to a language model:
//
//	jobs := &blaze.Jobs{Workers: 8}
//	return blaze.Route(
//		blaze.Command("/stop", func(ctx context.Context, m *blaze.Message, _ string) error {
//			jobs.Cancel(m)
//			return c.Reply(ctx, m, blaze.Text("Stopped."))
//		}),
//		jobs.Background(ask),
//	)
//
// The zero value is ready for use. Its methods are safe for concurrent use; the fields must not change after the first
// call. A Jobs may serve several handlers and Clients, and must not be copied.
type Jobs struct {
	Workers int // jobs that run at the same time; zero means 4
	Queue   int // jobs that wait for a worker or for another job of their conversation; zero means 1024

	mu      sync.Mutex
	waiting []*job // oldest first; those beyond Queue hold up their conversations
	running map[jobKey]*job
	stops   *ttlcache.Cache[jobKey, time.Time] // of Cancel: the time of its message
}

// jobKey is the conversation of a job, with its bot.
type jobKey struct{ bot, conversation string }

func keyOf(m *Message) jobKey { return jobKey{m.BotID, m.ConversationID} }

// Bounds of the memory for Cancel: a retry that starts later is not canceled.
const (
	maxStops = 10_000
	stopTTL  = time.Hour
)

// job is the handling of one message in the background.
type job struct {
	key     jobKey
	message *Message
	handler Handler
	ctx     context.Context
	cancel  context.CancelCauseFunc
	freed   chan struct{} // closed when the message no longer holds up its conversation

	// Guarded by Jobs.mu.
	settle   func(error) // ends the message; nil until freed
	err      error       // of Background, for a job that was freed because Run is ending
	canceled bool
	ended    bool   // the handler has returned
	undo     func() // ends the wait for the end of Run
}

// Background returns a Handler that detaches the message and runs h later, on another goroutine, with the values and
// the end of the same context. The conversation continues meanwhile. The result of h, or its panic, ends the message by
// the rules of [Handler]: it is not acknowledged before.
//
// Jobs begin in the order of their messages, at most one at a time in each conversation. If Queue is full, Background
// waits, and with it the conversation and one of Config.Workers. A retry is a new job. It does not wait for Queue, and
// runs beside later messages of the conversation.
//
// When Run's context ends, running jobs may finish within Config.Drain. Waiting jobs do not begin: their messages are
// redelivered on the next start or, with AckReceived, dropped.
//
// Middleware belongs inside, around h. Outside, it sees nil at once, and a timeout ends the job when Background
// returns. A job that returns [ErrNotHandled] declines the message, but [Route] does not try its other handlers. If the
// outer handler returns an error nevertheless, that is the result, and a job that has not begun does not run.
//
// A Message that is detached already, as within a job, and one constructed by hand are handled in place: Background
// returns the result of h. Background panics if h is nil or if a field of j is negative.
func (j *Jobs) Background(h Handler) Handler {
	if h == nil || j.Workers < 0 || j.Queue < 0 {
		mistake("Jobs.Background: the handler is nil, or Workers or Queue is negative")
	}
	return func(ctx context.Context, m *Message) error {
		//mutant:job-in-place
		if m.attempt == nil || !m.attempt.running() {
			return h(ctx, m)
		}
		//mutant:job-retry-canceled
		if j.wasCanceled(m) {
			return nil
		}
		one := j.add(ctx, m, h)
		select {
		case <-one.freed:
		case <-ctx.Done():
			if j.withdraw(one, nil) {
				return context.Cause(ctx)
			}
		}
		return one.err
	}
}

// Cancel ends all jobs of m's conversation, and returns how many. The context of a running job ends with the cause
// [ErrCanceled]; waiting jobs do not begin. Their messages are done, as if the handlers had returned nil. A job that
// failed before and waits for another attempt is canceled too, but not counted, if its message is older than m and the
// attempt is due within an hour. Cancel does not wait for the running job.
func (j *Jobs) Cancel(m *Message) int {
	running, waiting := j.remove(m)
	for _, one := range running {
		one.cancel(ErrCanceled)
	}
	for _, one := range waiting {
		one.release(nil, ErrCanceled)
	}
	return len(running) + len(waiting)
}

// remove removes the waiting jobs of a conversation and marks the running one as canceled.
func (j *Jobs) remove(m *Message) (running, waiting []*job) {
	key := keyOf(m)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recordStop(key, m.CreatedAt)
	if one := j.running[key]; one != nil && !one.ended && !one.canceled {
		one.canceled = true
		running = append(running, one)
	}
	j.waiting = slices.DeleteFunc(j.waiting, func(one *job) bool {
		if one.key == key {
			waiting = append(waiting, one)
			one.free(func(error) {}) // if its handler waits, that returns nil
		}
		return one.key == key
	})
	j.freeQueued()
	return running, waiting
}

// recordStop records a call of Cancel. The caller holds mu.
func (j *Jobs) recordStop(key jobKey, at time.Time) {
	if j.stops == nil {
		j.stops = ttlcache.New(
			ttlcache.WithCapacity[jobKey, time.Time](maxStops), ttlcache.WithTTL[jobKey, time.Time](stopTTL),
			ttlcache.WithDisableTouchOnHit[jobKey, time.Time](),
		)
	}
	if before := j.stops.Get(key); before == nil || before.Value().Before(at) {
		j.stops.Set(key, at, ttlcache.DefaultTTL)
	}
}

// wasCanceled reports whether Cancel was called for a newer message while m was waiting for another attempt.
func (j *Jobs) wasCanceled(m *Message) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if m.Attempt <= 1 || j.stops == nil {
		return false
	}
	stop := j.stops.Get(keyOf(m))
	return stop != nil && m.CreatedAt.Before(stop.Value())
}

// add adds a job.
func (j *Jobs) add(ctx context.Context, m *Message, h Handler) *job {
	one := &job{key: keyOf(m), message: m, handler: h, freed: make(chan struct{})}
	one.ctx, one.cancel = context.WithCancelCause(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	//mutant:job-ending
	one.undo = m.attempt.onStop(func() { j.withdraw(one, errEnding) })
	j.waiting = append(j.waiting, one)
	//mutant:job-retry-queue
	if m.Attempt > 1 {
		one.detach() // its conversation does not wait, so many of one conversation could wait, with a worker each
	}
	j.schedule()
	return one
}

// withdraw removes a waiting job, and reports whether it did. With an error, which is the result of the job, also if
// the message is detached; otherwise only if the handler waits.
func (j *Jobs) withdraw(one *job, err error) bool {
	if !j.removeWaiting(one, err) {
		return false
	}
	one.release(err, nil)
	return true
}

func (j *Jobs) removeWaiting(one *job, err error) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.Index(j.waiting, one)
	if i < 0 || err == nil && one.settle != nil {
		return false
	}
	j.waiting = slices.Delete(j.waiting, i, i+1)
	if one.settle == nil {
		one.err = err
		one.free(func(error) {})
	}
	j.freeQueued()
	return true
}

// release ends a job that was removed before it began. settle has a goroutine of its own, because it runs user code,
// which may end the goroutine.
func (one *job) release(err, cause error) {
	one.undo()
	one.cancel(cause)
	//mutant:job-apart
	_ = guard.Apart(func() error { one.settle(err); return nil })
}

// schedule begins the jobs that may run now. The caller holds mu.
func (j *Jobs) schedule() {
	if j.running == nil {
		j.running = make(map[jobKey]*job)
	}
	workers := j.Workers
	orDefault(&workers, jobWorkers)
	for len(j.running) < workers {
		//mutant:job-conversation
		i := slices.IndexFunc(j.waiting, func(one *job) bool { return j.running[one.key] == nil })
		if i < 0 {
			break
		}
		one := j.waiting[i]
		j.waiting = slices.Delete(j.waiting, i, i+1)
		j.running[one.key] = one
		one.detach()
		go j.run(one)
	}
	j.freeQueued()
}

// freeQueued frees the conversations of the jobs within Queue. The caller holds mu.
func (j *Jobs) freeQueued() {
	queue := j.Queue
	orDefault(&queue, jobQueue)
	//mutant:job-queue
	for _, one := range j.waiting[:min(len(j.waiting), queue)] {
		one.detach()
	}
}

// detach detaches the message of a job, once.
func (one *job) detach() {
	if one.settle == nil {
		one.free(one.message.Detach())
	}
}

// free lets the handler of a job that waits for Queue return.
func (one *job) free(settle func(error)) {
	if one.settle == nil {
		one.settle = settle
		close(one.freed)
	}
}

func (j *Jobs) run(one *job) {
	one.undo()
	//mutant:job-stale
	if j.isCanceled(one) || !one.message.attempt.open() {
		j.end(one, errEnding)
		return
	}
	guard.Call(func() error { return one.handler(one.ctx, one.message) }, func(err error) { j.end(one, err) })
}

func (j *Jobs) isCanceled(one *job) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return one.canceled
}

// end ends a running job. Another one begins when settle has returned, or has ended this goroutine.
func (j *Jobs) end(one *job, err error) {
	defer j.next(one)
	//mutant:job-canceled
	if j.finish(one) {
		err = nil
	}
	one.cancel(nil)
	one.settle(err)
}

// finish reports whether the job was canceled. It cannot be canceled any more.
func (j *Jobs) finish(one *job) (canceled bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one.ended = true
	return one.canceled
}

func (j *Jobs) next(one *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, one.key)
	j.schedule()
}
