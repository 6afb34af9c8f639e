package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// received is a text of userA in a group, as an attempt of bot receives it, changed by edit.
func received(bot string, attempt int, edit func(*wire.Message)) *blaze.Message {
	v := &wire.Message{
		MessageID: messageA, ConversationID: conversationA, UserID: userA, Category: "PLAIN_TEXT", Data: "question",
	}
	if edit != nil {
		edit(v)
	}
	return blaze.NewMessage(v, bot, attempt, func(*wire.Message) ([]byte, error) { return nil, assert.AnError })
}

func inContact(v *wire.Message) { v.ConversationID = blaze.ConversationID(botID, v.UserID) }

// say returns the ids of all messages that one attempt sends.
func say(m *blaze.Message) []string {
	var ids []string
	for _, out := range []blaze.Outgoing{
		m.NewReply(blaze.Text("a")), m.NewReply(blaze.Text("b")),
		m.NewReply(blaze.Post("a")), m.NewReply(blaze.Text("a")), m.NewReply(blaze.Text("a")),
		m.NewQuote(blaze.Text("a")), m.NewQuote(blaze.Text("a")), m.NewForward(conversationA, blaze.Text("a")),
		m.NewForward(conversationB, blaze.Text("a")), m.NewForward(conversationB, blaze.Text("a")),
		m.NewReply(blaze.Raw{As: "PLAIN_TEXT", Data: []byte("c")}),
		m.NewReply(blaze.Contact{UserID: userA}), m.NewForward("", blaze.Text("a")),
	} {
		ids = append(ids, out.MessageID)
	}
	return ids
}

func TestRepliesHaveIDsOfTheirOwn(t *testing.T) {
	first := say(received(botID, 1, nil))
	seen := map[string]bool{}
	add := func(ids []string) {
		t.Helper()
		for i, id := range ids {
			assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
			assert.False(t, seen[id], "%d is there twice", i)
			seen[id] = true
		}
	}
	add(first)
	// Each attempt has the same ids. Fields that depend on the delivery do not matter.
	assert.Equal(t, first, say(received(botID, 2, nil)))
	assert.Equal(t, first, say(received(botID, 1, func(v *wire.Message) { v.Pending, v.Silent = true, true })))
	// For another bot, another message or another conversation the ids differ.
	add(say(received(userB, 1, nil)))
	add(say(received(botID, 1, func(v *wire.Message) { v.MessageID = messageB })))
	elsewhere := received(botID, 1, func(v *wire.Message) { v.ConversationID = messageC })
	add([]string{elsewhere.NewReply(blaze.Text("a")).MessageID})
	// A pointer has the id of its value.
	text := blaze.Text("a")
	assert.Equal(t, first[0], received(botID, 1, nil).NewReply(&text).MessageID)
	// The case of a conversation id does not matter.
	m := received(botID, 1, nil)
	m.NewForward(conversationB, blaze.Text("a"))
	assert.Equal(t, first[9], m.NewForward("9F8E7D6C-5B4A-4938-8271-605F4E3D2C1B", blaze.Text("a")).MessageID)
	// An invalid payload has no id and is not counted.
	m = received(botID, 1, nil)
	for _, p := range []blaze.Payload{nil, blaze.Text(""), (*blaze.Text)(nil), blaze.Card{}} {
		assert.Empty(t, m.NewReply(p).MessageID)
	}
	assert.Equal(t, first, say(m))
}

// handMade is the Message of received, made by hand, as in tests of handlers.
func handMade(bot string) *blaze.Message {
	return &blaze.Message{
		ID: messageA, BotID: bot, ConversationID: conversationA,
		UserID: userA, Category: blaze.CategoryPlainText, Group: true,
	}
}

func TestAHandMadeMessageRepliesLikeAReceivedOne(t *testing.T) {
	assert.Equal(t, botID, received(botID, 1, nil).BotID)
	assert.Equal(t, say(received(botID, 1, nil)), say(handMade(botID)))
	assert.Equal(t, say(received(botID, 1, nil)), say(handMade(strings.ToUpper(botID))))
	assert.Equal(t, received(botID, 1, nil).NewReply(blaze.Text("a")), handMade(botID).NewReply(blaze.Text("a")))
	m := handMade("")
	assert.NotEqual(t, m.NewReply(blaze.Text("a")).MessageID, m.NewReply(blaze.Text("a")).MessageID)
}

