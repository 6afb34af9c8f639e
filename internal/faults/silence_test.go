package faults_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func nothing(context.Context, *blaze.Message, blaze.Payload) error { return nil }

// Fault 15: both directions are dead. A Send keeps its id on the next connection.
func TestFault15HalfOpen(t *testing.T) {
	bubble(t, nil, nil, func(t *testing.T, b *bench) {
		time.Sleep(time.Minute) // pings were answered
		b.allTaps()[0].vanish(true, true)
		began := time.Now()
		id, err := b.send(t.Context(), "hello")
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 36*time.Second)
		require.Len(t, b.failures(), 1)
		assert.ErrorContains(t, b.failures()[0], "no sign of life")
		require.Len(t, b.s.Sent(), 1)
		assert.Equal(t, id, b.s.Sent()[0].MessageID)
		fired(t, 15)
	})
}

// Fault 16: one direction is dead. If it is that to the server, the server gets no pong and disconnects, unless it does
// not check pongs or its FIN is lost too.
func TestFault16HalfOpenOneWay(t *testing.T) {
	t.Run("up", func(t *testing.T) { oneWay(t, true, "the connection broke") })
	// The server gets no pong in this case either. Its disconnect after 30 s may be noticed before the silence.
	t.Run("down", func(t *testing.T) { oneWay(t, false, "no sign of life|closed pipe") })
	t.Run("up, quiet", func(t *testing.T) { deaf(t, false, 36*time.Second, "no sign of life") })
	t.Run("up, while messages come", func(t *testing.T) {
		deaf(t, true, 3*time.Minute+15*time.Second, "a ping was not answered")
	})
}

// oneWay turns one direction into a black hole.
func oneWay(t *testing.T, up bool, reason string) {
	bubble(t, blaze.On(nothing), nil, func(t *testing.T, b *bench) {
		b.allTaps()[0].vanish(up, !up)
		b.replaced(t, 36*time.Second, reason)
	})
}

// deaf uses a peer that replies to the first request and to nothing else, not even to pings. If pushes is set, it
// pushes messages.
func deaf(t *testing.T, pushes bool, most time.Duration, reason string) {
	bubble(t, blaze.On(nothing), func(b *bench) {
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			r, err := c.Next()
			if err != nil || c.Reply(r, "") != nil {
				return
			}
			var gone sync.WaitGroup
			defer gone.Wait()
			over := make(chan struct{})
			gone.Go(func() {
				defer close(over)
				c.Drain()
			})
			for n := 0; ; n++ {
				select {
				case <-time.After(5 * time.Second):
				case <-over:
					return
				}
				if pushes && c.Push(pushOf(blaze.DeriveID(fmt.Sprint(n)), "PLAIN_TEXT", `"data":"aGVsbG8="`)) != nil {
					return
				}
			}
		})
	}, func(t *testing.T, b *bench) { b.replaced(t, most, reason) })
}

// replaced sends a text over a half-dead connection. It checks that the connection is replaced in time, with an error
// that matches reason.
func (b *bench) replaced(t *testing.T, most time.Duration, reason string) {
	began := time.Now()
	_, err := b.send(t.Context(), "hello")
	require.NoError(t, err)
	assert.LessOrEqual(t, time.Since(began), most+5*time.Second)
	require.Len(t, b.failures(), 1)
	assert.Regexp(t, reason, b.failures()[0].Error())
	assert.Len(t, b.s.Sent(), 1)
	b.settled()
	fired(t, 16)
}

// Fault 17 in memory: a blocked write fails after 10 seconds, and the client reads for one more second. Until then it
// receives messages, and a Send ends with its context.
func TestFault17SlowReader(t *testing.T) {
	var handled atomic.Int64
	handler := blaze.On(func(context.Context, *blaze.Message, blaze.Payload) error {
		handled.Add(1)
		return nil
	})
	bubble(t, handler, func(b *bench) {
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			if _, err := c.Next(); err != nil {
				return
			}
			time.Sleep(2 * time.Second) // no reads after it
			_ = c.Push(pushOf("00000000-0000-4000-8000-000000000001", "PLAIN_TEXT", `"data":"aGVsbG8="`))
			time.Sleep(time.Minute)
		})
	}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := b.send(ctx, "hello")
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
		assert.Equal(t, time.Second, time.Since(began))
		time.Sleep(2 * time.Second)
		assert.EqualValues(t, 1, handled.Load())
		assert.Empty(t, b.failures())

		_, err = b.send(t.Context(), "again")
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 12*time.Second)
		assert.ErrorContains(t, b.failures()[0], "write: ")
		fired(t, 17)
		time.Sleep(time.Minute)
	})
}

// pushOf returns the JSON of a pushed message of alice.
func pushOf(id, category, rest string) string {
	return `{"id":"` + blaze.DeriveID(id) + `","action":"CREATE_MESSAGE","data":{"type":"message","user_id":"` + alice +
		`","session_id":"` + alice + `","conversation_id":"` + blazetest.UserID("a conversation") +
		`","message_id":"` + id + `","category":"` + category + `","created_at":"2026-01-02T03:04:05Z",` + rest + `}}`
}

// Fault 18: single bytes do not count as a sign of life: 16 KiB must arrive within the bound.
func TestFault18SlowWriter(t *testing.T) {
	bubble(t, nil, func(b *bench) {
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			go c.Drain()
			for _, p := range wspeer.Pack(noise(4 << 10)) {
				if c.Send([]byte{p}) != nil {
					fired(t, 18)
					return
				}
				time.Sleep(time.Second)
			}
		})
	}, func(t *testing.T, b *bench) {
		began := time.Now()
		_, err := b.send(t.Context(), "hello")
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 40*time.Second,
			"the first bytes are a header, and the rest is nothing")
		assert.ErrorContains(t, b.failures()[0], "no sign of life")
		time.Sleep(time.Second)
	})
}

// Fault 56: the machine was suspended for ten minutes. The next ping detects it, and the link is replaced.
func TestFault56Suspend(t *testing.T) { jump(t, 56, 10*time.Minute) }

// Fault 55: the wall clock is set back while the client runs. No timer depends on it. The link is replaced, because the
// jump may also be the correction of a wrong clock. A small jump has no effect.
func TestFault55ClockIsSet(t *testing.T) {
	t.Run("back", func(t *testing.T) { jump(t, 55, -10*time.Minute) })
	t.Run("a little", func(t *testing.T) { jump(t, 55, 20*time.Second) })
}

// jump sets the wall clock while a client runs. It checks that a jump of more than 30 s ends the link.
func jump(t *testing.T, row int, by time.Duration) {
	var ahead atomic.Int64
	ctx := link.WithWall(context.Background(), func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		defer s.Close()
		b := newBench(t, s)
		b.run(ctx, blaze.On(nothing))
		time.Sleep(time.Hour)
		assert.Empty(t, b.failures())
		ahead.Store(int64(by))
		time.Sleep(16 * time.Second)
		lost := 0
		if by.Abs() > 30*time.Second {
			lost = 1
			require.Len(t, b.failures(), 1)
			assert.ErrorContains(t, b.failures()[0], "the clock jumped")
		}
		assert.Equal(t, 1+lost, b.connects())
		time.Sleep(time.Hour)
		assert.Equal(t, 1+lost, b.connects(), "one jump ends one link")
		assert.Len(t, b.failures(), lost)
		require.NoError(t, b.stop())
		fired(t, row)
	})
}
