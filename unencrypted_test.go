package blaze_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

const warnUnencrypted = "encrypted message sent unencrypted"

// secret delivers an encrypted text of a user. An empty conversation is the one with the bot.
func (r *rig) secret(user, conversation, text string) string {
	return r.Deliver(userID(user),
		blaze.Outgoing{ConversationID: conversation, Payload: blaze.Text(text), Encrypted: true})
}

// noSessions makes the service return no sessions.
func noSessions(s *blazetest.Server) {
	many(s, fetchAction, func(blazetest.Frame) blazetest.Answer {
		return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`[]`)}}
	})
}

// A reply is encrypted if its payload has an encrypted form. Others are sent plain, as the apps do.
func TestRepliesToAnEncryptedMessage(t *testing.T) {
	file := blaze.Attachment{ID: attachmentID, Size: 1, Key: attachmentKey, Digest: attachmentDigest}
	for _, c := range []struct {
		payload   blaze.Payload
		encrypted bool
	}{
		{blaze.Text("a"), true},
		{blaze.Post("a"), true},
		{blaze.Image{Attachment: file, Width: 1, Height: 1}, true},
		{blaze.Contact{UserID: userA}, true},
		{blaze.Raw{As: "PLAIN_HOLOGRAM", Data: []byte("x")}, true},
		{blaze.ButtonGroup(buttons(2)), false},
		{blaze.Card{Title: "a", Description: "b", Action: "https://example.com"}, false},
		{blaze.Recall{MessageID: messageA}, false},
		{blaze.Pin{Action: "PIN", MessageIDs: []string{messageA}}, false},
	} {
		bubble(t, string(c.payload.Category()), func(t *testing.T) {
			change := c.payload.Category().System() // these cannot quote
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				_, err := r.Send(ctx, m.NewForward(m.ConversationID, c.payload))
				if !change {
					err = errors.Join(err, r.Quote(ctx, m, c.payload))
				}
				return errors.Join(err, r.Reply(ctx, m, c.payload))
			})
			r.secret("alice", "", "question")
			r.idle()
			assert.Empty(t, r.failures.all())
			require.Len(t, r.Sent(), map[bool]int{false: 3, true: 2}[change])
			for _, out := range r.Sent() {
				assert.Equal(t, c.encrypted, out.Encrypted)
				assert.Equal(t, userID("alice"), out.RecipientID)
			}
			assert.Zero(t, r.log.count(slog.LevelWarn, warnUnencrypted), "not logged if sent as usual")
		})
	}
}

// In a group every member receives the reply, so it is not encrypted. That is logged once for each group, however the
// reply is sent.
func TestRepliesToAnEncryptedMessageInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.start(t.Context(), blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
			switch text {
			case "reply":
				return r.Reply(ctx, m, blaze.Text("a"))
			case "quote":
				return r.Quote(ctx, m, blaze.Text("a"))
			case "send":
				_, err := r.Send(ctx, m.NewReply(blaze.Text("a")))
				return err
			case "card":
				return r.Reply(ctx, m, blaze.ButtonGroup(buttons(1)))
			case "encrypted":
				out := m.NewReply(blaze.Text("for you only"))
				out.RecipientID, out.Encrypted = m.UserID, true
				_, err := r.Send(ctx, out)
				return err
			}
			_, err := r.SendBatch(ctx, m.NewReply(blaze.Text("a")))
			return err
		}))
		groups := []string{conversationA, conversationB, messageA, messageB}
		r.secret("alice", groups[0], "card")
		r.secret("alice", groups[0], "encrypted")
		r.idle()
		require.Len(t, r.Sent(), 2)
		assert.Equal(t, []bool{false, true}, []bool{r.Sent()[0].Encrypted, r.Sent()[1].Encrypted})
		assert.Zero(t, r.log.count(slog.LevelWarn, warnUnencrypted))
		for i, way := range []string{"reply", "quote", "send", "batch"} {
			r.secret("alice", groups[i], way)
			r.secret("bob", groups[i], way)
			r.idle()
			assert.Equal(t, i+1, r.log.count(slog.LevelWarn, warnUnencrypted), way)
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, "conversation="+groups[i]), way)
			last := r.Sent()[len(r.Sent())-1]
			assert.Equal(t, groups[i], last.ConversationID)
			assert.False(t, last.Encrypted)
			assert.Empty(t, last.RecipientID)
		}
		assert.Empty(t, r.failures.all())
	})
}

