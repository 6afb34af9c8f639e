package outbox_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// lose loses a link on which requests of class Send are unanswered, and begins the next one.
func lose(t *testing.T, b *box, unanswered ...string) {
	t.Helper()
	for _, id := range unanswered {
		send(t, b, id)
	}
	writes(t, b, replyTimeout, unanswered...)
	b.Down(true)
	b.Up()
}

func isWoken(b *box) bool {
	select {
	case <-b.Wake():
		return true
	default:
		return false
	}
}

func TestASlowStart(t *testing.T) {
	for _, word := range []string{"ok", "no"} { // whatever the answers are
		cfg := config()
		cfg.Len, cfg.Bytes = 5000, 100_000
		run(t, cfg, func(t *testing.T, b *box) {
			all := names("s", 0, 3000)
			lose(t, b, all...)
			start(t, b, request("list", outbox.List))
			writes(t, b, replyTimeout, "list")
			time.Sleep(time.Second)
			writes(t, b, replyTimeout-time.Second)
			isWoken(b)
			answers(t, b, word, "list")
			assert.True(t, isWoken(b), "a request may be written")
			open, oldest := 0, 0
			for window := 1; window < 1024; window *= 2 {
				writes(t, b, replyTimeout, all[oldest+open:oldest+window]...)
				assert.Equal(t, window, b.Left().Open)
				isWoken(b)
				answers(t, b, word, all[oldest])
				assert.True(t, isWoken(b), "more may be written")
				oldest, open = oldest+1, window-1
			}
			writes(t, b, replyTimeout, all[oldest+open:]...)
		})
	}
}

// Without a List, as where only Sends are wanted, nothing is to be awaited.
func TestASlowStartWithoutAList(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		lose(t, b, "a", "b", "c", "d")
		writes(t, b, replyTimeout, "a")
		answers(t, b, "ok", "a")
		writes(t, b, replyTimeout, "b", "c")
		answers(t, b, "busy", "c") // and what rests is not unanswered
		writes(t, b, rest(1), "d")
	})
}

// No List and no request holds others back for longer than a reply timeout. What had no reply in time holds nobody
// back, on the next link either.
func TestASlowStartGoesOnWithoutAnswers(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		old := names("old", 0, 2)
		sends(t, b, old...)
		for _, timeout := range []time.Duration{replyTimeout, 2 * replyTimeout} {
			writes(t, b, timeout, old...)
			time.Sleep(timeout)
		}
		writes(t, b, 4*replyTimeout, old...)
		lose(t, b, "young", "younger")
		time.Sleep(time.Second)
		start(t, b, request("list", outbox.List))
		writes(t, b, replyTimeout-time.Second, "list")
		time.Sleep(replyTimeout - time.Second)
		writes(t, b, replyTimeout, append(old, "young")...)
		time.Sleep(replyTimeout - 1)
		writes(t, b, 1)
		time.Sleep(time.Nanosecond)
		writes(t, b, replyTimeout, "young", "younger")
	})
}

// Nor does a request that had no reply in time once, was refused for a passing reason, and has a longer timeout since.
func TestASlowStartGoesOnBeforeALongTimeout(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		send(t, b, "slow")
		writes(t, b, replyTimeout, "slow")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "slow")
		answers(t, b, "busy", "slow")
		time.Sleep(rest(1))
		writes(t, b, 2*replyTimeout, "slow")
		b.Down(true)
		b.Up()
		send(t, b, "young")
		writes(t, b, replyTimeout, "slow")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "young")
	})
}

// What had no reply in time counts no more, although others that are written later still do.
func TestASlowStartDoesNotCountTheLate(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		lose(t, b, "a", "b", "c", "d", "e", "f")
		writes(t, b, replyTimeout, "a")
		answers(t, b, "ok", "a")
		writes(t, b, replyTimeout, "b", "c")
		time.Sleep(replyTimeout / 2)
		answers(t, b, "ok", "c")
		writes(t, b, replyTimeout/2, "d", "e", "f")
		sends(t, b, "g", "h", "i", "j", "k", "l")
		writes(t, b, replyTimeout/2)
		time.Sleep(replyTimeout / 2)
		writes(t, b, replyTimeout/2, "b", "g", "h", "i", "j", "k") // b again, which takes no place of others
		assert.Equal(t, 8, b.Left().Open, "four, and twice as many because the peer bears b")
		answers(t, b, "ok", "b")
		writes(t, b, replyTimeout/2, "l")
	})
}

// A peer that bears everything and answers behind pushes, after half an hour, gets everything: also where a link was
// lost before.
func TestAPeerThatAnswersBehindPushes(t *testing.T) {
	cfg := config()
	cfg.Len = 2000
	run(t, cfg, func(t *testing.T, b *box) {
		lose(t, b, "lost")
		sends(t, b, names("s", 0, 1000)...)
		start(t, b, request("list", outbox.List))
		written := make(map[string]bool)
		for end := time.Now().Add(30 * time.Minute); time.Now().Before(end); {
			frame, _, wait, err := b.Next()
			require.NoError(t, err)
			if frame == nil {
				time.Sleep(max(wait, time.Second))
				continue
			}
			written[string(frame)] = true
		}
		assert.Len(t, written, 1+1000+1)
	})
}

