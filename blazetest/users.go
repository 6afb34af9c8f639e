package blazetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// profile is a user in the form of the HTTP API.
type profile struct {
	Type           string `json:"type"`
	UserID         string `json:"user_id"`
	IdentityNumber string `json:"identity_number"`
	Phone          string `json:"phone"`
	FullName       string `json:"full_name"`
	Biography      string `json:"biography"`
	AvatarURL      string `json:"avatar_url"`
	Relationship   string `json:"relationship"`
	MuteUntil      string `json:"mute_until"`
	CreatedAt      string `json:"created_at"`
	IsVerified     bool   `json:"is_verified"`
	CodeID         string `json:"code_id"`
	CodeURL        string `json:"code_url"`
	App            *app   `json:"app,omitempty"` // of a bot
}

// app has the additional fields of a bot.
type app struct {
	Type             string   `json:"type"`
	AppID            string   `json:"app_id"`
	AppNumber        string   `json:"app_number"`
	Name             string   `json:"name"`
	Description      string   `json:"description"`
	IconURL          string   `json:"icon_url"`
	HomeURI          string   `json:"home_uri"`
	RedirectURI      string   `json:"redirect_uri"`
	Category         string   `json:"category"`
	CreatorID        string   `json:"creator_id"`
	Capabilities     []string `json:"capabilities"`
	ResourcePatterns []string `json:"resource_patterns"`
	UpdatedAt        string   `json:"updated_at"`
}

// me is the data of the response to GET /me.
type me struct {
	profile
	SessionID     string `json:"session_id"`
	HasPIN        bool   `json:"has_pin"`
	Messages      string `json:"receive_message_source"`
	Conversations string `json:"accept_conversation_source"`
	Currency      string `json:"fiat_currency"`
	Threshold     int    `json:"transfer_notification_threshold"`
}

const (
	noTime     = "0001-01-01T00:00:00Z" // the service's zero time
	botSince   = "2024-01-01T00:00:00Z"
	codes      = "https://mixin.one/codes/"
	botName    = "Bot"
	maxFetched = 100 // users in one request
)

func (s *Server) profileOf(p *person) profile {
	code := UserID("code of " + p.id)
	return profile{
		Type: "user", UserID: p.id, IdentityNumber: p.number, FullName: p.displayName(), Relationship: "STRANGER",
		MuteUntil: noTime, CreatedAt: p.since.UTC().Format(time.RFC3339Nano), CodeID: code, CodeURL: codes + code,
	}
}

// displayName returns the name of a person, or the identity number if the name is unknown.
func (p *person) displayName() string {
	if p.name != "" {
		return p.name
	}
	return p.number
}

func (s *Server) profileOfBot() profile {
	code := UserID("code of " + s.bot())
	return profile{
		Type: "user", UserID: s.bot(), IdentityNumber: botNumber, FullName: botName, Relationship: "ME",
		MuteUntil: noTime, CreatedAt: botSince, CodeID: code, CodeURL: codes + code,
		App: &app{
			Type: "app", AppID: s.bot(), AppNumber: botNumber, Name: botName, Category: "OTHER",
			CreatorID: UserID("creator of " + s.bot()), Capabilities: []string{"CONTACT", "GROUP", "ENCRYPTED"},
			ResourcePatterns: []string{}, UpdatedAt: botSince,
		},
	}
}

// showMe returns the bot's profile. After a 401 on the websocket a client requests it to find out whether its session
// is valid.
func (s *Server) showMe(*http.Request, []byte) (any, *serve.Rejection) {
	return me{
		profile: s.profileOfBot(), SessionID: s.session.ID, HasPIN: true,
		Messages: "EVERYBODY", Conversations: "EVERYBODY", Currency: "USD",
	}, nil
}

// find returns the profile with an id or identity number. The caller holds s.mu.
func (s *Server) find(idOrNumber string) (profile, bool) {
	if idOrNumber == s.bot() || idOrNumber == botNumber {
		return s.profileOfBot(), true
	}
	p := s.people[idOrNumber]
	if p == nil {
		p = s.numbers[idOrNumber]
	}
	if p == nil {
		return profile{}, false
	}
	return s.profileOf(p), true
}

// showUser returns the user with an id or an identity number. The SDKs use both.
func (s *Server) showUser(r *http.Request, _ []byte) (any, *serve.Rejection) {
	return s.show(pathID(r))
}

// searchUser returns the user with an identity number.
func (s *Server) searchUser(r *http.Request, _ []byte) (any, *serve.Rejection) {
	number := r.PathValue("number")
	if serve.IsUUID(number) {
		return nil, notFound("number", "must be an identity number")
	}
	return s.show(number)
}

func (s *Server) show(idOrNumber string) (any, *serve.Rejection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known := s.find(idOrNumber)
	if !known {
		return nil, notFound("id", "the user does not exist")
	}
	return p, nil
}

// fetchUsers returns the known users of a list, in its order.
func (s *Server) fetchUsers(_ *http.Request, body []byte) (any, *serve.Rejection) {
	var ids []string
	if json.Unmarshal(body, &ids) != nil || len(ids) == 0 || len(ids) > maxFetched {
		return nil, serve.Invalid("body", "must be a list of 1 to %d user ids", maxFetched)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []profile{}
	for _, id := range ids {
		if p, known := s.find(strings.ToLower(id)); known {
			found = append(found, p)
		}
	}
	return found, nil
}

func notFound(field, reason string) *serve.Rejection {
	return &serve.Rejection{Code: serve.CodeNotFound, Field: field, Reason: reason}
}
