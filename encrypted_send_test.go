package blaze_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

const (
	encryptedAction = "POST /encrypted_messages"
	fetchAction     = "POST /sessions/fetch"
)

// encryptedText is an encrypted text to a user.
func encryptedText(c *blaze.Client, user, text string) blaze.Outgoing {
	out := c.ToUser(userID(user), blaze.Text(text))
	out.Encrypted = true
	return out
}

func TestSendEncrypted(t *testing.T) {
	alone(t, "send", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		fetched := 0
		count := func(blazetest.Frame) blazetest.Answer { fetched++; return blazetest.Answer{} }
		s.Intercept(fetchAction, count)
		s.Intercept(fetchAction, count)
		for i := range 3 {
			out := encryptedText(c, "alice", fmt.Sprint("secret ", i))
			out.Silent, out.QuoteID = true, messageA
			s.Intercept(encryptedAction, func(req blazetest.Frame) blazetest.Answer {
				assert.NotContains(t, string(req.Params), "secret")
				var items []map[string]any
				require.NoError(t, json.Unmarshal(req.Params, &items))
				assert.Equal(t, "ENCRYPTED_TEXT", items[0]["category"])
				return blazetest.Answer{}
			})
			sent, err := c.Send(t.Context(), out)
			require.NoError(t, err)
			got := s.Sent()[i]
			out.MessageID = sent.MessageID
			assert.Equal(t, out, got)
		}
		assert.Equal(t, 1, fetched, "the sessions are remembered")
		assert.EqualValues(t, 3, c.Stats().Sent)
	})
}

// The reply to an encrypted message is encrypted, in both directions.
func TestAnEncryptedConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.start(t.Context(), blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
			return r.Reply(ctx, m, "echo: "+text)
		}))
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hello"), Encrypted: true})
		r.idle()
		require.Len(t, r.Sent(), 1)
		assert.Equal(t, blaze.Text("echo: hello"), r.Sent()[0].Payload)
		assert.True(t, r.Sent()[0].Encrypted)
		assert.Empty(t, r.written.of("CREATE_MESSAGE"))
	})
}

func TestSendEncryptedInvalid(t *testing.T) {
	alone(t, "invalid", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		file := blaze.Attachment{ID: userA, MimeType: "text/plain", Size: 1}
		for field, edit := range map[string]func(*blaze.Outgoing){
			"Outgoing.Encrypted":   func(out *blaze.Outgoing) { out.Payload = blaze.Recall{MessageID: messageA} },
			"Outgoing.RecipientID": func(out *blaze.Outgoing) { out.RecipientID = "" },
			"Outgoing.ExpireIn":    func(out *blaze.Outgoing) { out.ExpireIn = 60e9 },
			"Outgoing.Mentions":    func(out *blaze.Outgoing) { out.Mentions = []string{userA} },
			"Attachment.Key":       func(out *blaze.Outgoing) { out.Payload = blaze.Data{Attachment: file} },
			"Outgoing.Payload": func(out *blaze.Outgoing) {
				out.Payload = blaze.Text(strings.Repeat("x", 128<<10+1))
			},
		} {
			out := encryptedText(c, "alice", "x")
			edit(&out)
			_, err := c.Send(t.Context(), out)
			var invalid *blaze.InvalidError
			require.ErrorAs(t, err, &invalid, field)
			assert.Equal(t, field, invalid.Field)
		}
		assert.Empty(t, s.Sent())
	})
}

func TestNoUsableSession(t *testing.T) {
	for name, data := range map[string]string{
		"none": `[]`, "no key": `[{"user_id":%q,"session_id":"` + userA + `","public_key":""}]`,
		"31 bytes": `[{"user_id":%q,"session_id":"` + userA + `","public_key":"` + strings.Repeat("A", 42) + `"}]`,
		"no id":    `[{"user_id":%q,"public_key":"` + strings.Repeat("A", 43) + `"}]`,
		"of others": `[{"user_id":"` + userB + `","session_id":"` + userA +
			`","public_key":"` + strings.Repeat("A", 43) + `"}]`,
	} {
		alone(t, name, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
			s.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
				return blazetest.Answer{
					Reply: &blazetest.Frame{Data: []byte(strings.Replace(data, "%q", `"`+userID("alice")+`"`, 1))},
				}
			})
			_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
			require.ErrorIs(t, err, blaze.ErrNoSession)
			assert.Empty(t, s.Sent(), "not sent unencrypted either")
		})
	}
	alone(t, "low order", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		s.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`[{"user_id":"` + userID("alice") +
				`","session_id":"` + userA + `","public_key":"` + strings.Repeat("A", 43) + `"}]`)}}
		})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.ErrorIs(t, err, blaze.ErrNoSession)
		assert.Empty(t, s.Sent())
	})
}

