package blazetest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// users is the namespace of UserID.
var users = uuid.Must(uuid.FromString("5c9b1d0e-7f43-4b57-9d6a-2b1c5f0a8e11"))

// UserID returns the id of the virtual user with a name. It is the same in every process: the UUID v5 of the name in
// the namespace 5c9b1d0e-7f43-4b57-9d6a-2b1c5f0a8e11.
func UserID(name string) string { return uuid.NewV5(users, name).String() }

// stored is a message for the bot. It is immutable.
type stored struct {
	view serve.View
	at   time.Time
}

// Deliver sends the bot a message of a user. It is pushed immediately on every connection that has listed pending
// messages, and again after each LIST_PENDING_MESSAGES until it is acknowledged. Deliver returns the message's id:
// out.MessageID, or a random one if that is empty. [User] and [Group] deliver the messages of people; Deliver is for
// all others.
//
//   - An empty ConversationID stands for the conversation of the user and the bot. An unknown one becomes a group of
//     both. A user who writes in a group becomes a member. The bot is not notified of these changes.
//   - Payload may be any payload, also one that bots only receive, or a [blaze.Raw] with any category.
//   - Encrypted encrypts the message for the bot, from the user's only session.
//   - RecipientID and Mentions are ignored, because pushed messages do not have them.
//
// A second Deliver with the same MessageID simulates a redelivery. A pending message is pushed once more, with the new
// content, in its old position. An acknowledged message becomes pending again, as the newest.
//
// A message that the service could not push is reported to Errorf, and Deliver returns "". Examples are an id that is
// not a UUID in lowercase, a payload that [blaze.EncodePayload] rejects or that cannot be Encrypted, an ExpireIn with a
// fraction of a second, a conversation that the bot has left, and the conversation of the bot with another user.
func (s *Server) Deliver(userID string, out blaze.Outgoing) (messageID string) {
	return s.idOrMisuse(s.deliver(userID, out))
}

// deliver is Deliver, but returns misuse.
func (s *Server) deliver(userID string, out blaze.Outgoing) (messageID string, misuse *controlError) {
	view, reason := s.viewOf(userID, out)
	if reason != "" {
		return "", problem(http.StatusBadRequest, "Deliver: %s", reason)
	}
	s.mu.Lock()
	in := s.enter(userID, view.ConversationID)
	if in {
		s.post(view)
	}
	s.mu.Unlock()
	if !in {
		return "", problem(http.StatusConflict, "Deliver: the bot is not in the conversation %s", view.ConversationID)
	}
	return view.MessageID, nil
}

// post makes a message pending and pushes it. The caller holds s.mu.
func (s *Server) post(v serve.View) {
	m := s.keep(v)
	for _, c := range s.conns {
		if c.listed {
			c.push(m, false)
		}
	}
	s.changed()
}

