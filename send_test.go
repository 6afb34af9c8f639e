package blaze_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

var textA = blaze.To(conversationA, blaze.Text("x"))

// inBubble runs a client without a handler against a server in memory and records the frames that the client writes.
func inBubble(
	t *testing.T, edit func(*blaze.Config), test func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var w frames
		s, c := begin(t, nil, func(cfg *blaze.Config) {
			w.tap(cfg)
			if edit != nil {
				edit(cfg)
			}
		})
		test(t, s, c, &w)
	})
}

// answers sets the answers to the next requests of an action, in order.
func answers(s *blazetest.Server, action string, as ...blazetest.Answer) {
	for _, a := range as {
		s.Intercept(action, func(blazetest.Frame) blazetest.Answer { return a })
	}
}

var (
	hang         = blazetest.Answer{Hang: true}
	cutUnstored  = blazetest.Answer{Cut: true}
	cutStored    = blazetest.Answer{Hang: true, Cut: true}
	slowDown     = blazetest.Refuse(blaze.CodeTooManyRequests)
	serverFailed = blazetest.Refuse(blaze.CodeServer)
	forbidden    = blazetest.Refuse(blaze.CodeForbidden)
)

func TestSendIsConfirmed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		sent, err := c.Send(t.Context(), textA)
		require.NoError(t, err)
		assert.Regexp(t, frameID, sent.MessageID, "a new random id")
		assert.Equal(t, conversationA, sent.ConversationID)
		out, err := s.Next(t.Context())
		require.NoError(t, err)
		assert.Equal(t,
			blaze.Outgoing{ConversationID: conversationA, MessageID: sent.MessageID, Payload: blaze.Text("x")}, out)
		again, err := c.Send(t.Context(), textA)
		require.NoError(t, err)
		assert.NotEqual(t, sent.MessageID, again.MessageID)
		assert.NotEqual(t, w.all()[0].ID, w.all()[1].ID)
		assert.EqualValues(t, 2, c.Stats().Sent)
		assert.Zero(t, c.Stats().OutboxRequests)
	})
}

// A permanent rejection is returned at once, to its sender only, with the complete error of the server. In an existing
// client 403 counts as success, and 10002 is retried for ever.
func TestSendRejected(t *testing.T) {
	for _, code := range []blaze.Code{
		blaze.CodeBadRequest, blaze.CodeForbidden, blaze.CodeNotFound,
		blaze.CodeInvalidField, blaze.CodeGroupFull, blaze.CodeChecksum, 20121, 99999,
	} {
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
				extra := json.RawMessage(`{"field":"data","reason":"too long"}`)
				answers(s, actionSend, blazetest.Answer{Reply: &blazetest.Frame{
					Error: &blaze.Error{Code: code, Status: 202, Description: "No.", Extra: extra},
				}})
				began := time.Now()
				out := textA
				out.MessageID = messageA
				sent, err := c.Send(t.Context(), out)
				assert.Zero(t, sent)
				assert.Zero(t, time.Since(began))
				var rejected *blaze.Error
				require.ErrorAs(t, err, &rejected)
				assert.Equal(t, &blaze.Error{
					Code: code, Status: 202, Description: "No.", Extra: extra, Action: actionSend, MessageID: messageA,
				}, rejected)
				assert.ErrorIs(t, err, code)
				assert.False(t, rejected.Temporary())
				assert.Contains(t, err.Error(), messageA)
				_, err = c.Send(t.Context(), textA)
				require.NoError(t, err, "only that message was rejected")
				time.Sleep(time.Hour)
				assert.Equal(t, []string{actionSend, actionSend}, w.actions())
				assert.Len(t, s.Sent(), 1)
			})
		})
	}
}

// A reply is matched by its id, whatever its action is.
func TestSendRejectedByAnErrorFrame(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, _ *frames) {
		answers(s, actionSend,
			blazetest.Answer{Reply: &blazetest.Frame{Action: "ERROR", Error: &blaze.Error{Code: 403, Status: 202}}})
		_, err := c.Send(t.Context(), textA)
		var rejected *blaze.Error
		require.ErrorAs(t, err, &rejected)
		assert.Equal(t, actionSend, rejected.Action)
		assert.ErrorIs(t, err, blaze.CodeForbidden)
	})
}

func TestSendRejectedAsTransient(t *testing.T) {
	for _, code := range []blaze.Code{429, 500, 7000, 7001} {
		for attempts, want := range map[int]int{0: 5, 1: 1, 3: 3} {
			t.Run(fmt.Sprintf("%d, %d attempts", code, attempts), func(t *testing.T) {
				inBubble(t, func(cfg *blaze.Config) {
					cfg.SendAttempts = attempts
				}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
					for range want {
						answers(s, actionSend, blazetest.Refuse(code))
					}
					began := time.Now()
					_, err := c.Send(t.Context(), textA)
					var rejected *blaze.Error
					require.ErrorAs(t, err, &rejected)
					assert.True(t, rejected.Temporary())
					assert.ErrorIs(t, err, code)
					var unconfirmed *blaze.UnconfirmedError
					assert.NotErrorAs(t, err, &unconfirmed, "every attempt was answered")
					require.Len(t, w.all(), want)
					for _, f := range w.all() {
						assert.Equal(t, w.all()[0], f, "the same ids")
					}
					assert.Equal(t, []string{rejected.MessageID}, w.all()[0].ids())
					// The waits are a second and then twice the previous one, within 10 %.
					waits := time.Duration(1<<(want-1)-1) * time.Second
					assert.InDelta(t, waits, time.Since(began), float64(waits/10))
					assert.Empty(t, s.Sent())

					// With one rejection less the message is sent.
					for range want - 1 {
						answers(s, actionSend, blazetest.Refuse(code))
					}
					sent, err := c.Send(t.Context(), textA)
					require.NoError(t, err)
					assert.Equal(t, []string{sent.MessageID}, w.all()[len(w.all())-1].ids())
				})
			})
		}
	}
}