// A reply and a quote of the same content are two messages, even if one attempt replies and the next one quotes. With
// equal ids the service would store the first only.
func TestAQuoteIsNoReply(t *testing.T) {
	for name, fresh := range map[string]func() *blaze.Message{
		"received":  func() *blaze.Message { return received(botID, 1, nil) },
		"hand-made": func() *blaze.Message { return handMade(botID) },
		"of no bot": func() *blaze.Message { return handMade("") },
	} {
		reply, quote := fresh().NewReply(blaze.Text("a")), fresh().NewQuote(blaze.Text("a"))
		assert.NotEqual(t, reply.MessageID, quote.MessageID, name)
		both := fresh()
		assert.Equal(t, reply.MessageID, both.NewReply(blaze.Text("a")).MessageID, name)
		assert.Equal(t, quote.MessageID, both.NewQuote(blaze.Text("a")).MessageID, "%s: neither counts the other", name)
	}
	synctest.Test(t, func(t *testing.T) {
		var r *rig
		r = run(t, func(ctx context.Context, m *blaze.Message) error {
			if m.Attempt > 1 {
				return r.Quote(ctx, m, blaze.Text("a"))
			}
			return errors.Join(r.Reply(ctx, m, blaze.Text("a")), errAny)
		}, nil)
		id := r.say("alice", "question")
		r.idle()
		sent := r.Sent()
		require.Len(t, sent, 2)
		assert.Equal(t, []string{"", id}, []string{sent[0].QuoteID, sent[1].QuoteID})
	})
}

// The order of different replies within an attempt does not matter, so handlers may reply from several goroutines.
func TestRepliesAreSafeForConcurrentUse(t *testing.T) {
	run := func(m *blaze.Message) map[string]bool {
		var mu sync.Mutex
		ids := map[string]bool{}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				out := m.NewReply(blaze.Textf("%d", i%10))
				mu.Lock()
				defer mu.Unlock()
				ids[out.MessageID] = true
			})
		}
		wg.Wait()
		return ids
	}
	ids := run(received(botID, 1, nil))
	assert.Len(t, ids, 100)
	assert.Equal(t, ids, run(received(botID, 1, nil)))
	assert.Equal(t, ids, run(handMade(botID)))
}

func TestReplyIsSentToTheMessagesConversation(t *testing.T) {
	direct := blaze.ConversationID(botID, userA)
	for name, c := range map[string]struct {
		edit      func(*wire.Message)
		group     bool
		to        string // ConversationID
		recipient string
		encrypted bool
	}{
		"group":   {nil, true, conversationA, "", false},
		"contact": {inContact, false, direct, userA, false},
		"contact, in upper case": {func(v *wire.Message) {
			v.UserID = "89E0BDEE-C355-47F2-945A-BE48BE875606"
			v.ConversationID = "1B58790A-3C0C-32D1-876C-D4A87FBBD64C"
		}, false, "1B58790A-3C0C-32D1-876C-D4A87FBBD64C", "89E0BDEE-C355-47F2-945A-BE48BE875606", false},
		"on behalf of another": {
			func(v *wire.Message) { inContact(v); v.RepresentativeID = userB }, false, direct, userA, false,
		},
		"encrypted": {
			func(v *wire.Message) { inContact(v); v.Category = "ENCRYPTED_TEXT" }, false, direct, userA, true,
		},
		"encrypted, in a group": {
			func(v *wire.Message) { v.Category = "ENCRYPTED_IMAGE" }, true, conversationA, "", false,
		},
		"unknown category": {
			func(v *wire.Message) { v.Category = "PLAIN_HOLOGRAM" }, true, conversationA, "", false,
		},
		"recall": {
			func(v *wire.Message) { v.Category = "MESSAGE_RECALL" }, true, conversationA, "", false,
		},
		"a group changed": {
			func(v *wire.Message) { v.Category = "SYSTEM_CONVERSATION" }, false, conversationA, "", false,
		},
		"transfer": {
			func(v *wire.Message) { inContact(v); v.Category = "SYSTEM_ACCOUNT_SNAPSHOT" }, false, direct, userA, false,
		},
		"safe transfer": {func(v *wire.Message) {
			v.Category, v.ConversationID = "SYSTEM_SAFE_SNAPSHOT", botID
		}, false, "", "", false},
		"inscription": {
			func(v *wire.Message) { inContact(v); v.Category = "SYSTEM_SAFE_INSCRIPTION" }, false, direct, userA, false,
		},
		"inscription, in a group": {
			func(v *wire.Message) { v.Category = "SYSTEM_SAFE_INSCRIPTION" }, false, conversationA, "", false,
		},
		"transfer without a conversation": {func(v *wire.Message) {
			v.Category, v.ConversationID = "SYSTEM_SAFE_SNAPSHOT", "00000000-0000-0000-0000-000000000000"
		}, false, "", "", false},
		"a notice about a user": {
			func(v *wire.Message) { v.Category = "SYSTEM_USER" }, false, conversationA, "", false,
		},
		"a notice without a place": {
			func(v *wire.Message) { v.Category, v.ConversationID = "SYSTEM_USER", "" }, false, "", "", false,
		},
		"the bot's own id": {
			func(v *wire.Message) { v.ConversationID = "8DCF823D-9EB3-4DA2-8734-F0AAD50C0DA6" }, true, "", "", false,
		},
		"the nil id": {
			func(v *wire.Message) { v.ConversationID = "00000000-0000-0000-0000-000000000000" }, true, "", "", false,
		},
		"no id": {func(v *wire.Message) { v.ConversationID = "" }, true, "", "", false},
	} {
		m := received(botID, 1, c.edit)
		assert.Equal(t, c.group, m.Group, name)
		out := m.NewReply(blaze.Text("a"))
		want := blaze.Outgoing{
			ConversationID: c.to, RecipientID: c.recipient,
			Payload: blaze.Text("a"), Encrypted: c.encrypted, MessageID: out.MessageID,
		}
		assert.Equal(t, want, exported(out), name)

		out = m.NewQuote(blaze.Text("a"))
		want.QuoteID, want.MessageID = messageA, out.MessageID
		assert.Equal(t, want, exported(out), name)

		out = m.NewForward(conversationB, blaze.Text("a"))
		assert.Equal(t, blaze.Outgoing{
			ConversationID: conversationB, Payload: blaze.Text("a"), MessageID: out.MessageID,
		}, exported(out), name)

		out = m.NewForward(m.ConversationID, blaze.Text("a"))
		assert.Equal(t, blaze.Outgoing{
			ConversationID: m.ConversationID, RecipientID: c.recipient,
			Payload: blaze.Text("a"), Encrypted: c.encrypted,
			MessageID: out.MessageID,
		}, exported(out), "%s: forwarded to where it came from", name)
	}
}

