package blazetest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// changeParticipants adds members to a group, removes members, or changes their roles. The bot must be owner or admin,
// for roles owner.
func (s *Server) changeParticipants(r *http.Request, body []byte) (*conversationView, *serve.Rejection) {
	var who []participant
	if json.Unmarshal(body, &who) != nil || len(who) == 0 {
		return nil, serve.Invalid("body", "must be a list of participants")
	}
	lowercase(who)
	for _, p := range who {
		if !serve.IsUUID(p.UserID) {
			return nil, serve.Invalid("user_id", "must be a UUID")
		}
		if p.Role != "" && p.Role != roleAdmin {
			return nil, serve.Invalid("role", "must be ADMIN or empty")
		}
	}
	change, roles := s.addParticipants, []string{roleOwner, roleAdmin}
	switch r.PathValue("action") {
	case "ADD":
	case "REMOVE":
		change = s.removeParticipants
	case "ROLE":
		change, roles = s.changeRoles, []string{roleOwner}
	default:
		return nil, serve.Invalid("action", "must be ADD, REMOVE or ROLE")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, rejection := s.group(pathID(r), roles...)
	if rejection == nil {
		rejection = change(c, who)
	}
	if rejection != nil {
		return nil, rejection
	}
	return s.viewOfConversation(c), nil
}

// addParticipants adds members. Existing members are unchanged. The caller holds s.mu.
func (s *Server) addParticipants(c *conversation, who []participant) *serve.Rejection {
	who = slices.DeleteFunc(who, func(p participant) bool { return c.member(p.UserID) != nil })
	if len(c.members)+len(who) > maxMembers {
		return full()
	}
	for _, p := range who {
		if c.member(p.UserID) == nil {
			s.join(c, p.UserID, p.Role)
			s.announce(c, blaze.SystemConversation{
				Action: "ADD", ParticipantID: p.UserID, UserID: s.bot(), Role: p.Role,
			})
		}
	}
	return nil
}

// removeParticipants removes members. The caller holds s.mu.
func (s *Server) removeParticipants(c *conversation, who []participant) *serve.Rejection {
	for _, p := range who {
		if p.UserID == s.bot() {
			return serve.Invalid("user_id", "must not be the bot; use exit")
		}
		m := c.member(p.UserID)
		if m != nil && m.role == roleOwner {
			return forbidden("user_id", "the user is the owner of the group")
		}
	}
	for _, p := range who {
		if c.member(p.UserID) != nil {
			c.leave(p.UserID)
			s.announce(c, blaze.SystemConversation{Action: "REMOVE", ParticipantID: p.UserID, UserID: s.bot()})
		}
	}
	return nil
}

// changeRoles makes members admins, or takes the role away. The caller holds s.mu.
func (s *Server) changeRoles(c *conversation, who []participant) *serve.Rejection {
	for _, p := range who {
		m := c.member(p.UserID)
		if m == nil {
			return serve.Invalid("user_id", "must be a member of the group")
		}
		if m.role == roleOwner {
			return forbidden("user_id", "the user is the owner of the group")
		}
	}
	for _, p := range who {
		c.member(p.UserID).role = p.Role
		s.announce(c, blaze.SystemConversation{
			Action: "ROLE", ParticipantID: p.UserID, UserID: s.bot(), Role: p.Role,
		})
	}
	return nil
}

// joinConversation adds the bot to the group with an invitation code.
func (s *Server) joinConversation(r *http.Request, _ []byte) (*conversationView, *serve.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conversations {
		if c.category != categoryGroup || c.code != strings.ToLower(r.PathValue("code")) {
			continue
		}
		if c.member(s.bot()) == nil {
			if len(c.members) >= maxMembers {
				return nil, full()
			}
			s.join(c, s.bot(), "")
			s.announce(c, blaze.SystemConversation{Action: "JOIN", ParticipantID: s.bot(), UserID: s.bot()})
		}
		return s.viewOfConversation(c), nil
	}
	return nil, notFound("code", "no group has this code")
}

// exitConversation removes the bot from a group.
func (s *Server) exitConversation(r *http.Request, _ []byte) (*conversationView, *serve.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, rejection := s.group(pathID(r))
	if rejection != nil {
		return nil, rejection
	}
	c.leave(s.bot())
	s.announce(c, blaze.SystemConversation{Action: "EXIT", ParticipantID: s.bot(), UserID: s.bot()})
	return s.viewOfConversation(c), nil
}

// leave removes a member.
func (c *conversation) leave(id string) {
	c.members = slices.DeleteFunc(c.members, func(m member) bool { return m.id == id })
}

// announce notifies the bot of a change of a conversation with a system message. The bot is a member, or was one before
// this change. The caller holds s.mu.
func (s *Server) announce(c *conversation, change blaze.SystemConversation) {
	// Ids and constants can always be encoded.
	data, _ := blaze.EncodePayload(change)
	s.post(serve.View{
		Type: "message", ConversationID: c.id, UserID: systemUser, MessageID: serve.NewID(),
		Category: string(blaze.CategorySystemConversation), Status: string(blaze.StatusSent),
		Data: base64.StdEncoding.EncodeToString(data), DataBase64: base64.RawURLEncoding.EncodeToString(data),
	})
}