// Each group is logged once. The last 4,096 groups are remembered.
func TestManyGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 5001 {
			m := handMade(botID)
			m.Category, m.ConversationID = blaze.CategoryEncryptedText, blaze.DeriveID(fmt.Sprint(i%5000))
			for range 2 {
				_, err := r.Send(ctx, m.NewReply(blaze.Text("a")))
				require.ErrorIs(t, err, context.Canceled)
			}
			if i%500 == 0 {
				synctest.Wait() // prevents lost records
			}
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		lines := r.log.lines(warnUnencrypted)
		assert.Len(t, lines, 60+1)
		assert.Equal(t, 5001, len(lines[1:])+repeated(t, lines), "the first group was forgotten")
	})
}

// A user without a session that can decrypt a reply receives it unencrypted. The reply is stored once in either form.
func TestAReplyThatNobodyCouldDecrypt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		r := prepare(t, nil)
		r.start(t.Context(), blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
			out := m.NewReply(text)
			ids = append(ids, out.MessageID)
			if text == "batch" {
				more := m.NewReply(text + " 2")
				ids = append(ids, more.MessageID)
				_, err := r.SendBatch(ctx, out, more, r.ToUser(m.UserID, blaze.Text("batch 3")))
				return err
			}
			_, err := r.Send(ctx, out)
			return err
		}))
		noSessions(r.Server)
		for _, text := range []string{"one", "two", "batch"} {
			r.secret("alice", "", text)
			r.idle()
		}
		var texts, sent []string
		for _, out := range r.Sent() {
			texts, sent = append(texts, fmt.Sprint(out.Payload)), append(sent, out.MessageID)
			assert.False(t, out.Encrypted)
			assert.Equal(t, userID("alice"), out.RecipientID)
		}
		assert.Equal(t, []string{"one", "two", "batch", "batch 2", "batch 3"}, texts, "in order")
		assert.Equal(t, ids, sent[:4])
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, warnUnencrypted), "once for alice")
		r.secret("bob", "", "one")
		r.idle()
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "user="+userID("bob")))
		assert.Empty(t, r.failures.all())
		assert.EqualValues(t, 6, r.Stats().Sent)
	})
}

// A session that appears later is used at once.
func TestAReplyIsEncryptedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.start(t.Context(), blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
			return r.Reply(ctx, m, text)
		}))
		r.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Reply: &blazetest.Frame{
				Data: []byte(`[{"user_id":"` + userID("alice") + `","session_id":"` + userA + `"}]`),
			}}
		})
		for _, text := range []string{"one", "two"} {
			r.secret("alice", "", text)
			r.idle()
		}
		require.Len(t, r.Sent(), 2)
		assert.Equal(t, []bool{false, true}, []bool{r.Sent()[0].Encrypted, r.Sent()[1].Encrypted})
	})
}

// A message for which the caller sets Encrypted is never sent unencrypted. It is retried, because the user may sign in.
func TestMessagesEncryptedByTheirAuthor(t *testing.T) {
	mine := map[string]func(*blaze.Client, *blaze.Message) blaze.Outgoing{
		"to a user": func(c *blaze.Client, m *blaze.Message) blaze.Outgoing {
			out := c.ToUser(m.UserID, blaze.Text("a"))
			out.Encrypted = true
			return out
		},
		"another recipient": func(c *blaze.Client, m *blaze.Message) blaze.Outgoing {
			out := m.NewReply(blaze.Text("a"))
			out.RecipientID, out.ConversationID = userID("bob"), c.ConversationWith(userID("bob"))
			return out
		},
		"forwarded": func(c *blaze.Client, m *blaze.Message) blaze.Outgoing {
			out := m.NewForward(c.ConversationWith(userID("bob")), m.Payload)
			out.RecipientID, out.Encrypted = userID("bob"), true
			return out
		},
		"copied": func(_ *blaze.Client, m *blaze.Message) blaze.Outgoing {
			return exported(m.NewReply(blaze.Text("a")))
		},
		"encrypted in a group": func(_ *blaze.Client, m *blaze.Message) blaze.Outgoing {
			out := m.NewReply(blaze.Text("a"))
			out.ConversationID, out.Encrypted = conversationA, true
			return out
		},
	}
	for name, make := range mine {
		bubble(t, name, func(t *testing.T) {
			var errs []error
			var attempts int
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				out := make(r.Client, m)
				if attempts++; attempts == 3 {
					return nil
				}
				_, alone := r.Send(ctx, out)
				_, batch := r.SendBatch(ctx, out)
				errs = append(errs, alone, batch)
				return batch
			})
			noSessions(r.Server)
			r.secret("alice", "", "question")
			r.idle()
			assert.Equal(t, 3, attempts)
			require.Len(t, errs, 4)
			for _, err := range errs {
				assert.ErrorIs(t, err, blaze.ErrNoSession)
			}
			assert.Empty(t, r.Sent())
			assert.Empty(t, r.drops.all())
		})
	}
}

