// Package soak checks that no message is lost and no reply is sent twice. It runs a client against a server of its own,
// through a proxy that breaks connections. An oracle checks the behaviour of client and server. A seed determines the
// faults, but not the scheduling of goroutines.
package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/faultproxy"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// Options configure a run. A zero field means its default, which follows the semicolon below.
type Options struct {
	Messages      int    // pushed to the bot; 200,000
	Sends         int    // sent by the bot, half of them in batches; 20,000
	Batch         int    // maximum sends in a batch; 60
	Seed          uint64 // determines the faults
	Cuts          int    // connections to cut, approximately; one per 4000 messages, at least 300
	Conversations int    // number of conversations; 400
	FailingEvery  int    // messages from one failing conversation to the next; 100,000, at most an eighth of all
	Processes     int    // of the bot, in sequence; one per 100,000 messages, at least 8
	Window        int    // approximate maximum of unacknowledged messages; 2000
	// of most processes; two thirds of the bytes of a window, so that the inbox overflows often
	InboxBytes int64
	Patience   time.Duration // maximum time without progress; 30 s
	Plain      bool          // the server does not have the plural actions
	FailFast   bool          // end at the first violation, with a short drain
	Without    []string      // disabled faults
	Often      int           // factor for the frequency of rare faults; 1

	Progress func(Progress) // called once a second, if not nil
}

// Progress is the progress of a run.
type Progress struct {
	Elapsed                  time.Duration
	Left                     int // messages not handled or not acknowledged
	Stored, Cuts, Violations int
}

func (o Options) withDefaults() Options {
	orDefault(&o.Messages, 200_000)
	orDefault(&o.Sends, 20_000)
	orDefault(&o.Cuts, max(o.Messages/4000, 300))
	orDefault(&o.Batch, 60)
	orDefault(&o.Often, 1)
	orDefault(&o.Conversations, 400)
	orDefault(&o.FailingEvery, min(100_000, o.Messages/8))
	orDefault(&o.Processes, max(o.Messages/100_000, 8))
	orDefault(&o.Window, 2000)
	orDefault(&o.InboxBytes, int64(o.Window)*400)
	orDefault(&o.Patience, 30*time.Second)
	return o
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// volume returns the number of bytes that a connection carries before it is cut, estimated from the bytes per message.
func (o *Options) volume() faultproxy.Volume {
	perCut := int64(o.Messages/o.Cuts + 1)
	return faultproxy.Volume{Up: 80 * perCut, Down: 1300 * perCut}
}

// run is one run with all its parts.
type run struct {
	Options
	*violations
	times  times
	rng    *rng
	script script
	in     *inboundOracle
	out    *outboundOracle
	server *server
	net    network
	bot    *bot
	began  time.Time
	totals totals
	last   *process // process whose Stats are not in totals yet
}

// Run performs one run. The error means that the report is incomplete; violations are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	before := measure()
	peak := gauge.WatchHeap(100 * time.Millisecond)
	net, err := newLoopback()
	if err != nil {
		peak.Stop()
		return nil, err
	}
	r, err := start(o, fast, net)
	if err != nil {
		peak.Stop()
		return nil, err
	}
	rep, err := r.finish(ctx, r.runProcesses(ctx))
	rep.PeakHeap = peak.Stop()
	r.checkLeaks(ctx, before)
	rep.Violations, rep.ViolationCount = r.list()
	return rep, err
}

// start starts the server and the network.
func start(o Options, t times, n network) (*run, error) {
	r := &run{
		Options: o, times: t, net: n, violations: &violations{seed: o.Seed},
		rng: newRNG(o.Seed, o.Without), began: time.Now(),
		script: script{
			seed: o.Seed, conversations: o.Conversations, sends: o.Sends,
			failingEvery: o.FailingEvery, batch: o.Batch, often: o.Often,
		},
	}
	r.script.plainRejections = r.rng.off["encrypted message rejected"]
	r.in = newInboundOracle(r.violations, r.script, o.Messages)
	r.out = newOutboundOracle(r.violations, r.script, o.Messages, o.Sends)
	r.out.isDropped = r.in.isDropped
	r.server = &server{
		script: r.script, violations: r.violations, rng: r.rng, in: r.in, out: r.out, times: t, plain: o.Plain,
		known:       make(chan struct{}),
		hangUpEvery: 8 * (o.Messages/o.Cuts + 1),
		mail:        &mailbox{script: r.script, window: o.Window, total: o.Messages},
	}
	r.bot = &bot{
		script: r.script, violations: r.violations, rng: r.rng, times: t,
		in: r.in, out: r.out, server: r.server, net: n,
		ledger: &ledger{r.script, r.in, r.rng}, failingUntil: make(map[int]time.Time), changed: make(chan struct{}),
	}
	r.server.start(n.listener())
	plan := faultproxy.Random(o.Seed, o.volume())
	quiet := 0 // number of connections without faults
	err := n.open(func(conn int) faultproxy.Plan {
		if !r.server.isKnown() {
			quiet = conn + 1
			return nil
		}
		return plan(conn - quiet)
	})
	if err != nil {
		r.server.close()
		return nil, err
	}
	return r, nil
}