// exported is a copy of the exported fields, as another package would make it.
func exported(out blaze.Outgoing) blaze.Outgoing {
	return blaze.Outgoing{
		ConversationID: out.ConversationID, Payload: out.Payload,
		MessageID: out.MessageID, RecipientID: out.RecipientID,
		QuoteID: out.QuoteID, RepresentativeID: out.RepresentativeID, Mentions: out.Mentions, ExpireIn: out.ExpireIn,
		Silent: out.Silent, Encrypted: out.Encrypted,
	}
}

func TestSender(t *testing.T) {
	assert.Equal(t, userA, received(botID, 1, nil).Sender())
	assert.Equal(t, userB, received(botID, 1, func(v *wire.Message) { v.RepresentativeID = userB }).Sender())
}

// A transfer is in the conversation with its payer, who receives the reply.
func TestReplyToATransfer(t *testing.T) {
	for name, p := range map[string]blaze.Payload{
		"transfer": blaze.AccountSnapshot{
			Type: "transfer", SnapshotID: snapshotID, OpponentID: userID("alice"), Amount: "1",
		},
		"safe transfer": blaze.SafeSnapshot{SnapshotID: snapshotID, OpponentID: userID("alice"), Amount: "1"},
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				assert.False(t, m.Group)
				return errors.Join(r.Reply(ctx, m, blaze.Text("thanks")), r.Quote(ctx, m, blaze.Text("for this")))
			})
			id := r.Deliver(userID("alice"), blaze.Outgoing{Payload: p})
			r.idle()
			assert.Empty(t, r.failures.all())
			require.Len(t, r.Sent(), 2)
			for i, out := range r.Sent() {
				assert.Equal(t, r.ConversationWith(userID("alice")), out.ConversationID)
				assert.Equal(t, userID("alice"), out.RecipientID)
				assert.Equal(t, []string{"", id}[i], out.QuoteID)
			}
		})
	}
	m := &blaze.Message{
		ID: messageA, BotID: strings.ToUpper(botID), ConversationID: blaze.ConversationID(botID, userA), UserID: userA,
		Category: blaze.CategorySystemSafeSnapshot,
	}
	assert.Equal(t, userA, m.NewReply(blaze.Text("a")).RecipientID, "made by hand")
}

// Every displayed message can quote. In frames of several messages only texts and posts can.
func TestQuotes(t *testing.T) {
	bubble(t, "quotes", func(t *testing.T) {
		r := run(t, nil, nil)
		var outs []blaze.Outgoing
		framed := 0
		for name, p := range goldens {
			if p == nil || p.Category().System() {
				continue
			}
			category := p.Category()
			if category == blaze.CategoryPlainText || category == blaze.CategoryPlainPost {
				framed++
			}
			p = withoutKey(p)
			out := r.ToUser(userID(name), p)
			out.QuoteID = messageA
			_, err := r.Send(t.Context(), out)
			require.NoError(t, err, category)
			outs = append(outs, out)
		}
		require.GreaterOrEqual(t, len(outs), 13)
		alone := len(r.written.of(actionSend))
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Len(t, r.written.of(actionSend), alone+len(outs)-framed)
		require.Len(t, r.Sent(), 2*len(outs))
		for _, out := range r.Sent() {
			assert.Equal(t, messageA, out.QuoteID, out.Payload.Category())
		}
	})
}

