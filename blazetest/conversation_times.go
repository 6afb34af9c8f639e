package blazetest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// maxDuration is the limit for muting a conversation and for the lifetime of its messages.
const maxDuration = 100 * 365 * 24 * time.Hour

// readDuration reads a request's number of seconds.
func readDuration(body []byte) (time.Duration, *serve.Rejection) {
	var req struct {
		Duration *int64 `json:"duration"`
	}
	if json.Unmarshal(body, &req) != nil || req.Duration == nil {
		return 0, serve.Invalid("duration", "must be a number of seconds")
	}
	if *req.Duration < 0 || *req.Duration > int64(maxDuration/time.Second) {
		return 0, serve.Invalid("duration", "must be between 0 and %d seconds", int64(maxDuration/time.Second))
	}
	return time.Duration(*req.Duration) * time.Second, nil
}

// setDuration applies the duration in a request to a conversation.
func (s *Server) setDuration(
	r *http.Request, body []byte, set func(*conversation, time.Duration) *serve.Rejection,
) (*conversationView, *serve.Rejection) {
	d, rejection := readDuration(body)
	if rejection != nil {
		return nil, rejection
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, rejection := s.own(pathID(r))
	if rejection == nil {
		rejection = set(c, d)
	}
	if rejection != nil {
		return nil, rejection
	}
	return s.viewOfConversation(c), nil
}

// muteConversation mutes a conversation for the bot; a duration of 0 unmutes it. Messages are pushed all the same.
func (s *Server) muteConversation(r *http.Request, body []byte) (*conversationView, *serve.Rejection) {
	return s.setDuration(r, body, func(c *conversation, d time.Duration) *serve.Rejection {
		c.mutedUntil = time.Time{}
		if d > 0 {
			c.mutedUntil = s.clock().Add(d)
		}
		return nil
	})
}

// setDisappearing sets the lifetime of a conversation's messages; 0 is unlimited. In a group the bot must be owner or
// admin.
func (s *Server) setDisappearing(r *http.Request, body []byte) (*conversationView, *serve.Rejection) {
	return s.setDuration(r, body, func(c *conversation, d time.Duration) *serve.Rejection {
		if c.category == categoryGroup {
			if rejection := s.needsRole(c, roleOwner, roleAdmin); rejection != nil {
				return rejection
			}
		}
		c.expireIn = d
		s.announce(c, blaze.SystemConversation{Action: "EXPIRE", UserID: s.bot(), ExpireIn: d})
		return nil
	})
}
