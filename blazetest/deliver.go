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

// UserID returns the id of a virtual user: the same for the same name, in every process. It is the UUID v5 of the name
// in the namespace 5c9b1d0e-7f43-4b57-9d6a-2b1c5f0a8e11.
func UserID(name string) string { return uuid.NewV5(users, name).String() }

// stored is a message for the bot. It does not change once it is made.
type stored struct {
	view serve.View
	at   time.Time
}

// Deliver gives the bot a message of the user: at once on every connection that has asked for messages, and again on
// each LIST_PENDING_MESSAGES, until it is acknowledged. It returns the message's id, which is out.MessageID or else a
// random one. An empty out.ConversationID means the conversation of the user and the bot. One that the server does not
// know becomes a group of the two, and a user who writes in a group becomes a member; the bot is told nothing of
// either. Payloads that only ever arrive and [blaze.Raw] are allowed; so is an ENCRYPTED_ category, as Raw. With
// Encrypted the message is sealed for the bot, by the one session that each user has. RecipientID and Mentions have no
// place in a message that is pushed and are ignored. [User] and [Group] deliver what people do.
//
// Delivering the id of a message again simulates the service pushing it twice: while it is pending it is pushed once
// more, in its place with what it says now; after it was acknowledged it is pending again, as the newest.
//
// A message that the service could not push is reported to Errorf, and Deliver returns "": ids that are not UUIDs in
// lowercase, a payload that [blaze.EncodePayload] refuses, a part of a second in ExpireIn, a payload that cannot be
// Encrypted, a conversation that the bot has left, the conversation of the bot and another user.
func (s *Server) Deliver(userID string, out blaze.Outgoing) (messageID string) {
	return s.idOrMisuse(s.deliver(userID, out))
}

// deliver is Deliver, and returns misuse.
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

// post makes a message pending, and pushes it. The caller holds s.mu.
func (s *Server) post(v serve.View) {
	m := s.keep(v)
	for _, c := range s.conns {
		if c.listed {
			c.push(m, false)
		}
	}
	s.changed()
}

// viewOf returns the message as it is pushed, or what is wrong with it.
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
			return v, id.name + " is not a UUID in lowercase"
		}
	}
	if s.belongsToAnother(userID, out.ConversationID) {
		return v, "ConversationID is that of the bot and another user"
	}
	if out.ExpireIn < 0 || out.ExpireIn%time.Second != 0 {
		return v, "ExpireIn is not a number of seconds"
	}
	data, err := blaze.EncodePayload(out.Payload)
	if err != nil {
		return v, err.Error()
	}
	category := out.Payload.Category()
	if out.Encrypted {
		rest, plain := strings.CutPrefix(string(category), "PLAIN_")
		if !plain {
			return v, "Encrypted: only payloads of PLAIN_ categories can be"
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

// now is the time of the next message: later than that of all before, in microseconds, as the service has it.
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

// pushPending queues what is pending now, oldest first. The caller holds s.mu.
func (c *conn) pushPending() {
	for e := c.s.pending.Front(); e != nil; e = e.Next() {
		c.push(e.Value.(*stored), true)
	}
}

// list begins pushing: what is pending now, oldest first, and what comes from now on. The caller holds s.mu.
func (c *conn) list() {
	c.listed = true
	c.pushPending()
	for _, p := range c.s.receipts {
		c.Enqueue(serve.Item{Frame: p})
	}
	c.s.receipts = nil
}

// Receipt tells the bot that the recipient of a message that it sent has got or read it. st is StatusDelivered or
// StatusRead. It is pushed once, on every connection that has asked for messages; while there is none, it is kept for
// the next one. The id of a message that no client sent, and any other status, is misuse.
func (s *Server) Receipt(messageID string, st blaze.Status) {
	s.reportMisuse(s.receipt("Receipt", messageID, st))
}

// receipt is what a method of this name does. It returns misuse.
func (s *Server) receipt(method, messageID string, st blaze.Status) *controlError {
	if st != blaze.StatusDelivered && st != blaze.StatusRead {
		return problem(http.StatusBadRequest, "%s: the status is neither DELIVERED nor READ", method)
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
