package blazetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
)

// endpoint answers one request of the HTTP API with the data of its answer, or refuses it.
type endpoint func(s *Server, r *http.Request, body []byte) (data any, refused *refusal)

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
	serve := endpoints[r.Method+" "+path]
	if serve == nil {
		serve = endpoints[r.Method+" "+path[:strings.LastIndexByte(path, '/')+1]]
	}
	if serve == nil {
		return false
	}
	data, refused := serve(s, r, body)
	if refused != nil {
		if refused.code == blaze.CodeInvalidField {
			s.fault("%s %s: %s: %s", r.Method, path, refused.field, refused.reason)
		}
		e := refused.wire()
		refuseHTTP(w,
			&blaze.Error{Code: blaze.Code(e.Code), Status: e.Status, Description: e.Description, Extra: e.Extra})
		return true
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data})
	return true
}

// openConversation lets the bot write to a user who has not written.
func (s *Server) openConversation(_ *http.Request, body []byte) (any, *refusal) {
	var req struct {
		Category       string `json:"category"`
		ConversationID string `json:"conversation_id"`
		Participants   []struct {
			UserID string `json:"user_id"`
		} `json:"participants"`
	}
	if json.Unmarshal(body, &req) != nil {
		return nil, invalidField("body", "not a conversation")
	}
	if req.Category != "CONTACT" || len(req.Participants) != 1 {
		return nil, invalidField("category", "only conversations of category CONTACT are served, with one participant")
	}
	if user := req.Participants[0].UserID; !isUUID(user) || req.ConversationID != blaze.ConversationID(appID, user) {
		return nil, invalidField("conversation_id", "not the one between the bot and the participant")
	}
	s.mu.Lock()
	s.users[req.Participants[0].UserID] = struct{}{}
	s.mu.Unlock()
	return map[string]any{
		"conversation_id": req.ConversationID, "category": req.Category, "creator_id": appID, "created_at": s.stamp(),
		"participants": []map[string]string{{"user_id": appID}, {"user_id": req.Participants[0].UserID}},
	}, nil
}

// showMe returns the bot's profile. A client that was refused at the websocket asks for it, to know whether its session
// is valid.
func (s *Server) showMe(*http.Request, []byte) (any, *refusal) {
	return map[string]any{
		"type": "user", "user_id": appID, "session_id": sessionID, "identity_number": "7000000001",
		"full_name": "Bot", "avatar_url": "", "biography": "",
		"is_verified": false, "created_at": "2024-01-01T00:00:00Z",
	}, nil
}

func (s *Server) stamp() string { return time.Now().UTC().Format(time.RFC3339Nano) }
