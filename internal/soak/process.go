package soak

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/bounds"
)

// bot is the user of the library: a sequence of processes, and the senders that use them.
type bot struct {
	script
	*violations
	*rng
	times  times
	in     *inboundOracle
	out    *outboundOracle
	server *server
	net    network
	ledger blaze.Ledger

	senders sync.WaitGroup

	mu           sync.Mutex
	failingUntil map[int]time.Time // by conversation
	process      *process          // the current one
	changed      chan struct{}     // closed when process changes, or after the last one
	over         bool
}

// process is one process of the bot.
type process struct {
	*bot
	number int
	mode   mode
	client *blaze.Client
	ended  chan error // receives the result of Run

	stop          context.CancelFunc
	stopRequested atomic.Bool
	clean         bool // Run returned nil
	acker         sync.WaitGroup
	done          context.Context // ends when no more Ack is called
	manual        chan string
	dropped       atomic.Int64 // calls of Trace.Dropped
	failed        atomic.Int64
}

// start starts a process.
func (b *bot) start(ctx context.Context, number int, m mode) (*process, error) {
	p := &process{bot: b, number: number, mode: m, ended: make(chan error, 1), manual: make(chan string, 100_000)}
	b.in.restart(number, m, b.server.mail.unacknowledged())
	b.server.worked.Store(false)
	b.server.ending.Store(false)
	b.server.closedNormally.Store(false)
	if err := p.connect(); err != nil {
		return nil, err
	}
	if b.times.reconnects != (backoff.Policy{}) {
		ctx = bounds.With(backoff.With(ctx, b.times.reconnects), b.times.bounds)
	}
	running, stop := context.WithCancel(ctx)
	p.stop = stop
	var over context.CancelFunc
	p.done, over = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		err := p.client.Run(running, p.handle)
		over()
		p.ended <- err
	}()
	if m.ack == blaze.AckManual {
		for range ackers {
			p.acker.Go(p.ackByHand)
		}
	}
	b.mu.Lock()
	b.process = p
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	return p, nil
}

// end ends a process and returns the result of Run. When it returns, the server has finished reading from the process.
func (p *process) end() error {
	p.in.stopping()
	p.server.ending.Store(true)
	p.stopRequested.Store(true)
	p.stop()
	err := <-p.ended
	p.ended <- err
	p.in.processEnded(err == nil)
	p.acker.Wait()
	p.server.processEnded()
	return err
}

// connect creates the client.
func (p *process) connect() error {
	key := blaze.Keystore{AppID: p.botID(), SessionID: p.userID(0), SessionPrivateKey: strings.Repeat("5e", 32)}
	cfg := &blaze.Config{
		Endpoints:       []string{p.net.endpoint()},
		API:             p.net.api(),
		DialContext:     p.net.dial,
		Proxy:           func(*http.Request) (*url.URL, error) { return nil, nil },
		Logger:          slog.New(slog.DiscardHandler),
		Ack:             p.mode.ack,
		AckBatch:        p.mode.ackBatch,
		Workers:         p.mode.workers,
		InboxBytes:      p.mode.inboxBytes,
		OutboxLen:       p.mode.outboxLen,
		HandlerAttempts: p.mode.handlerAttempts,
		SendAttempts:    p.mode.sendAttempts,
		ReplyTimeout:    p.times.reply,
		Drain:           p.mode.drain,
		OnReceipt:       p.receipt,
		Trace: &blaze.Trace{
			HandlerError: func(*blaze.Message, error) { p.failed.Add(1) },
			Dropped:      p.drop,
		},
	}
	if !p.mode.memoryLedger {
		cfg.Ledger = p.ledger
	}
	if p.mode.hasLimiter {
		cfg.Limiter = limiter{p.rng}
	}
	client, err := blaze.New(key, cfg)
	p.client = client
	return err
}

// drop is the hook for dropped messages. With AckManual the message stays pending, so drop acknowledges it.
func (p *process) drop(m *blaze.Message, err error) {
	p.dropped.Add(1)
	p.in.dropped(p.number, p.message(m.ID), err)
	if p.mode.ack == blaze.AckManual {
		p.toAck(m.ID)
	}
}

func (p *process) receipt(r blaze.Receipt) {
	p.out.receipt(r.MessageID)
	runtime.Gosched() // so that a concurrent call, which would be an error, can happen here
	p.out.receiptDone()
}

// toAck queues a message for ackByHand.
func (p *process) toAck(id string) {
	select {
	case p.manual <- id:
	case <-p.done.Done():
	}
}

// ackers is the number of goroutines that call Ack. Each waits until its call is confirmed.
const ackers = 8

// ackByHand acknowledges handled messages, several at a time, until Run has ended.
func (p *process) ackByHand() {
	for {
		var ids []string
		select {
		case id := <-p.manual:
			ids = append(ids, id)
		case <-p.done.Done():
			return
		}
		wait(p.done, p.within(5*time.Millisecond))
	more:
		for len(ids) < 200 {
			select {
			case id := <-p.manual:
				ids = append(ids, id)
			default:
				break more
			}
		}
		p.record("acknowledged by hand")
		p.ackAll(ids)
	}
}

// ackAll acknowledges messages until that is confirmed. It retries messages that failed together one at a time, because
// the error of several does not show which were confirmed.
func (p *process) ackAll(ids []string) {
	err := p.client.Ack(p.done, blaze.StatusRead, ids...)
	if err == nil || errors.Is(err, blaze.ErrClosed) || p.done.Err() != nil {
		return
	}
	if len(ids) > 1 {
		for _, id := range ids {
			p.ackAll([]string{id})
		}
		return
	}
	wait(p.done, p.times.poll)
	p.ackAll(ids)
}

// nextProcess returns the current process if it is not before, and waits for the next one otherwise. It returns nil
// after the last one.
func (b *bot) nextProcess(ctx context.Context, before *process) *process {
	for {
		b.mu.Lock()
		p, changed, over := b.process, b.changed, b.over
		b.mu.Unlock()
		switch {
		case p != nil && p != before:
			return p
		case over || ctx.Err() != nil:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// noMoreProcesses marks the current process as the last one.
func (b *bot) noMoreProcesses() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	close(b.changed)
	b.changed = make(chan struct{})
}
