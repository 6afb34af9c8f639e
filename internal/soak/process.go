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

// bot is what a user does with the library: several processes, one after the other, and those who send through them.
type bot struct {
	script
	*verdicts
	*luck
	times  times
	in     *inboundOracle
	out    *outboundOracle
	server *server
	net    network
	ledger blaze.Ledger

	senders sync.WaitGroup

	mu        sync.Mutex
	sickUntil map[int]time.Time // by conversation
	process   *process          // the present one
	changed   chan struct{}     // closed when there is another one, or when there will be none any more
	over      bool
}

// process is one process of the bot.
type process struct {
	*bot
	number int
	mode   mode
	client *blaze.Client
	ended  chan error // what Run returned

	stop    context.CancelFunc
	told    atomic.Bool // to end
	clean   bool        // its Run has returned nil
	acker   sync.WaitGroup
	done    context.Context // ended when no acknowledgement is sent by hand any more
	manual  chan string
	dropped atomic.Int64 // by the client, as it says itself
	failed  atomic.Int64
}

// start begins a process.
func (b *bot) start(ctx context.Context, number int, m mode) (*process, error) {
	p := &process{bot: b, number: number, mode: m, ended: make(chan error, 1), manual: make(chan string, 100_000)}
	b.in.restart(number, m, b.server.mail.unacknowledged())
	b.server.worked.Store(false)
	b.server.ending.Store(false)
	b.server.goodbye.Store(false)
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

// end lets a process end, and returns what its Run returned. The server has then read all that it will read of it.
func (p *process) end() error {
	p.in.stopping()
	p.server.ending.Store(true)
	p.told.Store(true)
	p.stop()
	err := <-p.ended
	p.ended <- err
	p.in.gone(err == nil)
	p.acker.Wait()
	p.server.part()
	return err
}

// connect makes the client.
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
	if !p.mode.forgets {
		cfg.Ledger = p.ledger
	}
	if p.mode.limits {
		cfg.Limiter = limiter{p.luck}
	}
	client, err := blaze.New(key, cfg)
	p.client = client
	return err
}

// drop is told of a message that the client gives up. With AckManual that one stays pending; this user has seen enough.
func (p *process) drop(m *blaze.Message, err error) {
	p.dropped.Add(1)
	p.in.dropped(p.number, p.message(m.ID), err)
	if p.mode.ack == blaze.AckManual {
		p.toAck(m.ID)
	}
}

func (p *process) receipt(r blaze.Receipt) {
	p.out.receipt(r.MessageID)
	runtime.Gosched() // another one, if there could be one, may come in here
	p.out.receiptDone()
}

// toAck has a message acknowledged by hand.
func (p *process) toAck(id string) {
	select {
	case p.manual <- id:
	case <-p.done.Done():
	}
}

// ackers is how many goroutines acknowledge by hand: each waits until that is confirmed.
const ackers = 8

// ackByHand acknowledges what was handled, some at a time, until Run has ended.
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
		p.note("acknowledged by hand")
		p.ackAll(ids)
	}
}

// ackAll acknowledges messages until that is confirmed. What fails together is tried one by one: the error of several
// does not say which of them were confirmed, and there is always one that is refused.
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
	wait(p.done, p.times.look)
	p.ackAll(ids)
}

// next returns the present process if it is another one than before, or waits for it. It is nil when there is none to
// come.
func (b *bot) next(ctx context.Context, before *process) *process {
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

// noMore says that no process is to come.
func (b *bot) noMore() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	close(b.changed)
	b.changed = make(chan struct{})
}
