package blazetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// Limits of a group.
const (
	maxName         = 512  // characters
	maxAnnouncement = 1024 // characters
	maxMembers      = 256
	codeGroupFull   = 20116
)

// participant is a user in the body of a request.
type participant struct {
	UserID string `json:"user_id"`
	Role   string `json:"role"`
}

// lowercase changes the ids to lowercase, as the service does.
func lowercase(all []participant) {
	for i := range all {
		all[i].UserID = strings.ToLower(all[i].UserID)
	}
}

// newConversationRequest is the body of POST /conversations.
type newConversationRequest struct {
	Category       string        `json:"category"`
	ConversationID string        `json:"conversation_id"`
	Name           string        `json:"name"`
	Announcement   string        `json:"announcement"`
	RandomID       string        `json:"random_id"`
	Participants   []participant `json:"participants"`
}

// createConversation creates a group that the bot owns, or the contact conversation with a user who has not written. An
// existing conversation is returned unchanged.
func (s *Server) createConversation(_ *http.Request, body []byte) (*conversationView, *serve.Rejection) {
	var req newConversationRequest
	if json.Unmarshal(body, &req) != nil {
		return nil, serve.Invalid("body", "must be a conversation")
	}
	req.ConversationID, req.RandomID = strings.ToLower(req.ConversationID), strings.ToLower(req.RandomID)
	lowercase(req.Participants)
	if rejection := s.checkConversation(&req); rejection != nil {
		return nil, rejection
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Category == categoryContact {
		return s.viewOfConversation(s.contact(req.Participants[0].UserID)), nil
	}
	if c := s.conversations[req.ConversationID]; c != nil {
		if c.member(s.bot()) == nil {
			return nil, forbidden("conversation_id", "the bot is not in the conversation")
		}
		return s.viewOfConversation(c), nil
	}
	return s.viewOfConversation(s.createGroup(&req)), nil
}

// createGroup creates a group that the bot owns. The caller holds s.mu.
func (s *Server) createGroup(req *newConversationRequest) *conversation {
	c := s.newConversation(req.ConversationID, categoryGroup, s.bot())
	c.name, c.announcement = req.Name, req.Announcement
	for _, p := range req.Participants {
		if c.member(p.UserID) == nil {
			s.join(c, p.UserID, p.Role)
		}
	}
	s.announce(c, blaze.SystemConversation{Action: "CREATE", UserID: s.bot()})
	return c
}

// checkConversation validates the request for a new conversation.
func (s *Server) checkConversation(req *newConversationRequest) *serve.Rejection {
	for _, p := range req.Participants {
		if !serve.IsUUID(p.UserID) {
			return serve.Invalid("participants", "each user_id must be a UUID")
		}
	}
	switch req.Category {
	case categoryContact:
		return s.checkContact(req)
	case categoryGroup:
		return s.checkGroup(req)
	}
	return serve.Invalid("category", "must be CONTACT or GROUP")
}

func (s *Server) checkContact(req *newConversationRequest) *serve.Rejection {
	if len(req.Participants) != 1 {
		return serve.Invalid("participants", "must be one participant for category CONTACT")
	}
	user := req.Participants[0].UserID
	if user == s.bot() {
		return serve.Invalid("participants", "must not be the bot")
	}
	if req.ConversationID != blaze.ConversationID(s.bot(), user) {
		return serve.Invalid("conversation_id", "must be the conversation of the bot and the participant")
	}
	return nil
}

func (s *Server) checkGroup(req *newConversationRequest) *serve.Rejection {
	var others []string
	for _, p := range req.Participants {
		if p.Role != "" && p.Role != roleAdmin {
			return serve.Invalid("participants", "each role must be ADMIN or empty")
		}
		if p.UserID != s.bot() && !slices.Contains(others, p.UserID) {
			others = append(others, p.UserID)
		}
	}
	switch {
	case !serve.IsUUID(req.ConversationID):
		return serve.Invalid("conversation_id", "must be a UUID")
	case len(others)+1 > maxMembers:
		return full()
	case req.RandomID != "" && req.ConversationID != blaze.GroupConversationID(s.bot(), req.Name, req.RandomID, others):
		return serve.Invalid("conversation_id", "must be derived from the bot, name, random_id and participants")
	}
	return checkNames(req.Name, req.Announcement)
}

func full() *serve.Rejection {
	return &serve.Rejection{Code: codeGroupFull, Field: "participants", Reason: "a group has at most 256 members"}
}

func checkNames(name, announcement string) *serve.Rejection {
	if utf8.RuneCountInString(name) > maxName {
		return serve.Invalid("name", "must have at most %d characters", maxName)
	}
	if utf8.RuneCountInString(announcement) > maxAnnouncement {
		return serve.Invalid("announcement", "must have at most %d characters", maxAnnouncement)
	}
	return nil
}

// own returns a conversation of the bot. The caller holds s.mu.
func (s *Server) own(id string) (*conversation, *serve.Rejection) {
	c := s.conversations[id]
	if c == nil {
		return nil, forbidden("id", "the conversation does not exist")
	}
	if c.member(s.bot()) == nil {
		return nil, forbidden("id", "the bot is not in the conversation")
	}
	return c, nil
}

// group returns a group of the bot. If roles are given, the bot must have one of them. The caller holds s.mu.
func (s *Server) group(id string, roles ...string) (*conversation, *serve.Rejection) {
	c, rejection := s.own(id)
	switch {
	case rejection != nil:
		return nil, rejection
	case c.category != categoryGroup:
		return nil, forbidden("id", "the conversation is not a group")
	}
	return c, s.needsRole(c, roles...)
}

// needsRole returns a rejection if the bot has none of the roles in a conversation. The caller holds s.mu.
func (s *Server) needsRole(c *conversation, roles ...string) *serve.Rejection {
	if len(roles) > 0 && !slices.Contains(roles, c.member(s.bot()).role) {
		return forbidden("id", "the bot's role in the group does not allow it")
	}
	return nil
}

// showConversation returns a conversation of the bot.
func (s *Server) showConversation(r *http.Request, _ []byte) (*conversationView, *serve.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conversations[pathID(r)]
	if c == nil || c.member(s.bot()) == nil {
		return nil, notFound("id", "the bot has no such conversation")
	}
	return s.viewOfConversation(c), nil
}

// updateConversation changes the name and the announcement of a group. Empty fields are ignored.
func (s *Server) updateConversation(r *http.Request, body []byte) (*conversationView, *serve.Rejection) {
	var req struct {
		Name         string `json:"name"`
		Announcement string `json:"announcement"`
	}
	if json.Unmarshal(body, &req) != nil {
		return nil, serve.Invalid("body", "must be an object with name and announcement")
	}
	if rejection := checkNames(req.Name, req.Announcement); rejection != nil {
		return nil, rejection
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, rejection := s.group(pathID(r), roleOwner, roleAdmin)
	if rejection != nil {
		return nil, rejection
	}
	if req.Name != "" {
		c.name = req.Name
	}
	if req.Announcement != "" {
		c.announcement = req.Announcement
	}
	s.announce(c, blaze.SystemConversation{Action: "UPDATE", UserID: s.bot()})
	return s.viewOfConversation(c), nil
}

// rotateConversation replaces the invitation code of a group.
func (s *Server) rotateConversation(r *http.Request, _ []byte) (*conversationView, *serve.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, rejection := s.group(pathID(r), roleOwner, roleAdmin)
	if rejection != nil {
		return nil, rejection
	}
	c.code = newCode()
	return s.viewOfConversation(c), nil
}

func newCode() string { return uuid.Must(uuid.NewV4()).String() }

// conversationView is a conversation in the form of the HTTP API.
type conversationView struct {
	Type           string            `json:"type"`
	ConversationID string            `json:"conversation_id"`
	CreatorID      string            `json:"creator_id"`
	Category       string            `json:"category"`
	Name           string            `json:"name"`
	IconURL        string            `json:"icon_url"`
	Announcement   string            `json:"announcement"`
	CreatedAt      string            `json:"created_at"`
	CodeID         string            `json:"code_id"`
	CodeURL        string            `json:"code_url"`
	MuteUntil      string            `json:"mute_until"`
	ExpireIn       int64             `json:"expire_in"`
	Participants   []participantView `json:"participants"`
	Sessions       []userSession     `json:"participant_sessions"`
	Circles        []struct{}        `json:"circles"`
}

type participantView struct {
	Type      string `json:"type"`
	UserID    string `json:"user_id"`
	Role      string `json:"role"`
	CreatedAt string `json:"created_at"`
}

// inConversation makes an endpoint of a function that returns a conversation. The endpoint adds the sessions, because
// their keys are derived without s.mu.
func inConversation(
	do func(*Server, *http.Request, []byte) (*conversationView, *serve.Rejection),
) endpoint {
	return func(s *Server, r *http.Request, body []byte) (any, *serve.Rejection) {
		v, rejection := do(s, r, body)
		if rejection != nil {
			return nil, rejection
		}
		for _, p := range v.Participants {
			v.Sessions = append(v.Sessions, s.participantSessions(p.UserID)...)
		}
		return v, nil
	}
}

// viewOfConversation returns a conversation in the form of the HTTP API, without sessions. The caller holds s.mu.
func (s *Server) viewOfConversation(c *conversation) *conversationView {
	v := &conversationView{
		Type: "conversation", ConversationID: c.id, CreatorID: c.creator, Category: c.category, Name: c.name,
		Announcement: c.announcement, CreatedAt: nanoStamp(c.since), CodeID: c.code, CodeURL: codes + c.code,
		MuteUntil: noTime, ExpireIn: int64(c.expireIn / time.Second), Sessions: []userSession{}, Circles: []struct{}{},
	}
	if !c.mutedUntil.IsZero() {
		v.MuteUntil = nanoStamp(c.mutedUntil)
	}
	for _, m := range c.members {
		v.Participants = append(v.Participants, participantView{"participant", m.id, m.role, nanoStamp(m.since)})
	}
	return v
}

func nanoStamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// participantSessions returns the sessions of a member in a conversation's form. The member may be the bot.
func (s *Server) participantSessions(id string) []userSession {
	var all []userSession
	if id == s.bot() {
		all = []userSession{s.ownSession()}
	} else {
		all = sessionsOf(id)
	}
	for i := range all {
		all[i].Type, all[i].Platform = "participant_session", ""
	}
	return all
}
