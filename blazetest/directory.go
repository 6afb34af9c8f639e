package blazetest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/mixin-blaze/blaze"
)

// Roles of the members of a group. Other members have an empty role.
const (
	roleOwner = "OWNER"
	roleAdmin = "ADMIN"
)

const (
	categoryContact = "CONTACT"
	categoryGroup   = "GROUP"
	systemUser      = "00000000-0000-0000-0000-000000000000" // the sender of system messages
)

// directory has a Server's people and conversations, and the bot's rate limit.
type directory struct {
	quota         quota
	people        map[string]*person // by id
	numbers       map[string]*person // by identity number
	conversations map[string]*conversation
	named         map[string]*User
	groups        map[string]*Group
	unknownPaths  map[string]struct{} // already reported
}

func newDirectory() directory {
	return directory{
		people: map[string]*person{}, numbers: map[string]*person{}, conversations: map[string]*conversation{},
		named: map[string]*User{}, groups: map[string]*Group{}, unknownPaths: map[string]struct{}{},
	}
}

// person is a user. Only the name changes: it is set late if the first message came before Server.User.
type person struct {
	id, number, name string
	since            time.Time
}

// meet returns the person with an id. The first call with an id creates the person. The caller holds s.mu.
func (s *Server) meet(id string) *person {
	if p := s.people[id]; p != nil {
		return p
	}
	p := &person{id: id, number: s.number(id), since: s.clock()}
	s.people[id], s.numbers[p.number] = p, p
	return p
}

// botNumber is the bot's identity number. Numbers of bots begin with 7000.
const botNumber = "7000000001"

// number returns a free identity number. Except for collisions it depends only on the id.
func (s *Server) number(id string) string {
	sum := sha256.Sum256([]byte("blazetest number of " + id))
	n := binary.BigEndian.Uint64(sum[:]) % 1_000_000_000
	for {
		number := strconv.FormatUint(1_000_000_000+n, 10)
		if s.numbers[number] == nil {
			return number
		}
		n = (n + 1) % 1_000_000_000
	}
}

// conversation is a conversation that the bot is or was a member of.
type conversation struct {
	id, category       string
	name, announcement string // of a group
	creator            string // a user's id
	code               string // invitation code of a group
	since              time.Time
	mutedUntil         time.Time     // for the bot; zero: not muted
	expireIn           time.Duration // lifetime of messages; 0: unlimited
	members            []member      // in order of joining
}

type member struct {
	id, role string
	since    time.Time
}

// member returns a member, or nil if there is none with this id.
func (c *conversation) member(id string) *member {
	i := slices.IndexFunc(c.members, func(m member) bool { return m.id == id })
	if i < 0 {
		return nil
	}
	return &c.members[i]
}

// newConversation creates a conversation with one member. The caller holds s.mu.
func (s *Server) newConversation(id, category, creator string) *conversation {
	c := &conversation{id: id, category: category, creator: creator, since: s.clock(), code: newCode()}
	role := ""
	if category == categoryGroup {
		role = roleOwner
	}
	s.join(c, creator, role)
	s.conversations[id] = c
	return c
}

// join adds a member. The caller holds s.mu.
func (s *Server) join(c *conversation, id, role string) {
	if id != s.bot() {
		s.meet(id)
	}
	c.members = append(c.members, member{id: id, role: role, since: s.clock()})
}

// contact returns the conversation of the bot and a user. The first call creates it. The caller holds s.mu.
func (s *Server) contact(userID string) *conversation {
	id := blaze.ConversationID(s.bot(), userID)
	if c := s.conversations[id]; c != nil {
		return c
	}
	c := s.newConversation(id, categoryContact, userID)
	s.join(c, s.bot(), "")
	return c
}

// bot returns the id of the bot.
func (s *Server) bot() string { return s.session.AppID }

// enter creates the conversation of a delivered message if necessary, and adds the sender to a group. An unknown
// conversation becomes a group of the sender and the bot. enter returns false if the bot has left the conversation. The
// caller holds s.mu.
func (s *Server) enter(userID, conversationID string) bool {
	if conversationID == systemUser || conversationID == s.bot() {
		return true // messages without a conversation
	}
	c := s.conversations[conversationID]
	switch {
	case userID == systemUser:
		if c == nil {
			s.newConversation(conversationID, categoryGroup, s.bot())
		}
		return true
	case c == nil && conversationID == blaze.ConversationID(s.bot(), userID):
		s.contact(userID)
		return true
	case c == nil:
		c = s.newConversation(conversationID, categoryGroup, userID)
		s.join(c, s.bot(), "")
	case c.member(s.bot()) == nil:
		return false
	}
	if c.category == categoryGroup && c.member(userID) == nil {
		s.join(c, userID, "")
	}
	return true
}

// belongsToAnother reports whether a conversation is the one of the bot and another user.
func (s *Server) belongsToAnother(userID, conversationID string) bool {
	if userID == systemUser || userID == s.bot() || conversationID == blaze.ConversationID(s.bot(), userID) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conversations[conversationID]; c != nil {
		return c.category == categoryContact
	}
	return s.contactOf(conversationID) != nil
}

// contactOf returns the person in the contact conversation with this id, or nil. The caller holds s.mu.
func (s *Server) contactOf(conversationID string) *person {
	for id, p := range s.people {
		if conversationID == blaze.ConversationID(s.bot(), id) {
			return p
		}
	}
	return nil
}
