package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// peer is a service that hangs up at some frames. A List is written only if listens is set.
type peer struct {
	b       *box
	listens bool
	poison  []string
	ignores []string // ids without a reply
	links   int
}

// serve answers frames on one link until it hangs up, or until nothing is left to write or a day has passed. It returns
// the written frames, and whether it hung up.
func (p *peer) serve(t *testing.T) (frames []string, hungUp bool) {
	t.Helper()
	p.links++
	p.b.Up()
	defer p.b.Down(true)
	if p.listens {
		start(t, p.b, request("list", outbox.List))
	}
	for end := time.Now().Add(24 * time.Hour); time.Now().Before(end); {
		frame, _, wait, err := p.b.Next()
		require.NoError(t, err)
		id := string(frame)
		switch {
		case frame == nil:
			if wait < 0 {
				return frames, false
			}
			time.Sleep(wait)
			continue
		case id == "list":
			require.True(t, p.b.Answer(id, "ok"))
			continue
		}
		frames = append(frames, id)
		switch {
		case slices.Contains(p.poison, id):
			return frames, true
		case !slices.Contains(p.ignores, id):
			require.True(t, p.b.Answer(id, "ok"))
		}
	}
	return frames, false
}

// runPeer runs a test with a peer that has no link yet.
func runPeer(t *testing.T, cfg outbox.Config, p *peer, test func(t *testing.T, p *peer)) {
	t.Helper()
	run(t, cfg, func(t *testing.T, b *box) {
		b.Down(true)
		p.b = b
		test(t, p)
	})
}

// confirmed removes and counts the confirmed results.
func confirmed(t *testing.T, all []end) (n int) {
	t.Helper()
	synctest.Wait()
	for _, e := range all {
		if len(e.out) > 0 {
			assert.Equal(t, "ok", (<-e.out).Answer)
			n++
		}
	}
	return n
}

func sends(t *testing.T, b *box, names ...string) (all []end) {
	for _, name := range names {
		all = append(all, send(t, b, name))
	}
	return all
}

func TestAPoisonedRequestDoesNotStarveTheOthers(t *testing.T) {
	for _, listens := range []bool{true, false} {
		for _, class := range []outbox.Class{outbox.Ack, outbox.Send} {
			runPeer(t, config(), &peer{listens: listens, poison: []string{"poison"}}, func(t *testing.T, p *peer) {
				poisoned, _ := do(t, p.b, request("poison", class), nil)
				others := sends(t, p.b, names("s", 0, 20)...)
				n := 0
				for n < 20 && p.links < 100 {
					_, hungUp := p.serve(t)
					require.True(t, hungUp)
					n += confirmed(t, others)
				}
				assert.Equal(t, 20, n)
				assert.Equal(t, blamedLinks+1, p.links)
				poisoned.pending()
			})
		}
	}
}

// Poisoned requests are scattered among others.
func TestManyPoisonedRequests(t *testing.T) {
	runPeer(t, config(), &peer{listens: true, poison: names("p", 0, 5)}, func(t *testing.T, p *peer) {
		var others, poisoned []end
		for i := range 5 {
			others = append(others, sends(t, p.b, names("s", 4*i, 4*i+4)...)...)
			poisoned = append(poisoned, send(t, p.b, fmt.Sprint("p", i)))
		}
		n := 0
		for p.links < 2*len(poisoned)+1 {
			p.serve(t)
			n += confirmed(t, others)
		}
		assert.Equal(t, 20, n)
		// All of them are suspects now. A new request does not wait for five turns.
		for i := 0; ; i++ {
			young := send(t, p.b, fmt.Sprint("young", i))
			if _, hungUp := p.serve(t); !hungUp {
				break
			}
			young.is(outcome{Answer: "ok", Attempts: 1})
		}
		for _, e := range poisoned {
			assert.ErrorIs(t, (<-e.out).Err, outbox.ErrLinkLost)
		}
	})
}

