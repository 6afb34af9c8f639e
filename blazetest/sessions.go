package blazetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// sessionOf returns the only session of a virtual user. It depends only on the user's id. It encrypts and decrypts the
// user's messages.
func sessionOf(userID string) (*auth.Signer, error) {
	seed := sha256.Sum256([]byte("blazetest session of " + userID))
	return auth.New(userID, UserID("session of "+userID), hex.EncodeToString(seed[:]))
}

// encryptFor encrypts a user's data for the bot.
func (s *Server) encryptFor(userID string, data []byte) ([]byte, error) {
	if s.agreement == nil {
		return nil, errors.New("the bot has an RSA key; use an Ed25519 key for encrypted messages")
	}
	own, err := sessionOf(userID)
	if err != nil {
		return nil, err
	}
	return seal.Seal(own, []seal.Session{{ID: s.session.ID, Public: s.agreement}}, data)
}

// userSession is a session in the form of the HTTP API.
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

// ownSession returns the session of the bot.
func (s *Server) ownSession() userSession {
	return userSession{"session", s.bot(), s.session.ID, base64.RawURLEncoding.EncodeToString(s.agreement), ""}
}

// fetchSessions returns the sessions of the listed users. Unknown users have none.
func (s *Server) fetchSessions(_ *http.Request, body []byte) (any, *serve.Rejection) {
	var users []string
	if json.Unmarshal(body, &users) != nil || len(users) == 0 {
		return nil, serve.Invalid("body", "must be a list of user ids")
	}
	all := []userSession{}
	for _, user := range users {
		if user = strings.ToLower(user); user == s.bot() {
			all = append(all, s.ownSession())
		} else {
			all = append(all, s.sessionsOf(user)...)
		}
	}
	return all, nil
}

// sessionsOf returns the sessions of a user, and none for an unknown user.
func (s *Server) sessionsOf(userID string) []userSession {
	s.mu.Lock()
	known := s.lenient || s.people[userID] != nil
	s.mu.Unlock()
	if !known {
		return []userSession{}
	}
	return sessionsOf(userID)
}

// encryptedFor has the additional fields of encrypted messages.
type encryptedFor struct {
	Checksum string `json:"checksum"`
	Sessions []struct {
		SessionID string `json:"session_id"`
	} `json:"recipient_sessions"`
}

// encryptedResult is the result of one encrypted message.
type encryptedResult struct {
	Type        string        `json:"type"`
	MessageID   string        `json:"message_id"`
	RecipientID string        `json:"recipient_id"`
	State       string        `json:"state"`
	Sessions    []userSession `json:"sessions"`
}

// storeEncrypted stores the messages that were encrypted for the current sessions of their recipients.
func (s *Server) storeEncrypted(r *http.Request, body []byte) (any, *serve.Rejection) {
	messages, rejection := serve.ReadMessages("body", body, len(body))
	if rejection != nil {
		return nil, rejection
	}
	encrypted := make([]encryptedFor, len(messages))
	if json.Unmarshal(body, &encrypted) != nil {
		return nil, serve.Invalid("body", "must be a list of encrypted messages")
	}
	all := batch{outs: outgoing(messages...), path: "body", list: true}
	if rejection := s.admit(actionOf(r), all); rejection != nil {
		return nil, rejection
	}
	results := []encryptedResult{}
	var outs []blaze.Outgoing
	for i := range all.outs {
		out := &all.outs[i]
		switch {
		case out.RecipientID == "":
			return nil, serve.Invalid(all.field(i, "recipient_id"), "missing")
		case !out.Encrypted:
			return nil, serve.Invalid(all.field(i, "category"), "must be an ENCRYPTED_ category")
		}
		current := s.sessionsOf(out.RecipientID)
		result := encryptedResult{"message", out.MessageID, out.RecipientID, "SUCCESS", current}
		if !encrypted[i].isFor(current) {
			result.State = "FAILED"
			results = append(results, result)
			continue
		}
		if err := decryptFor(out, messages[i].Data); err != nil {
			return nil, serve.Invalid(all.field(i, "data_base64"), "the recipient cannot decrypt it: %v", err)
		}
		outs, results = append(outs, *out), append(results, result)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, out := range outs {
		s.store(out)
	}
	s.changed()
	return results, nil
}

// isFor reports whether a message was encrypted for exactly these sessions.
func (m *encryptedFor) isFor(sessions []userSession) bool {
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

// decryptFor replaces the payload of a message with the decrypted one.
func decryptFor(out *blaze.Outgoing, data []byte) error {
	own, err := sessionOf(out.RecipientID)
	if err != nil {
		return err
	}
	if data, err = seal.Open(own, own.SessionID(), data); err != nil {
		return err
	}
	out.Payload = blaze.DecodePayload(out.Payload.Category().Plain(), data)
	return nil
}