func TestSendAttemptsWithoutLimit(t *testing.T) {
	inBubble(t, func(cfg *blaze.Config) {
		cfg.SendAttempts = -1
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		for range 50 {
			answers(s, actionSend, serverFailed)
		}
		_, err := c.Send(t.Context(), textA)
		require.NoError(t, err)
		assert.Len(t, w.all(), 51)
		assert.EqualValues(t, 50, c.Stats().Resent)
	})
}

// An unanswered request is written again with the same ids, after ReplyTimeout and then after twice that time. The
// server does not store the message twice.
func TestSendIsRepeatedWithoutReply(t *testing.T) {
	inBubble(t, func(cfg *blaze.Config) {
		cfg.ReplyTimeout = 7 * time.Second
	}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		answers(s, actionSend, hang)
		began := time.Now()
		sent, err := c.Send(t.Context(), textA)
		require.NoError(t, err)
		assert.Equal(t, 7*time.Second, time.Since(began))
		assert.Equal(t, w.all()[0], w.all()[1])
		assert.Len(t, w.all(), 2)
		require.Len(t, s.Sent(), 1)
		assert.Equal(t, sent.MessageID, s.Sent()[0].MessageID)
		assert.EqualValues(t, 1, c.Stats().Resent)
		assert.EqualValues(t, 1, c.Stats().Connects)
	})
}

// A request's timeout doubles with each unanswered attempt.
func TestSendWaitsTwiceAsLongEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, nil)
		began := time.Now()
		out := textA
		out.MessageID = messageA
		sent := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), out)
			sent <- err
		}()
		var attempts []time.Duration
		var others sync.WaitGroup
		for len(attempts) < 4 {
			// Other requests are answered, which proves that the link works.
			others.Go(func() {
				time.Sleep(time.Second)
				_, err := c.Send(t.Context(), textA)
				assert.NoError(t, err)
			})
			for {
				r := s.next()
				if r.messageID(t) != messageA {
					r.confirm()
					break
				}
				if attempts = append(attempts, time.Since(began)); len(attempts) == 4 {
					r.confirm()
				}
			}
		}
		others.Wait()
		require.NoError(t, <-sent)
		assert.Equal(t, []time.Duration{0, 20 * time.Second, 60 * time.Second, 140 * time.Second}, attempts)
		assert.EqualValues(t, 1, c.Stats().Connects)
	})
}

// A send without a reply is written again after a timeout that doubles up to five minutes. The link stays, because
// pings are answered.
func TestSendWithoutReplyIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, nil)
		sent := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), textA)
			sent <- err
		}()
		first := s.next()
		for _, timeout := range []time.Duration{
			20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute,
		} {
			began := time.Now()
			again := s.next()
			assert.Equal(t, timeout, time.Since(began))
			assert.Equal(t, first.text, again.text)
			assert.Same(t, first.conn, again.conn, "pings are answered")
		}
		first.confirm()
		require.NoError(t, <-sent)
		assert.EqualValues(t, 1, c.Stats().Connects)
	})
}

// After an unanswered attempt, a 403 may be the reply to the second write of a message that was stored. Rejections of
// the message itself prove that no earlier attempt was stored.
func TestSendUnconfirmedAndRejected(t *testing.T) {
	for name, first := range map[string]blazetest.Answer{"lost": cutStored, "unanswered": hang} {
		for code, stored := range map[blaze.Code]bool{
			blaze.CodeForbidden: true, blaze.CodeNotFound: true, blaze.CodeGroupFull: true,
			blaze.CodeTooManyRequests: true, blaze.CodeInvalidField: false, blaze.CodeBadRequest: false,
		} {
			t.Run(fmt.Sprint(name, ", ", int(code)), func(t *testing.T) {
				inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, _ *frames) {
					answers(s, actionSend, first)
					for range 5 {
						answers(s, actionSend, blazetest.Refuse(code))
					}
					out := textA
					out.MessageID = messageA
					_, err := c.Send(t.Context(), out)
					require.ErrorIs(t, err, code)
					var rejected *blaze.Error
					require.ErrorAs(t, err, &rejected)
					var unconfirmed *blaze.UnconfirmedError
					if !stored {
						assert.NotErrorAs(t, err, &unconfirmed)
						return
					}
					require.ErrorAs(t, err, &unconfirmed)
					assert.Equal(t, messageA, unconfirmed.MessageID)
				})
			})
		}
	}
}