func TestASuspectEndsAfterLinksLostAlone(t *testing.T) {
	for _, attempts := range []int{3, 8, -1} {
		cfg := config()
		cfg.Attempts = attempts
		runPeer(t, cfg, &peer{listens: true, poison: []string{"poison"}}, func(t *testing.T, p *peer) {
			e := send(t, p.b, "poison")
			lost := blamedLinks + attempts
			if attempts < 0 {
				lost = 500
			}
			for range lost {
				e.pending()
				frames, _ := p.serve(t)
				require.Equal(t, []string{"poison"}, frames)
			}
			if attempts < 0 {
				e.pending()
				return
			}
			e.is(outcome{Unconfirmed: true, Err: outbox.ErrLinkLost, Attempts: lost})
		})
	}
}

// If the peer answers nothing else, it may accept nothing at all, so the request does not end.
func TestPoisonWithoutAnyAnswer(t *testing.T) {
	runPeer(t, config(), &peer{poison: []string{"poison"}}, func(t *testing.T, p *peer) {
		e := send(t, p.b, "poison")
		for range 100 {
			p.serve(t)
		}
		e.pending()
		for i := range 3 {
			e.pending()
			other := send(t, p.b, fmt.Sprint("other", i))
			p.serve(t)
			other.is(outcome{Answer: "ok", Attempts: 1})
		}
		e.is(outcome{Unconfirmed: true, Err: outbox.ErrLinkLost, Attempts: 103})
	})
}

// A peer that accepts each connection and closes it accepts no requests: none is blamed or ended.
func TestAnHourOfAcceptAndClose(t *testing.T) {
	for _, listens := range []bool{true, false} {
		for _, written := range []int{0, 1, 7, 1000} {
			runPeer(t, config(), &peer{listens: listens}, func(t *testing.T, p *peer) {
				requests := sends(t, p.b, names("s", 0, 100)...)
				for range 120 {
					p.b.Up()
					if listens {
						start(t, p.b, request("list", outbox.List))
					}
					for range 3 {
						for range written {
							if frame, _, _, _ := p.b.Next(); frame == nil {
								break
							}
						}
						p.b.Heard() // a pong
						time.Sleep(10 * time.Second)
					}
					p.b.Down(true)
				}
				for _, e := range requests {
					e.pending()
				}
				frames, _ := p.serve(t)
				if listens { // none was blamed
					assert.Equal(t, names("s", 0, 100), frames)
				}
				assert.Len(t, frames, 100)
				assert.Equal(t, 100, confirmed(t, requests))
			})
		}
	}
}

// No request is blamed for a link that this side replaces or ends.
func TestAReplacedLinkBlamesNoRequest(t *testing.T) {
	for _, paused := range []bool{true, false} {
		run(t, config(), func(t *testing.T, b *box) {
			e := send(t, b, "slow")
			send(t, b, "other") // would be written first if slow were a suspect
			for range 10 {
				answers(t, b, "ok", listed(t, b))
				frame, _, _, _ := b.Next()
				require.Equal(t, "slow", string(frame))
				if paused {
					b.Quiesce()
				}
				b.Down(paused)
				b.Up()
			}
			e.pending()
		})
	}
}

// listed writes a List and returns its id.
func listed(t *testing.T, b *box) string {
	t.Helper()
	start(t, b, request("list", outbox.List))
	frame, _, _, err := b.Next()
	require.NoError(t, err)
	require.Equal(t, "list", string(frame))
	return "list"
}

// suspect makes id, the oldest waiting request, a suspect.
func suspect(t *testing.T, b *box, id string) {
	t.Helper()
	for range blamedLinks {
		answers(t, b, "ok", listed(t, b))
		frame, _, _, _ := b.Next()
		require.Equal(t, id, string(frame))
		b.Down(true)
		b.Up()
	}
}