// withoutKey returns a payload in its plain form.
func withoutKey(p blaze.Payload) blaze.Payload {
	switch p := p.(type) {
	case blaze.Image:
		p.Key, p.Digest = nil, nil
		return p
	case blaze.Data:
		p.Key, p.Digest = nil, nil
		return p
	case blaze.Audio:
		p.Key, p.Digest = nil, nil
		return p
	case blaze.Video:
		p.Key, p.Digest = nil, nil
		return p
	}
	return p
}

// If a message cannot be replied to, the error names the remedy.
func TestReplyToATransferWithoutAConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dropped := make(chan error, 1)
		s, _ := begin(t, func(c *blaze.Client) blaze.Handler {
			return func(ctx context.Context, m *blaze.Message) error {
				if err := c.Reply(ctx, m, blaze.Text(canary)); !errors.Is(err, blaze.ErrInvalid) {
					return fmt.Errorf("not rejected: %w", err)
				}
				thanks := c.ToUser(m.Payload.(blaze.SafeSnapshot).OpponentID, blaze.Text("thanks"))
				if _, err := c.Send(ctx, thanks); err != nil {
					return err
				}
				return c.Reply(ctx, m, blaze.Text(canary))
			}
		}, func(cfg *blaze.Config) {
			cfg.Trace = &blaze.Trace{Dropped: func(_ *blaze.Message, err error) { dropped <- err }}
		})
		alice := userID("alice")
		s.Deliver(alice, blaze.Outgoing{
			ConversationID: s.Key.AppID,
			Payload:        blaze.SafeSnapshot{SnapshotID: snapshotID, OpponentID: alice, Amount: "1"},
		})
		require.NoError(t, s.Idle(t.Context()))
		err := <-dropped
		var invalid *blaze.InvalidError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, "Outgoing.ConversationID", invalid.Field)
		assert.Contains(t, invalid.Reason, "ToUser")
		require.Len(t, s.Sent(), 1)
		assert.Equal(t, alice, s.Sent()[0].RecipientID)
	})
}

// A second attempt's equal reply is stored once. A different reply is stored as well.
func TestRepliesOfAHandlerThatRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
			return blaze.On(func(ctx context.Context, m *blaze.Message, q blaze.Text) error {
				for _, p := range []blaze.Payload{"echo: " + q, "echo: " + q, blaze.Textf("attempt %d", m.Attempt)} {
					if err := c.Reply(ctx, m, p); err != nil {
						return err
					}
				}
				if err := c.Quote(ctx, m, "echo: "+q); err != nil {
					return err
				}
				if m.Attempt < 3 {
					return errors.New("not yet")
				}
				return nil
			})
		}, nil)
		alice := userID("alice")
		id := s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hi")})
		require.NoError(t, s.Idle(t.Context()))
		var texts []string
		for _, out := range s.Sent() {
			texts = append(texts, fmt.Sprintf("%s %s", out.Payload, out.QuoteID))
			assert.Equal(t, alice, out.RecipientID)
			assert.Equal(t, blaze.ConversationID(s.Key.AppID, alice), out.ConversationID)
		}
		assert.Equal(t,
			[]string{"echo: hi ", "echo: hi ", "attempt 1 ", "echo: hi " + id, "attempt 2 ", "attempt 3 "}, texts)
	})
}

// Two bots in one group receive the same message. Their replies have different ids.
func TestRepliesOfTwoBots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		ids := map[string]string{}
		for _, bot := range []string{botID, userB} {
			var c *blaze.Client
			ready := make(chan struct{})
			c = s.start(bot, func(ctx context.Context, m *blaze.Message) error {
				<-ready
				return c.Reply(ctx, m, blaze.Text("the same"))
			}, nil)
			close(ready)
			list := s.next()
			list.confirm()
			list.conn.push(with(message("alice", "hi"), map[string]any{
				"conversation_id": conversationA, "user_id": userA, "message_id": messageA,
			}))
			r := s.next()
			require.Equal(t, actionSend, r.Action)
			ids[bot] = r.messageID(t)
			r.confirm()
			s.next().confirm() // confirms the acknowledgement
		}
		assert.NotEqual(t, ids[botID], ids[userB])
	})
}