// stale makes the client remember a session that no longer exists.
func stale(s *blazetest.Server, user string) {
	s.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
		return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`[{"user_id":"` + userID(user) +
			`","session_id":"` + userA + `","public_key":"5cLHDvQ0oPZ5DXkD3hKVTGXYKEEBJ1ckvNdnn1hHRHM"}]`)}}
	})
}

func TestSessionsThatHaveChanged(t *testing.T) {
	alone(t, "FAILED, with the new ones", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		stale(s, "alice")
		s.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
			t.Error("a second lookup, although the response has the sessions")
			return blazetest.Answer{}
		})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 1)
	})
	alone(t, "20140", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		stale(s, "alice")
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeChecksum)
		})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 1)
	})
	alone(t, "repeatedly", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		attempts := 0
		for range 3 {
			s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
				attempts++
				return blazetest.Refuse(blaze.CodeChecksum)
			})
		}
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.ErrorIs(t, err, blaze.CodeChecksum)
		assert.Equal(t, 2, attempts)
	})
	synctest.Test(t, func(t *testing.T) {
		r := run(t, func(context.Context, *blaze.Message) error { return nil }, nil)
		stale(r.Server, "alice")
		s := r.Server
		rejected := 0
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			rejected++
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
		require.ErrorIs(t, err, blaze.CodeForbidden)
		// After the service's notice the client looks the sessions up again, so no message fails because of it.
		r.Deliver(userID("service"), blaze.Outgoing{Payload: blaze.Raw{
			As: "SYSTEM_SESSION", Data: []byte(`{"action":"DESTROY","user_id":"` + userID("alice") + `"}`),
		}})
		r.idle()
		attempts := 0
		for range 2 {
			s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
				attempts++
				return blazetest.Answer{}
			})
		}
		_, err = r.Send(t.Context(), encryptedText(r.Client, "alice", "y"))
		require.NoError(t, err)
		assert.Equal(t, []int{1, 1}, []int{rejected, attempts})
	})
}

