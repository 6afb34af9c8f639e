package blaze

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze/internal/seal"
)

// mostSessions is of how many users the sessions are remembered. Only tests change it.
var mostSessions = 10_000

// session is one of a user's, as the service tells it.
type session struct {
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	PublicKey string `json:"public_key"` // X25519, raw URL base64
}

// sessions remembers which sessions users have, until something says that they have changed.
type sessions struct {
	mu sync.Mutex
	by map[string][]session // by user, in lower case
}

func (s *sessions) of(user string) []session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[user]
}

func (s *sessions) set(user string, all []session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string][]session)
	}
	if _, known := s.by[user]; !known && len(s.by) >= mostSessions {
		for other := range s.by { // any: to ask again is cheap
			delete(s.by, other)
			break
		}
	}
	s.by[user] = all
}

func (s *sessions) drop(users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range users {
		delete(s.by, strings.ToLower(user))
	}
}

// sessionsOf returns the sessions of users, those that are remembered and those that it asks for.
func (c *Client) sessionsOf(ctx context.Context, users []string) (map[string][]session, error) {
	found := make(map[string][]session, len(users))
	var missing []string
	for _, user := range users {
		if _, twice := found[user]; twice {
			continue
		}
		if found[user] = c.sessions.of(user); len(found[user]) == 0 {
			missing = append(missing, user)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	var all []session
	if err := c.rest.Do(ctx, "POST", "/sessions/fetch", missing, &all); err != nil {
		return nil, httpError(err)
	}
	for _, s := range all {
		user := strings.ToLower(s.UserID)
		if slices.Contains(missing, user) {
			found[user] = append(found[user], s)
		}
	}
	for _, user := range missing {
		if len(found[user]) > 0 {
			c.sessions.set(user, found[user])
		}
	}
	return found, nil
}

// usable returns those that something can be sealed for: with a key that a secret can be agreed on with.
func (c *Client) usable(all []session) (found []seal.Session) {
	for _, s := range all {
		public, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.PublicKey, "="))
		if _, id := canonicalUUID(s.SessionID); err != nil || !id || len(found) == seal.MostSessions {
			continue
		}
		key, err := ecdh.X25519().NewPublicKey(public)
		if err != nil {
			continue
		}
		if _, err := c.signer.Shared(key); err == nil { // else the key is of low order
			found = append(found, seal.Session{ID: s.SessionID, Public: public})
		}
	}
	return found
}

// changed takes the data of a SYSTEM_SESSION message: the sessions of its user have changed.
func (s *sessions) changed(data string) {
	var notice struct {
		UserID string `json:"user_id"`
	}
	if json.Unmarshal([]byte(data), &notice) == nil {
		s.drop(notice.UserID)
	}
}
