package blazetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// endpoint answers one request of the HTTP API with the data of its answer, or refuses it.
type endpoint func(s *Server, r *http.Request, body []byte) (data any, refused *serve.Refusal)

// endpoints are the requests that are served, by method and path; what stands behind a slash at the end is an id.
var endpoints = map[string]endpoint{
	"GET /me": (*Server).showMe,

	"POST /attachments":   (*Server).createAttachment,
	"GET /attachments/":   (*Server).showAttachment,
	"POST /conversations": (*Server).openConversation,

	"POST /sessions/fetch":     (*Server).fetchSessions,
	"POST /encrypted_messages": (*Server).storeSealed,
}

// api answers a request whose token was checked. False means that there is no such request.
func (s *Server) api(w http.ResponseWriter, r *http.Request, body []byte) bool {
	path := r.URL.Path
	answer := endpoints[r.Method+" "+path]
	if answer == nil {
		answer = endpoints[r.Method+" "+path[:strings.LastIndexByte(path, '/')+1]]
	}
	if answer == nil {
		return false
	}
	data, refused := answer(s, r, body)
	if refused != nil {
		if refused.Code == serve.CodeInvalidField {
			s.fault("%s %s: %s: %s", r.Method, path, refused.Field, refused.Reason)
		}
		refuseHTTP(w, refused.Error())
		return true
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data})
	return true
}

// openConversation lets the bot write to a user who has not written.
func (s *Server) openConversation(_ *http.Request, body []byte) (any, *serve.Refusal) {
	var req struct {
		Category       string `json:"category"`
		ConversationID string `json:"conversation_id"`
		Participants   []struct {
			UserID string `json:"user_id"`
		} `json:"participants"`
	}
	if json.Unmarshal(body, &req) != nil {
		return nil, serve.Invalid("body", "not a conversation")
	}
	if req.Category != "CONTACT" || len(req.Participants) != 1 {
		return nil, serve.Invalid("category", "only conversations of category CONTACT are served, with one participant")
	}
	if user := req.Participants[0].UserID; !serve.IsUUID(user) || req.ConversationID != blaze.ConversationID(s.session.AppID, user) {
		return nil, serve.Invalid("conversation_id", "not the one between the bot and the participant")
	}
	s.mu.Lock()
	s.contact(req.Participants[0].UserID)
	s.mu.Unlock()
	return map[string]any{
		"conversation_id": req.ConversationID, "category": req.Category, "creator_id": s.session.AppID, "created_at": s.stamp(),
		"participants": []map[string]string{{"user_id": s.session.AppID}, {"user_id": req.Participants[0].UserID}},
	}, nil
}

// showMe returns the bot's profile. A client that was refused at the websocket asks for it, to know whether its session
// is valid.
func (s *Server) showMe(*http.Request, []byte) (any, *serve.Refusal) {
	return map[string]any{
		"type": "user", "user_id": s.session.AppID, "session_id": s.session.ID, "identity_number": "7000000001",
		"full_name": "Bot", "avatar_url": "", "biography": "", "is_verified": false, "created_at": "2024-01-01T00:00:00Z",
	}, nil
}

func (s *Server) stamp() string { return s.clock().UTC().Format(time.RFC3339Nano) }