// If only the default made a reply encrypted, but it cannot be part of an encrypted message, it is sent unencrypted.
func TestRepliesThatCannotBeEncrypted(t *testing.T) {
	for name, edit := range map[string]func(*blaze.Outgoing){
		"it expires": func(out *blaze.Outgoing) { out.ExpireIn = time.Minute },
		"too large":  func(out *blaze.Outgoing) { out.Payload = blaze.Text(strings.Repeat("x", 128<<10)) },
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				out := m.NewReply(blaze.Text("a"))
				edit(&out)
				_, err := r.Send(ctx, out)
				return err
			})
			r.secret("alice", "", "question")
			r.idle()
			assert.Empty(t, r.failures.all())
			require.Len(t, r.Sent(), 1)
			assert.False(t, r.Sent()[0].Encrypted)
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, name))
		})
	}
}

// A bot with a key that cannot encrypt replies unencrypted.
func TestAnRSASessionRepliesUnencrypted(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool {
			r.confirm()
			if r.Action == actionList {
				v := message("alice", "")
				v["category"], v["data"] = "ENCRYPTED_TEXT", "AQEA"+strings.Repeat("AAAA", 40)
				r.conn.push(v)
			}
			return true
		}
		r := prepareWith(t, blaze.Keystore{AppID: botID, SessionID: userB, SessionPrivateKey: text}, s.config(), nil)
		errs := make(chan error, 2)
		r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			out := m.NewReply(blaze.Text("I cannot read that"))
			assert.True(t, out.Encrypted)
			_, err := r.Send(ctx, exported(out))
			errs <- err
			_, err = r.Send(ctx, out)
			errs <- err
			return err
		})
		require.ErrorIs(t, <-errs, blaze.ErrInvalid, "encrypted by the caller")
		require.NoError(t, <-errs)
		require.Len(t, r.written.of(actionSend), 1)
		synctest.Wait()
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "RSA"))
	})
}

// A reply that may be stored in encrypted form stays unconfirmed, whatever the service answers to its plain form.
func TestAReplyThatMayBeStoredEncrypted(t *testing.T) {
	for _, batch := range []bool{false, true} {
		bubble(t, fmt.Sprintf("in a batch: %t", batch), func(t *testing.T) {
			var unconfirmed *blaze.UnconfirmedError
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				out := m.NewReply(blaze.Text("a"))
				_, err := r.Send(ctx, out)
				if batch {
					_, err = r.SendBatch(ctx, out)
				}
				if assert.ErrorAs(t, err, &unconfirmed) {
					assert.Equal(t, out.MessageID, unconfirmed.MessageID)
				}
				assert.ErrorIs(t, err, blaze.CodeForbidden)
				return nil
			})
			attempts := 1
			if batch {
				attempts = 2
			}
			for range attempts {
				stale(r.Server, "alice")
				for _, a := range []blazetest.Answer{{Cut: true}, blazetest.Refuse(blaze.CodeChecksum)} {
					r.Intercept(encryptedAction, func(blazetest.Frame) blazetest.Answer { return a })
				}
				r.Intercept(fetchAction, func(blazetest.Frame) blazetest.Answer {
					return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`[]`)}}
				})
			}
			for _, action := range []string{actionSend, "CREATE_PLAIN_MESSAGES", actionSend} {
				r.Intercept(action, func(blazetest.Frame) blazetest.Answer {
					return blazetest.Refuse(blaze.CodeForbidden)
				})
			}
			r.secret("alice", "", "question")
			r.idle()
			require.NotNil(t, unconfirmed)
			assert.Empty(t, r.Sent())
		})
	}
}
