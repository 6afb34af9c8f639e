package blazetest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/mixin-blaze/blaze"
)

// The roles of the members of a group. Others have none.
const (
	roleOwner = "OWNER"
	roleAdmin = "ADMIN"
)

const (
	categoryContact = "CONTACT"
	categoryGroup   = "GROUP"
	systemUser      = "00000000-0000-0000-0000-000000000000" // the sender of what nobody wrote
)

// directory is what a Server knows of people and conversations, and what it counts of the bot's messages to them.
type directory struct {
	quota         quota
	people        map[string]*person // by id
	numbers       map[string]*person // by identity number
	conversations map[string]*conversation
	named         map[string]*User
	groups        map[string]*Group
	unknownPaths  map[string]struct{} // reported already
}

func newDirectory() directory {
	return directory{
		people: map[string]*person{}, numbers: map[string]*person{}, conversations: map[string]*conversation{},
		named: map[string]*User{}, groups: map[string]*Group{}, unknownPaths: map[string]struct{}{},
	}
}

// person is a user as the service knows one. It does not change once it is made, but for its name, which is set late
// where a message came first.
type person struct {
	id, number, name string
	since            time.Time
}

// meet returns the person with an id, and makes one who is not known. The caller holds s.mu.
func (s *Server) meet(id string) *person {
	if p := s.people[id]; p != nil {
		return p
	}
	p := &person{id: id, number: s.number(id), since: s.clock()}
	s.people[id], s.numbers[p.number] = p, p
	return p
}

// botNumber is the bot's identity number. Those of bots begin with 7000.
const botNumber = "7000000001"

// number returns an identity number that is not taken: the same for the same person, but for collisions.
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

// conversation is one of the bot's, or one that it was in.
type conversation struct {
	id, category       string
	name, announcement string // of a group
	creator            string // a user's id
	code               string // by which a group is joined
	since              time.Time
	mutedUntil         time.Time     // for the bot; zero: it is not muted
	expireIn           time.Duration // how long messages last; 0: for ever
	members            []member      // in the order in which they came
}

type member struct {
	id, role string
	since    time.Time
}

// member returns a member, and nil for somebody who is none.
func (c *conversation) member(id string) *member {
	i := slices.IndexFunc(c.members, func(m member) bool { return m.id == id })
	if i < 0 {
		return nil
	}
	return &c.members[i]
}

// newConversation makes a conversation with one member. The caller holds s.mu.
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

// join makes somebody a member. The caller holds s.mu.
func (s *Server) join(c *conversation, id, role string) {
	if id != s.bot() {
		s.meet(id)
	}
	c.members = append(c.members, member{id: id, role: role, since: s.clock()})
}

// contact returns the conversation of the bot and a user, and makes it if need be. The caller holds s.mu.
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

// enter makes the conversation of a message that is delivered, and a member of who writes in it. A conversation that
// nobody knows is a group of that user and the bot. False means that the bot has left the conversation. The caller
// holds s.mu.
func (s *Server) enter(userID, conversationID string) bool {
	if conversationID == systemUser || conversationID == s.bot() {
		return true // that of messages about no conversation
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

// isAnothers reports whether a conversation is that of the bot and another user.
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

// contactOf returns the person whose conversation with the bot has an id, nil if there is none. The caller holds s.mu.
func (s *Server) contactOf(conversationID string) *person {
	for id, p := range s.people {
		if conversationID == blaze.ConversationID(s.bot(), id) {
			return p
		}
	}
	return nil
}
