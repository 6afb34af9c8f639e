// Package soak shows that nothing is lost and nothing is answered twice: it runs a client against a server of its
// own, through a proxy that breaks its connections, and an oracle checks what both of them do. A seed decides which
// fault comes where; how the goroutines take turns it cannot decide.
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

// Options say how much is run. The zero value of a field is its default.
type Options struct {
	Messages      int    // pushed to the bot: 200,000
	Sends         int    // of the bot, half of them in batches: 20,000
	Batch         int    // of these in one batch, at most: 60
	Seed          uint64 // decides which fault comes where
	Cuts          int    // connections to be cut, about: one for 4000 messages, 300 at least
	Conversations int    // the messages are in: 400
	SickEvery     int    // messages from one sick conversation to the next: 100,000, an eighth of all at most
	Processes     int    // of the bot, one after the other: one for 100,000 messages, 8 at least
	Window        int    // messages unacknowledged at once, at most: 2000
	// of most clients: what two thirds of a window take, so that it overflows again and again
	InboxBytes int64
	Patience   time.Duration // without any progress, the run is given up: 30 s
	Plain      bool          // the server has no plural actions
	FailFast   bool          // ends at the first broken promise, and then waits for nothing
	Without    []string      // faults that do not happen
	Often      int           // what is rare comes so many times as often: 1

	Progress func(Progress) // called once a second; nil: not at all
}

// Progress is how far a run has come.
type Progress struct {
	Elapsed                  time.Duration
	Left                     int // messages not handled, or not acknowledged
	Stored, Cuts, Violations int
}

func (o Options) withDefaults() Options {
	orDefault(&o.Messages, 200_000)
	orDefault(&o.Sends, 20_000)
	orDefault(&o.Cuts, max(o.Messages/4000, 300))
	orDefault(&o.Batch, 60)
	orDefault(&o.Often, 1)
	orDefault(&o.Conversations, 400)
	orDefault(&o.SickEvery, min(100_000, o.Messages/8))
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

// volume is how many bytes a connection carries until it is cut, by what a message takes in either direction.
func (o *Options) volume() faultproxy.Volume {
	perCut := int64(o.Messages/o.Cuts + 1)
	return faultproxy.Volume{Up: 80 * perCut, Down: 1300 * perCut}
}

// run is one soak with everything it consists of.
type run struct {
	Options
	*verdicts
	times  times
	luck   *luck
	script script
	in     *inboundOracle
	out    *outboundOracle
	server *server
	net    network
	bot    *bot
	began  time.Time
	totals totals
	last   *process // its client has not been asked what it counted
}

// Run runs one soak to its end. The error says why there is no complete report; broken promises are in the report.
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
	rep, err := r.finish(ctx, r.live(ctx))
	rep.PeakHeap = peak.Stop()
	r.leaks(ctx, before)
	rep.Violations, rep.ViolationCount = r.list()
	return rep, err
}

// start starts the server and the network.
func start(o Options, t times, n network) (*run, error) {
	r := &run{
		Options: o, times: t, net: n, verdicts: &verdicts{seed: o.Seed},
		luck: newLuck(o.Seed, o.Without), began: time.Now(),
		script: script{
			seed: o.Seed, conversations: o.Conversations, sends: o.Sends,
			sickEvery: o.SickEvery, batch: o.Batch, often: o.Often,
		},
	}
	r.script.openRefusals = r.luck.off["encrypted message refused"]
	r.in = newInboundOracle(r.verdicts, r.script, o.Messages)
	r.out = newOutboundOracle(r.verdicts, r.script, o.Messages, o.Sends)
	r.out.givenUp = r.in.isGivenUp
	r.server = &server{
		script: r.script, verdicts: r.verdicts, luck: r.luck, in: r.in, out: r.out, times: t, plain: o.Plain,
		known:       make(chan struct{}),
		hangUpEvery: 8 * (o.Messages/o.Cuts + 1),
		mail:        &mailbox{script: r.script, window: o.Window, total: o.Messages},
	}
	r.bot = &bot{
		script: r.script, verdicts: r.verdicts, luck: r.luck, times: t, in: r.in, out: r.out, server: r.server, net: n,
		ledger: &ledger{r.script, r.in, r.luck}, sickUntil: make(map[int]time.Time), changed: make(chan struct{}),
	}
	r.server.start(n.listener())
	plan := faultproxy.Random(o.Seed, o.volume())
	quiet := 0 // connections that nothing happens to
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

// live lets the bot live, in one process after the other, until everything was delivered. The error is that of a Run
// that ended before its time, or in another way than it should.
func (r *run) live(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	r.bot.send(running, r.server.known)
	w := watch{run: r, moved: time.Now(), told: time.Now(), sending: make(chan struct{})}
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
		err = r.endOf(p)
	}
	stop()
	r.bot.noMore()
	r.bot.senders.Wait()
	r.addStats()
	return err
}