// viewOf returns the data of the pushed message, or the reason why it is invalid.
func (s *Server) viewOf(userID string, out blaze.Outgoing) (v serve.View, reason string) {
	if out.ConversationID == "" {
		out.ConversationID = blaze.ConversationID(s.session.AppID, userID)
	}
	if out.MessageID == "" {
		out.MessageID = serve.NewID()
	}
	for _, id := range []struct {
		name, value string
		needed      bool
	}{
		{"the user's id", userID, true},
		{"ConversationID", out.ConversationID, true},
		{"MessageID", out.MessageID, true},
		{"QuoteID", out.QuoteID, false},
		{"RepresentativeID", out.RepresentativeID, false},
	} {
		if (id.needed || id.value != "") && !serve.IsUUID(id.value) {
			return v, id.name + " must be a UUID in lowercase"
		}
	}
	if s.belongsToAnother(userID, out.ConversationID) {
		return v, "ConversationID is that of the bot with another user"
	}
	if out.ExpireIn < 0 || out.ExpireIn%time.Second != 0 {
		return v, "ExpireIn must be a number of whole seconds, not negative"
	}
	data, err := blaze.EncodePayload(out.Payload)
	if err != nil {
		return v, err.Error()
	}
	category := out.Payload.Category()
	if out.Encrypted {
		rest, plain := strings.CutPrefix(string(category), "PLAIN_")
		if !plain {
			return v, "Encrypted needs a payload of a PLAIN_ category"
		}
		category = blaze.Category("ENCRYPTED_" + rest)
		if data, err = s.encryptFor(userID, data); err != nil {
			return v, err.Error()
		}
	}
	return serve.View{
		Type: "message", RepresentativeID: out.RepresentativeID, QuoteMessageID: out.QuoteID,
		ConversationID: out.ConversationID, UserID: userID, SessionID: UserID("session of " + userID),
		MessageID: out.MessageID, Category: string(category),
		Data: base64.StdEncoding.EncodeToString(data), DataBase64: base64.RawURLEncoding.EncodeToString(data),
		Status: string(blaze.StatusSent), Silent: out.Silent, ExpireIn: int64(out.ExpireIn / time.Second),
	}, ""
}

// keep makes a message pending. The caller holds s.mu.
func (s *Server) keep(v serve.View) *stored {
	e, again := s.pendingBy[v.MessageID]
	m := &stored{view: v, at: s.now()}
	if again {
		m.at = e.Value.(*stored).at
	}
	m.view.CreatedAt = serve.Stamp(m.at)
	m.view.UpdatedAt = m.view.CreatedAt
	if again {
		e.Value = m
	} else {
		s.pendingBy[v.MessageID] = s.pending.PushBack(m)
	}
	return m
}

// now returns the time of the next message, in microseconds as on the service. It is later than the time of every
// earlier message.
func (s *Server) now() time.Time {
	at := s.clock().UTC().Truncate(time.Microsecond)
	if !at.After(s.lastAt) {
		at = s.lastAt.Add(time.Microsecond)
	}
	s.lastAt = at
	return at
}

// push queues a message. The caller holds s.mu.
func (c *conn) push(m *stored, pending bool) {
	c.Enqueue(serve.Item{Frame: serve.PushMessage(m.view, pending)})
}

// pushPending queues all pending messages, oldest first. The caller holds s.mu.
func (c *conn) pushPending() {
	for e := c.s.pending.Front(); e != nil; e = e.Next() {
		c.push(e.Value.(*stored), true)
	}
}

// list queues all pending messages, oldest first, and enables pushes on the connection. The caller holds s.mu.
func (c *conn) list() {
	c.listed = true
	c.pushPending()
	for _, p := range c.s.receipts {
		c.Enqueue(serve.Item{Frame: p})
	}
	c.s.receipts = nil
}

// Receipt notifies the bot that the recipient of its message has received or read it. st must be StatusDelivered or
// StatusRead. The receipt is pushed once, on every connection that has listed pending messages; if there is none, it is
// pushed on the next one. The id of a message that no client sent is misuse.
func (s *Server) Receipt(messageID string, st blaze.Status) {
	s.reportMisuse(s.receipt("Receipt", messageID, st))
}

// receipt implements the method with this name. It returns misuse.
func (s *Server) receipt(method, messageID string, st blaze.Status) *controlError {
	if st != blaze.StatusDelivered && st != blaze.StatusRead {
		return problem(http.StatusBadRequest, "%s: the status must be DELIVERED or READ", method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sentIDs[messageID]; !ok {
		return problem(http.StatusNotFound, "%s: no client has sent the message %q", method, messageID)
	}
	p := serve.PushReceipt(messageID, string(st), s.now())
	listening := false
	for _, c := range s.conns {
		if c.listed {
			c.Enqueue(serve.Item{Frame: p})
			listening = true
		}
	}
	if !listening {
		s.receipts = append(s.receipts, p)
	}
	return nil
}
