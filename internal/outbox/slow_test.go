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

// lose loses a link with requests of class Send in flight, and begins the next one.
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
	for _, word := range []string{"ok", "no"} { // any answer counts
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
			assert.True(t, isWoken(b), "the first request may be written")
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

// A send-only client has no List, so its slow start does not wait for one.
func TestASlowStartWithoutAList(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		lose(t, b, "a", "b", "c", "d")
		writes(t, b, replyTimeout, "a")
		answers(t, b, "ok", "a")
		writes(t, b, replyTimeout, "b", "c")
		answers(t, b, "busy", "c") // a request in backoff is not in flight
		writes(t, b, backoff(1), "d")
	})
}

// A List or request delays others for at most a reply timeout. A request without a reply in time delays no others, on
// this link or the next.
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

// The bound is one reply timeout also for a request with a longer timeout, after an attempt without a reply and a
// transient rejection.
func TestASlowStartGoesOnBeforeALongTimeout(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		send(t, b, "slow")
		writes(t, b, replyTimeout, "slow")
		time.Sleep(replyTimeout)
		writes(t, b, 2*replyTimeout, "slow")
		answers(t, b, "busy", "slow")
		time.Sleep(backoff(1))
		writes(t, b, 2*replyTimeout, "slow")
		b.Down(true)
		b.Up()
		send(t, b, "young")
		writes(t, b, replyTimeout, "slow")
		time.Sleep(replyTimeout)
		writes(t, b, replyTimeout, "young")
	})
}

// A request without a reply in time no longer counts, while requests written after it still do.
func TestASlowStartDoesNotCountLateRequests(t *testing.T) {
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
		writes(t, b, replyTimeout/2, "b", "g", "h", "i", "j", "k") // b is written again and does not count
		assert.Equal(t, 8, b.Left().Open, "doubled, because the peer accepted b")
		answers(t, b, "ok", "b")
		writes(t, b, replyTimeout/2, "l")
	})
}

// After a lost link, a peer that accepts every frame gets all requests within half an hour, even if it answers none
// because of pushes.
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

// A suspect waits for the List as long as other requests do, even if it is the only one. No request is blamed while the
// List is unanswered.
func TestASuspectBeforeALateList(t *testing.T) {
	p := &distantPeer{pushes: replyTimeout + replyTimeout/5, accepts: isNotPoison}
	runDistant(t, p, func(t *testing.T, p *distantPeer) {
		poisoned := send(t, p.b, "poison")
		for p.links < 20 && len(poisoned.out) == 0 {
			p.serve(t)
		}
		assert.ErrorIs(t, (<-poisoned.out).Err, outbox.ErrLinkLost)
	})
}

// All replies come after the reply timeout, and one request gets none. The others are confirmed.
func TestLatencyAboveTheReplyTimeout(t *testing.T) {
	for _, n := range []int{1, 2, 5, 20} {
		for _, first := range []bool{true, false} {
			p := &distantPeer{latency: replyTimeout + replyTimeout/5, accepts: isNotPoison}
			runDistant(t, p, func(t *testing.T, p *distantPeer) {
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

// The turn of a suspect is bounded separately. After it, the suspect delays no others.
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

// During a slow start, Quiesce continues acknowledgements slowly. Sends follow after Resume.
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
		writes(t, b, replyTimeout, "a0", "a1") // acknowledgements continue slowly
		answers(t, b, "ok", "a0", "a1")
		writes(t, b, replyTimeout, "a2")
		answers(t, b, "ok", "a2")
		writes(t, b, forever)
		b.Resume()
		writes(t, b, replyTimeout, "s1", "s2")
	})
}
