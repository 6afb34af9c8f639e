package blazetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// sessionOf returns the one session that each virtual user has: the same for the same user. It writes the user's
// messages, and opens what is sealed for it.
func sessionOf(userID string) (*auth.Signer, error) {
	seed := sha256.Sum256([]byte("blazetest session of " + userID))
	return auth.New(userID, UserID("session of "+userID), hex.EncodeToString(seed[:]))
}

// sealFor seals what a user says for the bot.
func (s *Server) sealFor(userID string, data []byte) ([]byte, error) {
	if s.agreement == nil {
		return nil, errors.New("the bot has an RSA key, and nothing can be sealed for it")
	}
	own, err := sessionOf(userID)
	if err != nil {
		return nil, err
	}
	return seal.Seal(own, []seal.Session{{ID: s.session.ID, Public: s.agreement}}, data)
}

// userSession is a session as the API tells it.
type userSession struct {
	Type      string `json:"type"`
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	PublicKey string `json:"public_key"`
	Platform  string `json:"platform,omitempty"`
}

func sessionsOf(userID string) []userSession {
	s, err := sessionOf(userID)
	if err != nil {
		return []userSession{}
	}
	public := base64.RawURLEncoding.EncodeToString(s.Public())
	return []userSession{{"session", userID, s.SessionID(), public, "Android"}}
}

// ownSession returns the bot's.
func (s *Server) ownSession() userSession {
	return userSession{"session", s.bot(), s.session.ID, base64.RawURLEncoding.EncodeToString(s.agreement), ""}
}

// fetchSessions tells the sessions of users.
func (s *Server) fetchSessions(_ *http.Request, body []byte) (any, *serve.Refusal) {
	var users []string
	if json.Unmarshal(body, &users) != nil || len(users) == 0 {
		return nil, serve.Invalid("body", "not a list of user ids")
	}
	all := []userSession{}
	for _, user := range users {
		if user == s.bot() {
			all = append(all, s.ownSession())
		} else {
			all = append(all, sessionsOf(user)...)
		}
	}
	return all, nil
}

// sealedMessage is one of POST /encrypted_messages.
type sealedMessage struct {
	ConversationID   string `json:"conversation_id"`
	RecipientID      string `json:"recipient_id"`
	MessageID        string `json:"message_id"`
	Category         string `json:"category"`
	DataBase64       string `json:"data_base64"`
	RepresentativeID string `json:"representative_id"`
	QuoteMessageID   string `json:"quote_message_id"`
	Checksum         string `json:"checksum"`
	Sessions         []struct {
		SessionID string `json:"session_id"`
	} `json:"recipient_sessions"`
	Silent bool `json:"silent"`
}

// sealedResult says what became of one.
type sealedResult struct {
	Type        string        `json:"type"`
	MessageID   string        `json:"message_id"`
	RecipientID string        `json:"recipient_id"`
	State       string        `json:"state"`
	Sessions    []userSession `json:"sessions"`
}

// storeSealed stores encrypted messages, those that were sealed for the sessions that their recipients have.
func (s *Server) storeSealed(r *http.Request, body []byte) (any, *serve.Refusal) {
	var messages []sealedMessage
	if len(body) > serve.MaxBytes {
		return nil, serve.Invalid("body", "%d bytes, and at most %d", len(body), serve.MaxBytes)
	}
	if json.Unmarshal(body, &messages) != nil || len(messages) == 0 || len(messages) > 100 {
		return nil, serve.Invalid("body", "not a list of 1 to 100 messages")
	}
	results := []sealedResult{}
	var outs []blaze.Outgoing
	all := batch{path: "body", list: true}
	for i := range messages {
		m := &messages[i]
		all.outs = append(all.outs, blaze.Outgoing{ConversationID: m.ConversationID, RecipientID: m.RecipientID})
		current := sessionsOf(m.RecipientID)
		result := sealedResult{"message", m.MessageID, m.RecipientID, "SUCCESS", current}
		if !m.isFor(current) {
			result.State = "FAILED"
			results = append(results, result)
			continue
		}
		out, refused := m.open()
		if refused != nil {
			return nil, refused
		}
		outs, results = append(outs, out), append(results, result)
	}
	if refused := s.admit(actionOf(r), all); refused != nil {
		return nil, refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, out := range outs {
		s.store(out)
	}
	s.changed()
	return results, nil
}

// isFor reports whether a message was made for these sessions.
func (m *sealedMessage) isFor(sessions []userSession) bool {
	var ids []string
	for _, s := range sessions {
		ids = append(ids, s.SessionID)
	}
	var named []string
	for _, s := range m.Sessions {
		named = append(named, s.SessionID)
	}
	return m.Checksum == seal.Checksum(ids) && slices.Equal(ids, named)
}

// open checks a message, and returns it as its recipient reads it.
func (m *sealedMessage) open() (out blaze.Outgoing, refused *serve.Refusal) {
	category := blaze.Category(m.Category)
	data, err := base64.RawURLEncoding.DecodeString(m.DataBase64)
	switch {
	case err != nil || len(data) == 0:
		return out, serve.Invalid("data_base64", "not raw URL base64")
	case !category.Encrypted():
		return out, serve.Invalid("category", "not an encrypted one")
	case !serve.IsUUID(m.ConversationID) || !serve.IsUUID(m.MessageID) || !serve.IsUUID(m.RecipientID):
		return out, serve.Invalid("message_id", "conversation, message and recipient need UUIDs in lowercase")
	}
	own, err := sessionOf(m.RecipientID)
	if err == nil {
		data, err = seal.Open(own, own.SessionID(), data)
	}
	if err != nil {
		return out, serve.Invalid("data_base64", "the recipient cannot open it: %v", err)
	}
	return blaze.Outgoing{
		ConversationID: m.ConversationID, Payload: blaze.DecodePayload(category.Plain(), data),
		MessageID: m.MessageID, RecipientID: m.RecipientID,
		QuoteID: m.QuoteMessageID, RepresentativeID: m.RepresentativeID, Silent: m.Silent, Encrypted: true,
	}, nil
}
