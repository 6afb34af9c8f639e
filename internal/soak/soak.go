// Package soak shows that nothing is lost and nothing is answered twice: it runs a client against a server of its own,
// through a proxy that breaks its connections, and an oracle checks what both of them do. A seed decides which fault comes
// where; how the goroutines take turns it cannot decide.
package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/faultproxy"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// Options say how much is run. The zero value of a field is its default.
type Options struct {
	Messages      int           // pushed to the bot: 200,000
	Sends         int           // of the bot, half of them in batches: 20,000
	Seed          uint64        // decides which fault comes where
	Cuts          int           // connections to be cut, about: one for 1300 messages, 300 at least
	Conversations int           // the messages are in: 400
	Window        int           // messages unacknowledged at once, at most: 2000
	InboxBytes    int64         // of the client: what two thirds of a window take, so that it overflows again and again
	ReplyTimeout  time.Duration // the client's patience with a reply: 300 ms
	Patience      time.Duration // without any progress, the run is given up: 30 s
	Plain         bool          // the server has no plural actions
	FailFast      bool          // ends at the first broken promise, and then waits for nothing

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
	orDefault(&o.Cuts, max(o.Messages/1300, 300))
	orDefault(&o.Conversations, 400)
	orDefault(&o.Window, 2000)
	orDefault(&o.InboxBytes, int64(o.Window)*400)
	orDefault(&o.ReplyTimeout, 300*time.Millisecond)
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

// Reconnects is the policy of the waits between connections. The library's own, meant for a service, doubles to 30 seconds
// when connections break as often as they do here.
var reconnects = backoff.Policy{Base: 5 * time.Millisecond, Cap: 20 * time.Millisecond}

// run is one soak with everything it consists of.
type run struct {
	Options
	*verdicts
	luck   *luck
	script script
	in     *inboundOracle
	out    *outboundOracle
	server *server
	proxy  *faultproxy.Proxy
	bot    *bot
	began  time.Time

	ended chan error // what the client's Run returned
}

// Run runs one soak to its end. The error says why there is no complete report; broken promises are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	before := measure()
	peak := gauge.WatchHeap(100 * time.Millisecond)
	r, err := start(o)
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

// start starts the server, the proxy and the client.
func start(o Options) (*run, error) {
	r := &run{Options: o, verdicts: &verdicts{seed: o.Seed}, luck: newLuck(o.Seed), began: time.Now(), ended: make(chan error, 1)}
	r.script = script{seed: o.Seed, conversations: o.Conversations, sends: o.Sends}
	r.in = newInboundOracle(r.verdicts, r.script, o.Messages)
	r.out = newOutboundOracle(r.verdicts, r.script, o.Messages, o.Sends)
	r.server = &server{
		script: r.script, verdicts: r.verdicts, luck: r.luck, in: r.in, out: r.out, slow: o.ReplyTimeout, plain: o.Plain, known: make(chan struct{}),
		hangUpEvery: 8 * (o.Messages/o.Cuts + 1),
		mail:        &mailbox{script: r.script, window: o.Window, total: o.Messages},
	}
	r.bot = &bot{script: r.script, verdicts: r.verdicts, luck: r.luck, in: r.in, out: r.out}
	if err := r.server.start(); err != nil {
		return nil, err
	}
	plan := faultproxy.Random(o.Seed, o.volume())
	var err error
	quiet := 0 // connections that nothing happens to
	r.proxy, err = faultproxy.New(r.server.ln.Addr().String(), func(conn int) faultproxy.Plan {
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
	if err := r.bot.connect(r.proxy.Addr(), o); err != nil {
		r.proxy.Close()
		r.server.close()
		return nil, err
	}
	return r, nil
}

// live lets the client live until everything was delivered, and returns how its Run ended.
func (r *run) live(ctx context.Context) error {
	running, stop := context.WithCancel(backoff.With(ctx, reconnects))
	defer stop()
	go func() { r.ended <- r.bot.client.Run(running, r.bot.handle) }()
	r.bot.send(running, r.server.known)
	r.deliver(ctx)
	stop()
	err := <-r.ended
	r.bot.senders.Wait()
	return err
}

// deliver returns when everything was delivered, or when nothing happens any more.
func (r *run) deliver(ctx context.Context) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	sending := make(chan struct{})
	go func() {
		r.bot.senders.Wait()
		close(sending)
	}()
	w := watch{run: r, moved: time.Now(), told: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-r.ended:
			r.ended <- err
			return // before its time; finish says so
		case <-look.C:
		}
		select {
		case <-sending:
			sending = nil
			w.sent = true
		default:
		}
		if w.done() || w.stalled() || w.FailFast && w.broken() {
			return
		}
		w.tell()
	}
}

// watch follows a run.
type watch struct {
	*run
	events      uint64
	moved, told time.Time
	sent        bool // all senders have returned
	calm        bool
	hungUp      bool
}

// done reports whether everything was delivered. Once everything was sent and written, nothing is broken any more, and what
// is under way has to arrive by itself: nothing pushes the client. Messages whose acknowledgement the server refused come
// again with the next connection, as they would in life.
func (w *watch) done() bool {
	if !w.sent || !w.server.mail.writtenAll() {
		return false
	}
	if !w.calm {
		w.calm = true
		w.luck.calm.Store(true)
		w.proxy.Calm()
	}
	left, refused := w.in.unfinished()
	if left > 0 && left == refused && !w.hungUp {
		w.hungUp = true
		w.server.hangUp()
	}
	s := w.bot.client.Stats()
	return left == 0 && s.AcksWaiting == 0 && s.OutboxRequests == 0 && s.InboxMessages == 0
}

// stalled reports whether nothing has happened for too long.
func (w *watch) stalled() bool {
	if now := w.in.events.Load() + w.out.events.Load(); now != w.events {
		w.events, w.moved = now, time.Now()
		return false
	}
	if time.Since(w.moved) < w.Patience {
		return false
	}
	left, refused := w.in.unfinished()
	w.add(Stalled, "nothing happened for %v: %d messages left, %d of them with a refused acknowledgement; all sent: %v; %s",
		w.Patience, left, refused, w.sent, stacks())
	return true
}

func (w *watch) tell() {
	if w.Progress == nil || time.Since(w.told) < time.Second {
		return
	}
	w.told = time.Now()
	left, _ := w.in.unfinished()
	stored, _, _ := w.out.totals()
	_, violations := w.list()
	w.Progress(Progress{Elapsed: time.Since(w.began), Left: left, Stored: stored, Cuts: cuts(w.proxy), Violations: violations})
}

// cuts is how many connections the proxy has ended.
func cuts(p *faultproxy.Proxy) int {
	n := uint64(0)
	for _, k := range []faultproxy.Kind{faultproxy.Reset, faultproxy.Finish, faultproxy.Vanish} {
		n += p.Count(k, faultproxy.Up) + p.Count(k, faultproxy.Down)
	}
	return count(n)
}

// finish checks what has to hold at the end, and closes everything.
func (r *run) finish(ctx context.Context, ended error) (*Report, error) {
	if ended != nil {
		r.add(RunEnded, "%v", ended)
	}
	r.in.finish()
	r.out.finish()
	r.checkStats()
	r.proxy.Close()
	r.server.close()
	rep := r.report()
	for name, n := range rep.Faults {
		if n == 0 && !r.Plain { // a server without plural actions cannot commit all of them
			r.add(NotFired, "%s", name)
		}
	}
	if err := ctx.Err(); err != nil {
		return rep, fmt.Errorf("soak: given up: %w", err)
	}
	return rep, nil
}
