package faults_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/faultproxy"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// Faults 13 and 14: the connection breaks after each byte of a conversation, including the handshake, the header of a
// frame, the gzip data, and between frames. In each direction the script is the same on every connection: handshake,
// list request, a message, its reply, its acknowledgement. Connection n breaks after byte n.
func TestFault13ResetAtEveryByte(t *testing.T) { sweepBoth(t, 13, faultproxy.Reset) }

// Fault 14: the same with a FIN.
func TestFault14FinAtEveryByte(t *testing.T) { sweepBoth(t, 14, faultproxy.Finish) }

func sweepBoth(t *testing.T, row int, kind faultproxy.Kind) {
	for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
		t.Run(d.String(), func(t *testing.T) {
			up, down := scriptLength(t)
			length := map[faultproxy.Direction]int64{faultproxy.Up: up, faultproxy.Down: down}[d]
			step := int64(1)
			if testkit.Race {
				step = 13
			}
			n := sweep(t, faultproxy.Fault{Kind: kind, Direction: d}, length, step)
			require.GreaterOrEqual(t, int64(n), length/step)
			firedN(t, row, n)
			t.Logf("%d bytes, broken behind %d of them", length, n)
		})
	}
}

// conversation is a bot that records message ids and replies to each message.
type conversation struct {
	testkit.Diary // ids of messages
	b             *bench
}

func (v *conversation) handle(ctx context.Context, m *blaze.Message, text blaze.Text) error {
	v.Add("%s", m.ID)
	assert.Equal(v.b.t, blaze.Text("hello "+m.ID), text)
	return v.b.c.Reply(ctx, m, "seen "+blaze.Text(m.ID))
}

// deliver delivers a message that contains its own id.
func (v *conversation) deliver(n int) {
	id := blaze.DeriveID(v.b.t.Name(), fmt.Sprint(n))
	v.b.s.Deliver(alice, blaze.Outgoing{MessageID: id, Payload: blaze.Text("hello " + id)})
}

// verify checks that each of n messages was handled once, answered once and acknowledged.
func (v *conversation) verify(n int) {
	seen := v.All()
	slices.Sort(seen)
	assert.Len(v.b.t, slices.Compact(slices.Clone(seen)), n)
	assert.Len(v.b.t, seen, n, "each message once: %v", seen)
	assert.Empty(v.b.t, v.b.s.Pending())
	assert.Len(v.b.t, v.b.s.Acked(), n)
	answers := make(map[blaze.Payload]int)
	for _, out := range v.b.s.Sent() {
		answers[out.Payload]++
	}
	assert.Len(v.b.t, answers, n)
	assert.Len(v.b.t, v.b.s.Sent(), n)
}

// proxied is overTCP through a proxy.
func proxied(t *testing.T, plan func(int) faultproxy.Plan) (*bench, context.Context, *faultproxy.Proxy) {
	b, ctx := overTCP(t)
	target := strings.TrimSuffix(strings.TrimPrefix(b.s.Config.Endpoints[0], "ws://"), "/")
	proxy, err := faultproxy.New(target, plan)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	b.cfg.Endpoints = []string{"ws://" + proxy.Addr() + "/"}
	return b, ctx, proxy
}

// converse runs a bot behind a proxy. The bot acknowledges each message alone.
func converse(t *testing.T, plan func(int) faultproxy.Plan) (*conversation, *faultproxy.Proxy) {
	b, ctx, proxy := proxied(t, plan)
	b.cfg.AckBatch = 1
	b.cfg.SendAttempts = -1 // hundreds of connections in sequence break at the same request
	v := &conversation{b: b}
	b.run(ctx, blaze.On(v.handle))
	return v, proxy
}

// scriptLength returns the bytes of the script in each direction.
func scriptLength(t *testing.T) (up, down int64) {
	v, _ := converse(t, func(int) faultproxy.Plan { return nil })
	v.deliver(0)
	require.NoError(t, v.b.s.Idle(t.Context()))
	tap := v.b.allTaps()[0]
	tap.mu.Lock()
	up, down = tap.up, tap.down
	tap.mu.Unlock()
	require.NoError(t, v.b.stop())
	v.verify(1)
	return up, down
}

// sweep breaks connection n after byte n*step of the script, until the script has ended. It returns the number of
// broken connections.
func sweep(t *testing.T, f faultproxy.Fault, length, step int64) int {
	v, proxy := converse(t, func(n int) faultproxy.Plan {
		f := f
		if f.At = int64(n) * step; f.At > length {
			return nil
		}
		return faultproxy.Plan{f}
	})
	delivered := 0
	for at := int64(0); at <= length; at += step {
		for broken := false; !broken; {
			v.deliver(delivered)
			delivered++
			broken = v.untilBroken()
		}
	}
	v.deliver(delivered)
	require.NoError(t, v.b.s.Idle(t.Context()))
	require.NoError(t, v.b.stop())
	v.verify(delivered + 1)
	return int(proxy.Count(f.Kind, f.Direction))
}

// untilBroken waits until the connection breaks or the server is idle. It reports whether the connection broke.
func (v *conversation) untilBroken() bool {
	ctx, cancel := context.WithCancel(v.b.t.Context())
	idle := make(chan error, 1)
	go func() { idle <- v.b.s.Idle(ctx) }()
	defer cancel()
	for {
		select {
		case event := <-v.b.events:
			if event == "disconnected" {
				return true
			}
		case err := <-idle:
			require.NoError(v.b.t, err)
			return false
		}
	}
}

// Fault 60: after many connections, some of them rejected, no file descriptor is left.
func TestFault60Descriptors(t *testing.T) {
	times := 10_000
	if testkit.Race {
		times = 1_000
	}
	b, ctx := overTCP(t)
	for range times {
		b.s.Intercept(list, testkit.Answer(blazetest.Answer{Cut: true}))
	}
	for range times / 10 {
		b.s.Intercept(handshake, testkit.Answer(blazetest.Refuse(blaze.CodeServer)))
	}
	b.run(ctx, blaze.On(nothing))
	var early int
	for n := range times + times/10 {
		b.await("disconnected")
		if n == 10 {
			early = descriptors(t)
		}
	}
	b.deliver("the last connection stays")
	require.NoError(t, b.s.Idle(t.Context()))
	assert.InDelta(t, early, descriptors(t), 8, "a connection has two ends, and one of them closes a moment later")
	require.NoError(t, b.stop())
	firedN(t, 60, len(b.failures()))
}

// descriptors returns the number of open file descriptors. It returns 0 on systems other than Linux, which have no
// /proc/self/fd.
func descriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// noise returns text that does not compress well.
func noise(n int) string {
	var s strings.Builder
	for i := 0; s.Len() < n; i++ {
		s.WriteString(blazetest.UserID(fmt.Sprint(i)))
	}
	return s.String()[:n]
}