func TestTheTurnOfASuspect(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := send(t, b, "suspect")
		old := send(t, b, "old") // waiting when the other becomes a suspect
		suspect(t, b, "suspect")
		young := send(t, b, "young")
		writes(t, b, replyTimeout, "old") // the turn begins after old is answered, and delays young
		time.Sleep(time.Second)
		answers(t, b, "ok", "old")
		old.is(outcome{Answer: "ok", Attempts: 1})
		writes(t, b, replyTimeout-time.Second, "suspect")
		time.Sleep(replyTimeout - time.Second - 1)
		writes(t, b, 1)
		time.Sleep(time.Nanosecond)
		writes(t, b, time.Second, "young") // the turn is over, and its own reply timeout ends later
		answers(t, b, "ok", "young")
		young.is(outcome{Answer: "ok", Attempts: 1})

		// New requests precede its next turn.
		time.Sleep(time.Second - 1)
		s1 := send(t, b, "s1")
		time.Sleep(time.Nanosecond)
		writes(t, b, replyTimeout, "s1")
		s2 := send(t, b, "s2")
		writes(t, b, replyTimeout)
		answers(t, b, "ok", "s1")
		s1.is(outcome{Answer: "ok", Attempts: 1})
		writes(t, b, replyTimeout, "suspect") // it counts as alone while its own first attempt is in flight
		answers(t, b, "ok", "suspect")
		e.is(outcome{Answer: "ok", Unconfirmed: true, Attempts: 4})
		writes(t, b, replyTimeout, "s2") // at once
		answers(t, b, "ok", "s2")
		s2.is(outcome{Answer: "ok", Attempts: 1})
	})
}

// Cancelling a suspect ends its turn.
func TestACancelledSuspectEndsItsTurn(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e, cancel := do(t, b, request("suspect", outbox.Send), nil)
		suspect(t, b, "suspect")
		writes(t, b, replyTimeout, "suspect")
		send(t, b, "young")
		writes(t, b, replyTimeout)
		select {
		case <-b.Wake():
		default:
		}
		cancel(errors.New("no more"))
		e.is(outcome{Unconfirmed: true, Err: context.Canceled, Attempts: 3})
		<-b.Wake()
		writes(t, b, replyTimeout, "young")
	})
}

// A suspect is written even if another request never gets a reply. It does not end then, because it may not be the
// cause.
func TestASuspectThatIsNotAlone(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := send(t, b, "suspect")
		suspect(t, b, "suspect")
		b.Down(true)
		for range 10 {
			ack, cancel := do(t, b, request("ack", outbox.Ack), nil)
			b.Up()
			answers(t, b, "ok", listed(t, b))
			writes(t, b, replyTimeout, "ack")
			time.Sleep(replyTimeout)
			frame, _, _, _ := b.Next()
			require.Equal(t, "suspect", string(frame))
			b.Down(true)
			cancel(nil)
			ack.is(outcome{Err: context.Canceled, Unconfirmed: true, Attempts: 1})
		}
		e.pending()
	})
}

// Any reply shows that the service accepts the request.
func TestAnAnswerClearsASuspect(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		e := send(t, b, "suspect")
		suspect(t, b, "suspect")
		writes(t, b, replyTimeout, "suspect")
		answers(t, b, "busy", "suspect")
		time.Sleep(backoff(1))
		send(t, b, "young")
		writes(t, b, replyTimeout, "suspect", "young") // not alone
		answers(t, b, "ok", "young")
		send(t, b, "young")
		b.Down(true)
		b.Up()
		writes(t, b, replyTimeout, "suspect") // the oldest first: one lost link does not make it a suspect
		e.pending()
	})
}

// A request without a reply is blamed for links lost because of another one, but not forever.
func TestPoisonBehindASilentRequest(t *testing.T) {
	p := &peer{listens: true, poison: []string{"poison"}, ignores: []string{"silent"}}
	runPeer(t, config(), p, func(t *testing.T, p *peer) {
		silent, poisoned := send(t, p.b, "silent"), send(t, p.b, "poison")
		n := 0
		for _, hungUp := p.serve(t); hungUp && p.links < 50; _, hungUp = p.serve(t) {
			others := sends(t, p.b, names(fmt.Sprint("s", p.links, " "), 0, 3)...)
			p.serve(t)
			n += confirmed(t, others)
		}
		assert.Less(t, p.links, 30)
		assert.GreaterOrEqual(t, n, 3)
		synctest.Wait()
		assert.ErrorIs(t, (<-poisoned.out).Err, outbox.ErrLinkLost)
		silent.pending()
	})
}
