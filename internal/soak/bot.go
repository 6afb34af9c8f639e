package soak

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/mixin-blaze/blaze"
)

// errOnPurpose is what handlers fail with.
var errOnPurpose = errors.New("failed on purpose")

// handle does what the script says about a message. The last thing it does is to tell the oracle how that ended.
func (p *process) handle(ctx context.Context, m *blaze.Message) error {
	n := p.message(m.ID)
	p.in.began(p.number, n, m.Attempt)
	if n < 0 {
		return nil
	}
	how, err := failure, error(nil)
	defer func() { // also when it panics or exits
		p.in.over(p.number, n, how)
		if how == success && p.mode.ack == blaze.AckManual {
			p.toAck(m.ID)
		}
	}()
	text, ok := m.Payload.(blaze.Text)
	if !ok || string(text) != p.text(n) || m.ConversationID != p.conversationID(p.conversation(n)) {
		p.add(Protocol, "message %d arrived changed", n)
	}
	how, err = p.act(ctx, m, n)
	return err
}

func (p *process) act(ctx context.Context, m *blaze.Message, n int) (outcome, error) {
	k := p.kind(n)
	first := m.Attempt == 1
	switch {
	case k == sick && p.isSick(p.conversation(n)):
		p.note("a conversation only fails")
		return failure, errOnPurpose
	case k == slow || k == lazy:
		p.note("handler slow")
		wait(ctx, p.wait(n))
	case k == declined:
		p.note("handler declined")
		return decline, blaze.ErrNotHandled
	case k == dropped:
		p.note("handler gave up")
		return drop, fmt.Errorf("%w: on purpose", blaze.ErrDrop)
	case k == panicking && first:
		p.note("handler panicked")
		panic(errOnPurpose) //nolint:forbidigo // what a user's handler may do
	case k == exiting && first:
		p.note("handler exited")
		runtime.Goexit()
	}
	for said := range k.answers() {
		if err := p.client.Reply(ctx, m, blaze.Text(replyText(n))); err != nil {
			return failure, fmt.Errorf("reply: %w", err)
		}
		p.out.replied(n, said+1, m.Attempt)
	}
	if k == failing && first {
		p.note("handler failed")
		return failure, errOnPurpose
	}
	return success, nil
}

// isSick reports whether a conversation only fails: for a while from its first attempt on.
func (b *bot) isSick(conversation int) bool {
	if !b.may("a conversation only fails") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	until, ok := b.sickUntil[conversation]
	if !ok {
		until = time.Now().Add(b.times.sick)
		b.sickUntil[conversation] = until
	}
	return time.Now().Before(until)
}

// wait returns when d is over or ctx has ended.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ledger is one that outlives the processes of the bot. The oracle keeps what it has.
type ledger struct {
	script
	in   *inboundOracle
	luck *luck
}

// Handled implements [blaze.Ledger].
func (l *ledger) Handled(_ context.Context, id string) (bool, error) {
	return l.in.has(l.message(id)), nil
}

// Record implements [blaze.Ledger].
func (l *ledger) Record(_ context.Context, id string) error {
	if l.luck.strikes("ledger failed", 2000) {
		l.in.record(l.message(id), false)
		return errOnPurpose
	}
	l.in.record(l.message(id), true)
	return nil
}

// limiter lets sends wait, and sometimes fail.
type limiter struct{ *luck }

// Wait implements [blaze.Limiter].
func (l limiter) Wait(ctx context.Context) error {
	if l.strikes("limiter failed", 500) {
		return errLimiter
	}
	if l.strikes("limiter waited for", 20) {
		wait(ctx, l.within(5*time.Millisecond))
	}
	return ctx.Err()
}
