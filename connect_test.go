package blaze_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestALostLinkIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled diary
		release := make(chan struct{})
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			handled.add("%s", textOf(m))
			<-release
			return nil
		}, func(cfg *blaze.Config) { cfg.Workers = 1 })
		r.say("alice", "running")
		r.say("alice", "queued")
		r.Intercept(actionSend, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Hang: true} })
		sent := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			sent <- err
		}()
		synctest.Wait()
		r.Cut()
		synctest.Wait()
		assert.False(t, r.Stats().Connected)
		r.say("bob", "meanwhile")
		assert.NoError(t, <-sent)
		time.Sleep(time.Second)
		assert.Equal(t, []string{"running"}, handled.all())
		s := r.Stats()
		assert.True(t, s.Connected)
		assert.EqualValues(t, 2, s.Connects)
		assert.EqualValues(t, 2, s.Duplicates, "messages in flight were redelivered")
		assert.EqualValues(t, 1, s.Resent)
		assert.Equal(t, 3, s.InboxMessages)
		assert.Len(t, r.Sent(), 1)
		fs := r.written.of(actionSend)
		require.Len(t, fs, 2)
		assert.Equal(t, fs[0], fs[1], "the ids stay")
		assert.Len(t, r.written.of(actionList), 2)
		close(release)
		r.idle()
		assert.Equal(t, []string{"running", "meanwhile", "queued"}, handled.all())
		assert.Equal(t, 2, r.connects.len())
		assert.Equal(t, 1, r.disconnects.len())
	})
}

func TestEndpointsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialled diary
		down := map[string]bool{"localhost:1": true, "127.0.0.1:2": true}
		r := prepare(t, func(cfg *blaze.Config) {
			cfg.Endpoints = []string{"ws://localhost:1/", "ws://127.0.0.1:2/", "ws://localhost:3/"}
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dialled.add("%s", addr)
				if down[addr] {
					return nil, &net.OpError{Op: "dial", Err: errAny}
				}
				return dial(ctx, network, addr)
			}
		})
		r.Intercept(handshake, rejected(blaze.CodeServer))
		r.start(t.Context(), ok)
		time.Sleep(time.Minute)
		round := []string{"localhost:1", "127.0.0.1:2", "localhost:3"}
		assert.Equal(t, append(round, round...), dialled.all(), "a response without an upgrade is a failure")
		assert.Equal(t, []string{"ws://localhost:3/"}, r.connects.all())
		r.Cut()
		time.Sleep(time.Minute)
		assert.Equal(t, "localhost:3", dialled.all()[6], "the healthy one")
		assert.EqualValues(t, 2, r.Stats().Connects)
		assert.Contains(t, r.disconnects.String(), errAny.Error())
		assert.Contains(t, r.disconnects.String(), "ws://127.0.0.1:2/")
	})
}

// A list is written once per link. Its timeout doubles with each link, up to five minutes.
func TestAListThatIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool { return r.Action == actionList }
		r := s.run(ok, nil)
		connects := uint64(1)
		for _, patience := range []time.Duration{
			20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute,
		} {
			time.Sleep(patience - time.Millisecond)
			assert.Equal(t, connects, r.Stats().Connects)
			time.Sleep(time.Millisecond)
			for r.Stats().Connects == connects { // the pause between connections is random
				time.Sleep(time.Millisecond)
			}
			connects++
		}
		assert.Len(t, r.written.of(actionList), int(connects))
	})
}

// The reply may follow pushed messages.
func TestAListIsNotOverdueWhileMessagesCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool { return r.Action == actionList }
		r := s.run(ok, nil)
		synctest.Wait()
		for i := range 60 {
			time.Sleep(19 * time.Second)
			s.conn().push(message("alice", fmt.Sprint(i)))
		}
		synctest.Wait()
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.EqualValues(t, 60, r.Stats().Handled)
		time.Sleep(41 * time.Second)
		assert.EqualValues(t, 2, r.Stats().Connects)
	})
}

func TestStatsOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		start := time.Now()
		time.Sleep(time.Hour)
		r.start(t.Context(), ok)
		synctest.Wait()
		s := r.Stats()
		assert.True(t, s.Connected)
		assert.Equal(t, time.Hour, s.ConnectedAt.Sub(start))
		assert.Equal(t, time.Hour, s.LastRead.Sub(start))
		assert.Equal(t, blaze.Stats{
			Connected: true, ConnectedAt: s.ConnectedAt,
			LastRead: s.LastRead, Connects: 1, FramesRead: 1, FramesWritten: 1,
		}, s)
		r.say("alice", "hello")
		r.idle()
		s = r.Stats()
		assert.EqualValues(t, 3, s.FramesRead)
		assert.EqualValues(t, 2, s.FramesWritten)
		require.NoError(t, r.stop())
		assert.False(t, r.Stats().Connected)
	})
}

func TestClientsInOneProcessAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rigs [3]*rig
		for i := range rigs {
			rigs[i] = run(t, func(ctx context.Context, m *blaze.Message) error {
				return rigs[i].Reply(ctx, m, blaze.Text(fmt.Sprint("from ", i)))
			}, nil)
		}
		for i, r := range rigs {
			r.crowdSays(5 + i)
		}
		for i, r := range rigs {
			r.idle()
			assert.Len(t, r.Sent(), 5+i)
			for _, out := range r.Sent() {
				assert.Equal(t, blaze.Text(fmt.Sprint("from ", i)), out.Payload)
			}
			assert.EqualValues(t, 5+i, r.Stats().Handled)
		}
	})
}

func TestTraceAndLogReportConnectionsAndFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen, connections diary
		r := prepare(t, func(cfg *blaze.Config) {
			frame := func(text []byte) {
				assert.True(t, json.Valid(text))
				seen.add("%s", text)
			}
			cfg.Trace = &blaze.Trace{
				FrameRead: frame, FrameWritten: frame,
				Connected:    func(endpoint string) { connections.add("to %s", endpoint) },
				Disconnected: func(error, time.Duration) { connections.add("lost") },
			}
		})
		r.start(t.Context(), ok)
		r.say("alice", "hello")
		r.idle()
		r.Cut()
		time.Sleep(time.Second)
		assert.EqualValues(t, seen.len(), r.Stats().FramesRead+r.Stats().FramesWritten)
		assert.Equal(t, []string{"to ws://localhost/", "lost", "to ws://localhost/"}, connections.all())
		assert.Equal(t, 2, r.log.count(slog.LevelInfo, "endpoint=ws://localhost/"))
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "blaze: disconnected"))
	})
}

// A client without hooks works.
func TestHooksMayBeMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error { return blaze.ErrDrop }, func(cfg *blaze.Config) {
			cfg.Trace = nil
		})
		id := r.say("alice", "hello")
		r.idle()
		r.Cut()
		time.Sleep(time.Second)
		assert.Equal(t, []string{id}, r.Acked())
		assert.EqualValues(t, 2, r.Stats().Connects)
	})
}

// A link that is cut at once was never healthy, however long its handshake took.
func TestASlowHandshakeIsNoHealthyLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				time.Sleep(6 * time.Second)
				return dial(ctx, network, addr)
			}
		})
		always(r.Server, actionList, blazetest.Answer{Cut: true})
		r.start(t.Context(), ok)
		time.Sleep(5 * time.Minute)
		longest := time.Duration(0)
		for _, d := range r.waits.durations(t) {
			longest = max(longest, d)
		}
		assert.Greater(t, longest, time.Second)
		require.NoError(t, r.stop())
		time.Sleep(6 * time.Second) // until the dialer returns, which ignores its context
	})
}
