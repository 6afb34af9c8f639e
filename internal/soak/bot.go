package soak

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/mixin-blaze/blaze"
)

// errOnPurpose is the error of handlers and of the ledger.
var errOnPurpose = errors.New("failed on purpose")

// handle acts on a message as the script says. Its last step is to report the outcome to the oracle.
func (p *process) handle(ctx context.Context, m *blaze.Message) error {
	n := p.message(m.ID)
	p.in.attemptBegan(p.number, n, m.Attempt)
	if n < 0 {
		return nil
	}
	text, ok := m.Payload.(blaze.Text)
	if !ok || string(text) != p.text(n) || m.ConversationID != p.conversationID(p.conversation(n)) {
		p.add(Protocol, "message %d: content differs", n)
	}
	if p.kind(n) != detaching {
		return p.attempt(ctx, m, n)
	}
	p.record("handler detached")
	p.in.detached(p.number, n)
	settle := m.Detach()
	go func() { settle(p.attempt(ctx, m, n)) }()
	return nil
}

// attempt performs an attempt and reports its outcome to the oracle.
func (p *process) attempt(ctx context.Context, m *blaze.Message, n int) (err error) {
	how := failure
	defer func() { // deferred, so that it also runs after a panic or Goexit
		p.in.attemptEnded(p.number, n, how)
		if how == success && p.mode.ack == blaze.AckManual {
			p.toAck(m.ID)
		}
	}()
	how, err = p.act(ctx, m, n)
	return err
}

func (p *process) act(ctx context.Context, m *blaze.Message, n int) (outcome, error) {
	k := p.kind(n)
	first := m.Attempt == 1
	switch {
	case k == failing && p.isFailing(p.conversation(n)):
		p.record("conversation failing")
		return failure, errOnPurpose
	case k == slow || k == verySlow:
		p.record("handler slow")
		wait(ctx, p.wait(n))
	case k == detaching:
		if wait(ctx, p.wait(n)); first && n%2 == 0 {
			return failure, errOnPurpose
		}
	case k == declining:
		p.record("handler declined")
		return decline, blaze.ErrNotHandled
	case k == dropping:
		p.record("handler dropped")
		return drop, fmt.Errorf("%w: on purpose", blaze.ErrDrop)
	case k == panicOnce && first:
		p.record("handler panicked")
		panic(errOnPurpose) //nolint:forbidigo // user code may panic
	case k == exitOnce && first:
		p.record("handler exited")
		runtime.Goexit()
	}
	for i := range k.replies() {
		if err := p.client.Reply(ctx, m, blaze.Text(replyText(n))); err != nil {
			return failure, fmt.Errorf("reply: %w", err)
		}
		p.out.replyConfirmed(n, i+1, m.Attempt)
	}
	if k == failOnce && first {
		p.record("handler failed")
		return failure, errOnPurpose
	}
	return success, nil
}

// isFailing reports whether all attempts in a conversation fail. They fail for a while from its first attempt on.
func (b *bot) isFailing(conversation int) bool {
	if !b.enabled("conversation failing") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	until, ok := b.failingUntil[conversation]
	if !ok {
		until = time.Now().Add(b.times.failing)
		b.failingUntil[conversation] = until
	}
	return time.Now().Before(until)
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ledger is a Ledger that outlives the processes of the bot. The oracle stores its content.
type ledger struct {
	script
	in  *inboundOracle
	rng *rng
}

// Handled implements [blaze.Ledger].
func (l *ledger) Handled(_ context.Context, id string) (bool, error) {
	return l.in.isRecorded(l.message(id)), nil
}

// Record implements [blaze.Ledger].
func (l *ledger) Record(_ context.Context, id string) error {
	if l.rng.happens("ledger failed", 2000) {
		l.in.record(l.message(id), false)
		return errOnPurpose
	}
	l.in.record(l.message(id), true)
	return nil
}

// limiter is a Limiter that delays some sends and fails others.
type limiter struct{ *rng }

// Wait implements [blaze.Limiter].
func (l limiter) Wait(ctx context.Context) error {
	if l.happens("limiter failed", 500) {
		return errLimiter
	}
	if l.happens("limiter waited", 20) {
		wait(ctx, l.within(5*time.Millisecond))
	}
	return ctx.Err()
}