// A suspect with nothing else to be written waits for the List as long as others do: beside an unanswered List nobody
// is blamed.
func TestASuspectBeforeALateList(t *testing.T) {
	p := &far{pushes: replyTimeout + replyTimeout/5, bears: func(id string) bool { return id != "poison" }}
	runFar(t, p, func(t *testing.T, p *far) {
		poisoned := send(t, p.b, "poison")
		for p.links < 20 && len(poisoned.out) == 0 {
			p.serve(t)
		}
		assert.ErrorIs(t, (<-poisoned.out).Err, outbox.ErrLinkLost)
	})
}

// Everything is answered later than the reply timeout, and one request not at all. The others are confirmed.
func TestLatencyAboveTheReplyTimeout(t *testing.T) {
	for _, n := range []int{1, 2, 5, 20} {
		for _, first := range []bool{true, false} {
			p := &far{latency: replyTimeout + replyTimeout/5, bears: func(id string) bool { return id != "poison" }}
			runFar(t, p, func(t *testing.T, p *far) {
				all := append(names("s", 0, n), "poison")
				if first {
					slices.Reverse(all)
				}
				others := sends(t, p.b, all...)
				at := slices.Index(all, "poison")
				poisoned := others[at]
				others = slices.Delete(others, at, at+1)
				k := 0
				for p.links < 100 && (k < n || len(poisoned.out) == 0) {
					p.serve(t)
					k += confirmed(t, others)
				}
				assert.Equal(t, n, k, "%d others, poison first: %v; %d links", n, first, p.links)
				assert.ErrorIs(t, (<-poisoned.out).Err, outbox.ErrLinkLost)
			})
		}
	}
}

// The turn of a suspect has a bound of its own: after it, the suspect keeps nobody back.
func TestASlowStartDoesNotCountASuspect(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		send(t, b, "suspect")
		send(t, b, "old")
		suspect(t, b, "suspect")
		writes(t, b, replyTimeout, "old")
		time.Sleep(replyTimeout / 2)
		answers(t, b, "ok", "old")
		sends(t, b, "y0", "y1", "y2")
		writes(t, b, replyTimeout/2, "suspect")
		assert.Zero(t, b.Left().Open)
		time.Sleep(replyTimeout / 2)
		writes(t, b, replyTimeout/2, "y0", "y1")
	})
}

func TestWhichLinksStartSlowly(t *testing.T) {
	isSlow := func(t *testing.T, b *box) bool {
		b.Up()
		sends(t, b, "x", "y")
		frame, _, _, _ := b.Next()
		require.NotNil(t, frame)
		frame, _, _, _ = b.Next()
		return frame == nil
	}
	for name, c := range map[string]struct {
		slow bool
		life func(t *testing.T, b *box)
	}{
		"lost with a request": {true, func(t *testing.T, b *box) {
			send(t, b, "s")
			writes(t, b, replyTimeout, "s")
			b.Down(true)
			b.Down(true) // changes nothing
		}},
		"ended by this side": {false, func(t *testing.T, b *box) {
			send(t, b, "s")
			writes(t, b, replyTimeout, "s")
			b.Down(false)
		}},
		"lost with an answered request": {false, func(t *testing.T, b *box) {
			send(t, b, "s")
			writes(t, b, replyTimeout, "s")
			answers(t, b, "ok", "s")
			b.Down(true)
		}},
		"lost with a list": {false, func(t *testing.T, b *box) {
			listed(t, b)
			b.Down(true)
		}},
		"lost with a list, after another answer": {false, func(t *testing.T, b *box) {
			send(t, b, "s")
			listed(t, b)
			writes(t, b, replyTimeout, "s")
			answers(t, b, "ok", "s")
			b.Down(true)
		}},
		"ended by this side during a slow start": {true, func(t *testing.T, b *box) {
			lose(t, b, "s")
			b.Down(false)
		}},
		"lost with nothing unanswered during a slow start": {true, func(t *testing.T, b *box) {
			lose(t, b, "s")
			b.Down(true)
		}},
		"after a slow start": {false, func(t *testing.T, b *box) {
			all := names("s", 0, 10)
			lose(t, b, all...)
			for _, id := range all {
				_, _, _, err := b.Next()
				require.NoError(t, err)
				answers(t, b, "ok", id)
			}
			b.Down(true)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, config(), func(t *testing.T, b *box) {
				c.life(t, b)
				assert.Equal(t, c.slow, isSlow(t, b))
			})
		})
	}
}

// A pause during a slow start lets acknowledgements be written, slowly, and Sends follow it.
func TestQuiesceDuringASlowStart(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		lose(t, b, "s0", "s1", "s2")
		writes(t, b, replyTimeout, "s0")
		for i := range 3 {
			start(t, b, request(fmt.Sprint("a", i), outbox.Ack))
		}
		writes(t, b, replyTimeout)
		done := b.Quiesce()
		assert.False(t, isQuiet(done))
		answers(t, b, "ok", "s0")
		assert.True(t, isQuiet(done))
		writes(t, b, replyTimeout, "a0", "a1") // acknowledgements go on, slowly
		answers(t, b, "ok", "a0", "a1")
		writes(t, b, replyTimeout, "a2")
		answers(t, b, "ok", "a2")
		writes(t, b, forever)
		b.Resume()
		writes(t, b, replyTimeout, "s1", "s2")
	})
}