// endOf ends a process and looks at what it leaves.
func (r *run) endOf(p *process) error {
	early := len(p.ended) > 0
	hung := time.AfterFunc(p.mode.drain*9/10, func() { r.hanging(p) })
	err := p.end()
	hung.Stop()
	r.addStats()
	r.last, p.clean = p, err == nil
	switch short := p.mode.drain < 10*r.times.reply; {
	case early && err == nil:
		return errors.New("nil, before its context ended")
	case errors.Is(err, blaze.ErrDrain) && (short || !r.server.goodbye.Load()): // a lost link leaves something, too
		r.luck.note("process ended with something left")
		return nil
	case err == nil:
		r.luck.note("process ended under load")
	}
	return err
}

// hanging reports a process that takes nearly all the time that it has to end. Nothing that the server does takes as
// long.
func (r *run) hanging(p *process) {
	if p.mode.drain >= 10*r.times.reply {
		r.add(Stalled, "process %d (%+v) does not end: %+v; %s", p.number, p.mode, p.client.Stats(), stacks())
	}
}

// follow returns when everything was delivered, when it is the turn of another process, or when nothing happens any
// more.
func (r *run) follow(ctx context.Context, w *watch) {
	look := time.NewTicker(r.times.look)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			w.over = true
			return
		case err := <-w.process.ended:
			w.process.ended <- err
			return // before its time; endOf says so
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
		if w.done() || w.stalled() || w.FailFast && w.broken() {
			w.over = true
			return
		}
		w.tell()
	}
}

// watch follows a run.
type watch struct {
	*run
	process     *process
	until       int // so many messages were written, or -1
	events      uint64
	moved, told time.Time
	sending     chan struct{} // closed when all senders have returned
	sent        bool
	calm        bool
	hungUp      int
	over        bool
}

// done reports whether everything was delivered. Once everything was sent and written, nothing is broken any more,
// and what is under way has to arrive by itself: nothing pushes the client. Messages whose acknowledgement the server
// refused, or the client has given up, come again with the next connection, as they would in life.
func (w *watch) done() bool {
	if w.until >= 0 || !w.sent || !w.server.mail.writtenAll() {
		return false
	}
	if !w.calm {
		w.calm = true
		w.luck.calm.Store(true)
		w.net.calm()
	}
	left, refused, unacked := w.in.unfinished()
	s := w.process.client.Stats()
	forgotten := left == refused ||
		left == unacked && s.AcksWaiting == 0 && unacked <= count(s.AcksForgotten) && w.idle() > w.Patience/4
	if left > 0 && forgotten && w.hungUp < 1 {
		w.hungUp++
		w.server.hangUp()
	}
	return left == 0 && s.AcksWaiting == 0 && s.OutboxRequests == 0 && s.InboxMessages == 0
}

// idle returns for how long nothing has happened.
func (w *watch) idle() time.Duration {
	if now := w.in.events.Load() + w.out.events.Load(); now != w.events {
		w.events, w.moved = now, time.Now()
	}
	return time.Since(w.moved)
}

// stalled reports whether nothing has happened for too long.
func (w *watch) stalled() bool {
	if w.idle() < w.Patience {
		return false
	}
	left, refused, unacked := w.in.unfinished()
	w.add(Stalled, "nothing happened for %v in process %d (%+v): %d messages left, %d only not acknowledged, %d of "+
		"these refused; all sent: %v; %+v; %s",
		w.Patience, w.process.number, w.process.mode, left,
		unacked, refused, w.sent, w.process.client.Stats(), stacks())
	return true
}

func (w *watch) tell() {
	if w.Progress == nil || time.Since(w.told) < time.Second {
		return
	}
	w.told = time.Now()
	left, _, _ := w.in.unfinished()
	stored, _, _ := w.out.totals()
	_, violations := w.list()
	w.Progress(Progress{
		Elapsed: time.Since(w.began), Left: left, Stored: stored, Cuts: cuts(w.net), Violations: violations,
	})
}

// finish checks what has to hold at the end, and closes everything.
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
		if n == 0 && !r.Plain && !r.luck.off[name] { // a server without plural actions cannot commit all of them
			r.add(NotFired, "%s", name)
		}
	}
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("soak: given up: %w", err)
	}
	return rep, nil
}
