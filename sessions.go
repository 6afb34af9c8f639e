package blaze

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/mixin-blaze/blaze/internal/seal"
)

// ErrNoSession is the error of an encrypted message whose recipient has no session that could open it, such as a user of an old
// client. Nothing was sent, and nothing is sent in plain text instead.
var ErrNoSession = errors.New("blaze: the recipient has no session that can open encrypted messages")

// mostSessions is of how many users the sessions are remembered.
const mostSessions = 10_000

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
	if s.by == nil || len(s.by) >= mostSessions {
		s.by = make(map[string][]session) // fetching again is cheap, and nobody has so many users that wait
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

// fetchSessions asks for the sessions of those users that none are remembered of.
func (c *Client) fetchSessions(ctx context.Context, users []string) error {
	users = slices.DeleteFunc(slices.Clone(users), func(user string) bool { return len(c.sessions.of(user)) > 0 })
	slices.Sort(users)
	if users = slices.Compact(users); len(users) == 0 {
		return nil
	}
	var all []session
	if err := c.rest.Do(ctx, "POST", "/sessions/fetch", users, &all); err != nil {
		return httpError(err)
	}
	by := make(map[string][]session)
	for _, s := range all {
		user := strings.ToLower(s.UserID)
		by[user] = append(by[user], s)
	}
	for _, user := range users {
		if len(by[user]) > 0 {
			c.sessions.set(user, by[user])
		}
	}
	return nil
}

// usable returns those that something can be sealed for.
func usable(all []session) (found []seal.Session) {
	for _, s := range all {
		public, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.PublicKey, "="))
		if _, id := canonicalUUID(s.SessionID); err == nil && id && len(public) == 32 && len(found) < seal.MostSessions {
			found = append(found, seal.Session{ID: s.SessionID, Public: public})
		}
	}
	return found
}

// sessionChanged hears of a SYSTEM_SESSION message.
func (c *Client) sessionChanged(data string) {
	var notice struct {
		UserID string `json:"user_id"`
	}
	if json.Unmarshal([]byte(data), &notice) == nil {
		c.sessions.drop(notice.UserID)
	}
}