// A session without a usable key counts in the checksum. The message is encrypted for the user's other sessions.
func TestSomeUsableSessions(t *testing.T) {
	alone(t, "some", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		const good = `{"user_id":%q,"session_id":"` + userA +
			`","public_key":"5cLHDvQ0oPZ5DXkD3hKVTGXYKEEBJ1ckvNdnn1hHRHM"}`
		const none = `{"user_id":%q,"session_id":"` + userB + `","public_key":""}`
		const low = `{"user_id":%q,"session_id":"` + messageA +
			`","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
		s.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
			data := strings.ReplaceAll("["+good+","+none+","+low+"]", "%q", `"`+strings.ToUpper(userID("alice"))+`"`)
			return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(data)}}
		})
		ids := []string{userA, userB, messageA}
		slices.Sort(ids)
		sum := md5.Sum([]byte(strings.Join(ids, "")))
		out := encryptedText(c, "alice", "x")
		out.RepresentativeID = userB
		s.Intercept(encryptedAction, func(req blazetest.Frame) blazetest.Answer {
			var items []map[string]any
			require.NoError(t, json.Unmarshal(req.Params, &items))
			assert.Equal(t, hex.EncodeToString(sum[:]), items[0]["checksum"])
			assert.Len(t, items[0]["recipient_sessions"], 3)
			assert.Equal(t, userB, items[0]["representative_id"])
			blob, err := base64.RawURLEncoding.DecodeString(items[0]["data_base64"].(string))
			require.NoError(t, err)
			assert.Equal(t, []byte{1, 1, 0}, blob[:3], "encrypted for one session")
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		_, err := c.Send(t.Context(), out)
		require.ErrorIs(t, err, blaze.CodeForbidden)
		assert.ErrorContains(t, err, "OpenConversation")
	})
}

// A message that may have been stored at the first attempt stays unconfirmed, whatever the second returns.
func TestUnconfirmedOverTwoAttempts(t *testing.T) {
	alone(t, "unconfirmed", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		for _, a := range []blazetest.Answer{
			{Cut: true}, blazetest.Refuse(blaze.CodeChecksum), blazetest.Refuse(blaze.CodeForbidden),
		} {
			s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer { return a })
		}
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
		require.ErrorIs(t, err, blaze.CodeForbidden)
	})
	alone(t, "FAILED after one that was lost", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		stale(s, "alice")
		for _, a := range []blazetest.Answer{{Cut: true}, {}, blazetest.Refuse(blaze.CodeForbidden)} {
			s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer { return a })
		}
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
	})
	alone(t, "a gateway", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Bytes: []byte("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 6\r\n\r\n<html>")}
		})
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
	})
	alone(t, "cancelled between two attempts", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		s.Intercept(encryptedAction, rejected(blaze.CodeServer))
		_, err := c.Send(ctx, encryptedText(c, "alice", "x"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, blaze.CodeServer)
	})
}

// A message that was never written is not unconfirmed.
func TestNothingWasWritten(t *testing.T) {
	var down atomic.Bool
	edit := func(cfg *blaze.Config) {
		cfg.SendAttempts = 2
		dial := cfg.DialContext
		transport := &http.Transport{DisableKeepAlives: true}
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return dial(ctx, network, addr)
		}
		cfg.HTTPClient = &http.Client{Transport: transport}
	}
	alone(t, "written", edit, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "the sessions are known"))
		require.NoError(t, err)
		var unconfirmed *blaze.UnconfirmedError
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Send(ctx, encryptedText(c, "alice", "x"))
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, errors.As(err, &unconfirmed))
		down.Store(true)
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		out := encryptedText(c, "alice", "x")
		out.MessageID = messageA
		_, err = c.Send(ctx, out)
		require.ErrorIs(t, err, blaze.ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded, "SendAttempts does not apply without a response")
		require.ErrorContains(t, err, "message "+messageA+" was not sent")
		require.ErrorContains(t, err, "refused", "and why")
		require.False(t, errors.As(err, &unconfirmed), err)
		down.Store(false)
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		require.NoError(t, c.Run(ctx, nil))
		_, err = c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.ErrorIs(t, err, blaze.ErrClosed)
		require.False(t, errors.As(err, &unconfirmed))
		assert.Len(t, s.Sent(), 1)
	})
}

// A batch to more users than the client remembers does not lose sessions half-way.
func TestManyRecipients(t *testing.T) {
	alone(t, "many", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		blaze.LimitSessions(c, 100)
		var outs []blaze.Outgoing
		for i := range 160 {
			outs = append(outs, encryptedText(c, fmt.Sprint(i), "x"))
		}
		_, err := c.SendBatch(t.Context(), outs[:50]...)
		require.NoError(t, err)
		_, err = c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 210)
	})
}

func TestSendEncryptedRejected(t *testing.T) {
	alone(t, "rejected", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		send := func() error {
			_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
			return err
		}
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		var rejected *blaze.Error
		require.ErrorAs(t, send(), &rejected)
		assert.Equal(t, encryptedAction, rejected.Action)
		assert.NotEmpty(t, rejected.MessageID)

		// A message that was lost and then rejected may have been stored.
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Cut: true} })
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, send(), &unconfirmed)

		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`[]`)}}
		})
		require.ErrorAs(t, send(), &unconfirmed)

		// Transient rejections are retried.
		s.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeBlazeServer)
		})
		require.NoError(t, send())

		ctx, cancel := context.WithCancel(t.Context())
		s.Intercept(encryptedAction,
			func(blazetest.Frame) blazetest.Answer { cancel(); return blazetest.Answer{Hang: true} })
		_, err := c.Send(ctx, encryptedText(c, "alice", "x"))
		require.ErrorAs(t, err, &unconfirmed)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestSendBatchEncrypted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		var posts posts
		posts.watch(t, r.Server)
		var outs []blaze.Outgoing
		for i := range 250 {
			outs = append(outs, encryptedText(r.Client, fmt.Sprint("user ", i%50), fmt.Sprint(i)))
		}
		outs[7].RecipientID = ""
		outs = append(outs, r.ToUser(userID("user 0"), blaze.Text("plain")), encryptedText(r.Client, "user 0", "last"))
		sent, err := r.SendBatch(t.Context(), outs...)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		for i := range outs {
			assert.Equal(t, i == 7, failed.Errs[i] != nil, i)
			assert.Equal(t, i == 7, sent[i].MessageID == "", i)
		}
		assert.ElementsMatch(t, []int{100, 100, 49, 1}, posts.sizes(),
			"those of different conversations go out side by side")
		var texts []string
		for _, out := range r.Sent() {
			if out.RecipientID == userID("user 0") {
				texts = append(texts, fmt.Sprint(out.Payload))
			}
		}
		assert.Equal(t, []string{"0", "50", "100", "150", "200", "plain", "last"}, texts, "in order")
	})
}
