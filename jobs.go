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
var errEnding = errors.New("blaze: Run ended before the job began")

// Jobs runs slow handlers beside the conversations of their messages, such as requests to a language model:
//
//	jobs := &blaze.Jobs{Workers: 8}
//	return blaze.Route(
//		blaze.Command("/stop", func(ctx context.Context, m *blaze.Message, _ string) error {
//			return c.Reply(ctx, m, blaze.Textf("%d stopped", jobs.Cancel(m)))
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
	canceled bool
	ended    bool // the handler has returned
}

// Background returns a Handler that detaches the message and runs h later, on another goroutine, with the values and
// the end of the same context. The conversation continues meanwhile. The result of h, or its panic, ends the message by
// the rules of [Handler]: it is not acknowledged before.
//
// Jobs begin in the order of their messages, at most one at a time in each conversation. If Queue is full, Background
// waits, and with it the conversation and one of Config.Workers. When Run's context ends, running jobs may finish
// within Config.Drain. Waiting jobs do not begin, and their messages are redelivered on the next start. A retry is a
// new job, and runs beside later messages of the conversation.
//
// Middleware belongs inside, around h. Outside, it sees nil at once, and a timeout ends the job when Background
// returns. A job that returns [ErrNotHandled] declines the message, but [Route] does not try its other handlers.
//
// Background panics if h is nil or if a field of j is negative.
func (j *Jobs) Background(h Handler) Handler {
	if h == nil || j.Workers < 0 || j.Queue < 0 {
		mistake("Jobs.Background: the handler is nil, or Workers or Queue is negative")
	}
	return func(ctx context.Context, m *Message) error {
		//mutant:job-retry-canceled
		if j.wasCanceled(m) {
			return nil
		}
		one := j.add(ctx, m, h)
		select {
		case <-one.freed:
		case <-ctx.Done():
			if j.withdraw(one) {
				return context.Cause(ctx)
			}
		}
		return nil
	}
}

// Cancel ends all jobs of m's conversation, and returns how many. The context of a running job ends with the cause
// [ErrCanceled]; waiting jobs do not begin. Their messages are done, as if the handlers had returned nil. A job that
// failed before and waits for another attempt is canceled too, but not counted, if its message is older than m and the
// attempt is due within an hour. Cancel does not wait for the running job.
func (j *Jobs) Cancel(m *Message) int {
	canceled, begun := j.remove(m)
	for _, one := range canceled {
		one.cancel(ErrCanceled)
		if !one.canceled { // not running
			one.settle(nil)
		}
	}
	j.begin(begun)
	return len(canceled)
}

// remove removes the waiting jobs of a conversation and marks the running one as canceled. begun are to be started.
func (j *Jobs) remove(m *Message) (canceled, begun []*job) {
	key := keyOf(m)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recordStop(key, m.CreatedAt)
	if one := j.running[key]; one != nil && !one.ended && !one.canceled {
		one.canceled = true
		canceled = append(canceled, one)
	}
	j.waiting = slices.DeleteFunc(j.waiting, func(one *job) bool {
		if one.key != key {
			return false
		}
		if one.settle == nil { // its handler waits, and returns nil
			one.free(func(error) {})
		}
		canceled = append(canceled, one)
		return true
	})
	return canceled, j.schedule()
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
	j.waiting = append(j.waiting, one)
	begun := j.schedule()
	j.mu.Unlock()
	j.begin(begun)
	return one
}

// withdraw removes a job with a handler that still waits, and reports whether it did.
func (j *Jobs) withdraw(one *job) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if one.settle != nil {
		return false
	}
	j.waiting = slices.DeleteFunc(j.waiting, func(other *job) bool { return other == one })
	one.cancel(nil)
	return true
}

// schedule returns the jobs that begin now, and frees the conversations of those within Queue. The caller holds mu.
func (j *Jobs) schedule() (begun []*job) {
	if j.running == nil {
		j.running = make(map[jobKey]*job)
	}
	workers, queue := j.Workers, j.Queue
	orDefault(&workers, jobWorkers)
	orDefault(&queue, jobQueue)
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
		begun = append(begun, one)
	}
	//mutant:job-queue
	for _, one := range j.waiting[:min(len(j.waiting), queue)] {
		one.detach()
	}
	return begun
}

// detach detaches the message of a job, once.
func (one *job) detach() {
	if one.settle == nil {
		one.free(one.message.Detach())
	}
}

func (one *job) free(settle func(error)) {
	one.settle = settle
	close(one.freed)
}

func (j *Jobs) begin(begun []*job) {
	for _, one := range begun {
		go j.run(one)
	}
}

func (j *Jobs) run(one *job) {
	//mutant:job-ending
	if a := one.message.attempt; a != nil && a.ending() {
		j.end(one, errEnding)
		return
	}
	guard.Call(func() error { return one.handler(one.ctx, one.message) }, func(err error) { j.end(one, err) })
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
	delete(j.running, one.key)
	begun := j.schedule()
	j.mu.Unlock()
	j.begin(begun)
}