// runProcesses runs the processes of the bot in sequence until all messages are delivered. It returns an error if a Run
// ends early or with an unexpected error.
func (r *run) runProcesses(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	r.bot.send(running, r.server.known)
	w := watch{run: r, moved: time.Now(), reported: time.Now(), sending: make(chan struct{})}
	go func() {
		r.bot.senders.Wait()
		close(w.sending)
	}()
	var err error
	ends := r.script.ends(&r.Options, &r.times)
	for number := 0; number < len(ends) && err == nil && !w.over; number++ {
		var p *process
		m := r.script.mode(number, &r.Options, &r.times)
		if p, err = r.bot.start(ctx, number, m); err != nil {
			break
		}
		w.process, w.until = p, ends[number]
		if number == len(ends)-1 {
			w.until = -1
		}
		r.follow(ctx, &w)
		err = r.endProcess(p)
	}
	stop()
	r.bot.noMoreProcesses()
	r.bot.senders.Wait()
	r.addStats()
	return err
}

// endProcess ends a process and checks its result.
func (r *run) endProcess(p *process) error {
	early := len(p.ended) > 0
	hung := time.AfterFunc(p.mode.drain*9/10, func() { r.reportHanging(p) })
	err := p.end()
	hung.Stop()
	r.addStats()
	r.last, p.clean = p, err == nil
	switch short := p.mode.drain < 10*r.times.reply; {
	case early && err == nil:
		return errors.New("returned nil before its context ended")
	case errors.Is(err, blaze.ErrDrain) && (short || !r.server.closedNormally.Load()): // a lost link also leaves work
		r.rng.record("process ended with work left")
		return nil
	case err == nil:
		r.rng.record("process ended under load")
	}
	return err
}

// reportHanging reports a process that needs nearly all of its Drain to end. No fault of the server lasts that long.
func (r *run) reportHanging(p *process) {
	if p.mode.drain >= 10*r.times.reply {
		r.add(Stalled, "process %d (%+v) does not end: %+v; %s", p.number, p.mode, p.client.Stats(), stacks())
	}
}

// follow returns when all messages are delivered, when the next process is due, or when there is no more progress.
func (r *run) follow(ctx context.Context, w *watch) {
	look := time.NewTicker(r.times.poll)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			w.over = true
			return
		case err := <-w.process.ended:
			w.process.ended <- err
			return // ended early; endProcess reports it
		case <-look.C:
		}
		select {
		case <-w.sending:
			w.sending = nil
			w.sent = true
		default:
		}
		if w.until >= 0 && r.server.isKnown() && r.server.mail.count() >= w.until {
			return
		}
		if w.done() || w.stalled() || w.FailFast && w.any() {
			w.over = true
			return
		}
		w.reportProgress()
	}
}

// watch observes the progress of a run.
type watch struct {
	*run
	process         *process
	until           int // number of created messages at which the process ends, or -1
	events          uint64
	moved, reported time.Time
	sending         chan struct{} // closed when all senders have returned
	sent            bool
	faultsStopped   bool
	hungUp          int
	over            bool
}

// done reports whether all messages are delivered. After everything has been sent and created, it stops all faults: the
// client must then complete all work in flight by itself. A message with a rejected or forgotten acknowledgement is
// redelivered only on a new connection, so done closes the connection once for those.
func (w *watch) done() bool {
	if w.until >= 0 || !w.sent || !w.server.mail.writtenAll() {
		return false
	}
	if !w.faultsStopped {
		w.faultsStopped = true
		w.rng.stopped.Store(true)
		w.net.stopFaults()
	}
	left, rejected, unacked := w.in.unfinished()
	s := w.process.client.Stats()
	forgotten := left == rejected ||
		left == unacked && s.AcksWaiting == 0 && unacked <= count(s.AcksForgotten) && w.idle() > w.Patience/4
	if left > 0 && forgotten && w.hungUp < 1 {
		w.hungUp++
		w.server.hangUp()
	}
	return left == 0 && s.AcksWaiting == 0 && s.OutboxRequests == 0 && s.InboxMessages == 0
}

// idle returns the time since the last progress.
func (w *watch) idle() time.Duration {
	if now := w.in.events.Load() + w.out.events.Load(); now != w.events {
		w.events, w.moved = now, time.Now()
	}
	return time.Since(w.moved)
}

// stalled reports whether there was no progress for Patience.
func (w *watch) stalled() bool {
	if w.idle() < w.Patience {
		return false
	}
	left, rejected, unacked := w.in.unfinished()
	w.add(Stalled, "no progress for %v in process %d (%+v): %d messages left, %d of them only unacknowledged, %d of "+
		"these rejected; all sent: %v; %+v; %s",
		w.Patience, w.process.number, w.process.mode, left,
		unacked, rejected, w.sent, w.process.client.Stats(), stacks())
	return true
}

func (w *watch) reportProgress() {
	if w.Progress == nil || time.Since(w.reported) < time.Second {
		return
	}
	w.reported = time.Now()
	left, _, _ := w.in.unfinished()
	stored, _, _ := w.out.totals()
	_, violations := w.list()
	w.Progress(Progress{
		Elapsed: time.Since(w.began), Left: left, Stored: stored, Cuts: cuts(w.net), Violations: violations,
	})
}

// finish checks the conditions that hold at the end of a run, and closes everything.
func (r *run) finish(ctx context.Context, ended error) (*Report, error) {
	if ended != nil {
		r.add(RunEnded, "%v", ended)
	}
	r.in.finishAll()
	r.out.finish()
	r.checkStats()
	r.net.close()
	r.server.close()
	rep := r.report()
	for name, n := range rep.Faults {
		if n == 0 && !r.Plain && !r.rng.off[name] { // some faults are impossible without plural actions
			r.add(NotFired, "%s", name)
		}
	}
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("soak: canceled: %w", err)
	}
	return rep, nil
}
