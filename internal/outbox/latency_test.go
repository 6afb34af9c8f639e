package outbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// distantPeer is a peer behind a slow line. Each reply takes the latency, also that to the List, and replies keep their
// order. The peer hangs up when it reads a frame that it does not accept. Replies in flight are lost then.
type distantPeer struct {
	b       *box
	latency time.Duration
	pushes  time.Duration // how long pushes delay the reply to the List
	accepts func(id string) bool
	links   int
}

// serve runs one link until the peer hangs up or nothing is left to write. It returns the written frames.
func (p *distantPeer) serve(t *testing.T) (frames []string) {
	t.Helper()
	p.links++
	p.b.Up()
	defer p.b.Down(true)
	start(t, p.b, request("list", outbox.List))
	type answer struct {
		id string
		at time.Time
	}
	var answers []answer
	pushed := time.Now().Add(p.pushes)
	for {
		for len(answers) > 0 && !answers[0].at.After(time.Now()) {
			p.b.Answer(answers[0].id, "ok") // false for a second reply to a request
			answers = answers[1:]
		}
		frame, _, wait, err := p.b.Next()
		require.NoError(t, err)
		switch id := string(frame); {
		case frame != nil && !p.accepts(id):
			return append(frames, id)
		case frame != nil:
			frames = append(frames, id)
			answers = append(answers, answer{id, time.Now().Add(max(p.latency, time.Until(pushed)))})
		case len(answers) == 0 && wait < 0:
			return frames
		case len(answers) > 0 && (wait < 0 || wait > time.Until(answers[0].at)):
			time.Sleep(time.Until(answers[0].at))
		default:
			time.Sleep(wait)
		}
	}
}

func runDistant(t *testing.T, p *distantPeer, test func(t *testing.T, p *distantPeer)) {
	cfg := config()
	cfg.Len = 200
	run(t, cfg, func(t *testing.T, b *box) {
		b.Down(false)
		p.b = b
		test(t, p)
	})
}

func isNotPoison(id string) bool { return id != "poison" }

func TestPoisonWithLatency(t *testing.T) {
	for _, latency := range []time.Duration{0, 100 * time.Millisecond, replyTimeout / 2} {
		for _, c := range []struct{ before, after, links int }{{0, 20, 4}, {5, 15, 6}, {100, 20, 16}} {
			runDistant(t, &distantPeer{latency: latency, accepts: isNotPoison}, func(t *testing.T, p *distantPeer) {
				others := sends(t, p.b, names("before", 0, c.before)...)
				poisoned := send(t, p.b, "poison")
				others = append(others, sends(t, p.b, names("after", 0, c.after)...)...)
				n := 0
				for n < len(others) && p.links < 100 {
					p.serve(t)
					n += confirmed(t, others)
				}
				assert.Equal(t, len(others), n)
				assert.LessOrEqual(t, p.links, c.links, "latency %v, %d before the poison", latency, c.before)
				poisoned.pending()
				for range 3 {
					p.serve(t)
				}
				assert.ErrorIs(t, (<-poisoned.out).Err, outbox.ErrLinkLost)
			})
		}
	}
}

// If a List was answered after the reply timeout, for example behind pushes, the next slow start waits longer for its
// List.
func TestPoisonBeforeALateList(t *testing.T) {
	p := &distantPeer{pushes: 7 * replyTimeout, accepts: isNotPoison}
	runDistant(t, p, func(t *testing.T, p *distantPeer) {
		poisoned := send(t, p.b, "poison")
		others := sends(t, p.b, names("s", 0, 20)...)
		n := 0
		for n < 20 && p.links < 100 {
			p.serve(t)
			n += confirmed(t, others)
		}
		assert.Equal(t, 20, n)
		assert.Equal(t, 1+3+blamedLinks+1, p.links, "three links wait one, two and four reply timeouts for the list")
		poisoned.pending()
	})
}

// After a completed slow start, the wait for the List starts again at its initial value.
func TestTheListOfALaterSlowStart(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		all := names("s", 0, 20)
		lose(t, b, all...)
		for _, wait := range []time.Duration{1, 2, 4, 8, 15, 15} { // in reply timeouts, up to 5 minutes
			listed(t, b)
			writes(t, b, wait*replyTimeout)
			time.Sleep(wait * replyTimeout)
			writes(t, b, replyTimeout, "s0")
			b.Down(true)
			b.Up()
		}
		answers(t, b, "ok", listed(t, b))
		for _, id := range all {
			_, _, _, err := b.Next()
			require.NoError(t, err)
			answers(t, b, "ok", id)
		}
		lose(t, b, "young")
		listed(t, b)
		writes(t, b, replyTimeout)
	})
}

// plurals starts n requests w0, w1 and so on, of one family. Each splits into two parts, such as w0/0 and w0/1.
func plurals(t *testing.T, b *box, n int) (all []end) {
	for _, id := range names("w", 0, n) {
		r := whole(outbox.Ack, ":"+id+"/0", ":"+id+"/1")
		r.ID, r.Frame, r.Family = id, []byte(id), "plural"
		all = append(all, start(t, b, r))
	}
	return all
}

// A peer may hang up at each frame of an action. Splitting one request at a time would cost two links for each.
func TestAPeerThatHangsUpAtAFamily(t *testing.T) {
	for latency, links := range map[time.Duration]int{0: 2, 100 * time.Millisecond: 3} {
		isSingle := func(id string) bool { return id == "list" || len(id) > 3 }
		runDistant(t, &distantPeer{latency: latency, accepts: isSingle}, func(t *testing.T, p *distantPeer) {
			all := plurals(t, p.b, 64)
			for range links {
				frames := p.serve(t)
				assert.Equal(t, "w0", frames[len(frames)-1])
			}
			frames := p.serve(t)
			assert.Len(t, frames, 1+2*64)
			for i, e := range all {
				o := <-e.out
				assert.Equal(t, "split", o.Answer)
				assert.Equal(t, i == 0, o.Unconfirmed, "only w0 was written")
			}
		})
	}
}

// If one request of the family was confirmed, the peer supports the action, so only the suspect is split.
func TestAProvenFamilyIsNotSplit(t *testing.T) {
	for _, late := range []bool{true, false} {
		run(t, config(), func(t *testing.T, b *box) {
			proof := whole(outbox.Ack, ":a")
			proof.Family = "plural"
			e := start(t, b, proof)
			writes(t, b, replyTimeout, "whole")
			if late { // confirmed after it was split
				answers(t, b, "no", "whole")
				writes(t, b, replyTimeout, "a")
			}
			answers(t, b, "ok", "whole")
			assert.Equal(t, "ok", (<-e.out).Answer)

			plurals(t, b, 3)
			suspect(t, b, "w0")
			writes(t, b, replyTimeout, "w0/0")
			answers(t, b, "ok", "w0/0")
			writes(t, b, replyTimeout, "w0/1", "w1")
			answers(t, b, "ok", "w0/1", "w1")
			writes(t, b, replyTimeout, "w2")
		})
	}
}
