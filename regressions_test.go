package blaze_test

import (
	"context"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// always arms an interception that arms itself again.
func always(s *blazetest.Server, action string, answer blazetest.Answer) {
	s.Intercept(action, func(blazetest.Frame) blazetest.Answer {
		always(s, action, answer)
		return answer
	})
}

// What the gate waits for does not come any more once Run drains: its timer must not cut the link under a handler.
func TestTheGateDoesNotCutADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if textOf(m) == "slow" {
				time.Sleep(30 * time.Second)
				return r.Reply(ctx, m, blaze.Text("done"))
			}
			return nil
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Drain = 2048, time.Minute })
		synctest.Wait()
		r.Intercept(actionList, func(blazetest.Frame) blazetest.Answer { // answered, and the pushes are still under way
			return blazetest.Answer{Reply: &blazetest.Frame{}}
		})
		slow := r.say("u0", "slow")
		for _, u := range []string{"u1", "u2", "u3"} {
			r.say(u, "x")
		}
		time.Sleep(time.Second)
		require.Len(t, r.written.of(actionList), 2, "the gate has asked")
		r.cancel()
		require.NoError(t, r.wait())
		assert.Len(t, r.Sent(), 1)
		assert.Contains(t, r.Acked(), slow)
	})
}

// A server that puts several acknowledgements in one frame off for ever may take them one by one.
func TestPluralAcknowledgementsThatAreAlwaysPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, nil)
		synctest.Wait()
		always(r.Server, actionAcks, blazetest.Refuse(blaze.CodeServer))
		for range 3 {
			r.say("alice", "x")
		}
		r.idle()
		synctest.Wait()
		assert.EqualValues(t, 3, r.Stats().Acked)
		assert.Zero(t, r.Stats().AcksForgotten)
		assert.Len(t, r.written.of(actionAck), 3)
	})
}

// However long a handshake takes, a link that is cut at once was never healthy.
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
	})
}

// A message that was stored, and whose repetition was refused, is not reported as if nothing had been stored.
func TestStoredAndThenRefused(t *testing.T) {
	for code, stored := range map[blaze.Code]bool{
		blaze.CodeForbidden: true, blaze.CodeNotFound: true, blaze.CodeGroupFull: true,
		blaze.CodeInvalidField: false, blaze.CodeBadRequest: false, // about the request itself: the first try was refused alike
	} {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, nil, nil)
			synctest.Wait()
			r.Intercept(actionSend, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Cut: true, Hang: true} })
			r.Intercept(actionSend, func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(code) })
			_, err := r.Send(t.Context(), r.ToUser(blazetest.UserID("alice"), blaze.Text("x")))
			require.ErrorIs(t, err, code)
			var unconfirmed *blaze.UnconfirmedError
			if !stored {
				require.NotErrorAs(t, err, &unconfirmed)
				return
			}
			require.ErrorAs(t, err, &unconfirmed)
			assert.Equal(t, r.Sent()[0].MessageID, unconfirmed.MessageID)
		})
	}
}

func TestAckTakesIDsInAnyCaseAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual })
		id := r.say("alice", "x")
		synctest.Wait()
		err := r.Ack(t.Context(), blaze.StatusRead, id, "no uuid")
		requireInvalid(t, err, "messageIDs[1]")
		assert.Empty(t, r.written.of(actionAck))
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, strings.ToUpper(id)))
		assert.Equal(t, []string{id}, r.Acked())
	})
}

func TestConfigRefusesWhatCannotBeMeant(t *testing.T) {
	s := blazetest.NewServer()
	defer s.Close()
	for field, edit := range map[string]func(*blaze.Config){
		"Config.Workers":      func(c *blaze.Config) { c.Workers = -1 },
		"Config.InboxBytes":   func(c *blaze.Config) { c.InboxBytes = -1 },
		"Config.OutboxLen":    func(c *blaze.Config) { c.OutboxLen = -1 },
		"Config.AckBatch":     func(c *blaze.Config) { c.AckBatch = 101 },
		"Config.Ack":          func(c *blaze.Config) { c.Ack = 3 },
		"Config.AckStatus":    func(c *blaze.Config) { c.AckStatus = blaze.StatusSent },
		"Config.Drain":        func(c *blaze.Config) { c.Drain = 5 }, // nanoseconds
		"Config.ReplyTimeout": func(c *blaze.Config) { c.ReplyTimeout = 20 },
		"Config.Endpoints[0]": func(c *blaze.Config) { c.Endpoints = []string{"ws://blaze.mixin.one/"} },
		"Config.Endpoints[1]": func(c *blaze.Config) { c.Endpoints = []string{"wss://blaze.mixin.one", "wss://blaze.mixin.one/path"} },
	} {
		cfg := s.Config
		edit(&cfg)
		_, err := blaze.New(s.Key, &cfg)
		requireInvalid(t, err, field)
	}
	for _, d := range []time.Duration{-time.Second, time.Hour + 1, math.MaxInt64} {
		_, err := blaze.New(s.Key, &blaze.Config{ReplyTimeout: d})
		requireInvalid(t, err, "Config.ReplyTimeout")
	}
	_, err := blaze.New(s.Key, &blaze.Config{ReplyTimeout: time.Hour, Drain: -1, HandlerAttempts: -1, SendAttempts: -1})
	require.NoError(t, err)
}
