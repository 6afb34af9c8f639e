package blazetest

import (
	"context"
	"io"
	"net/http"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
)

// Group is a group conversation with the bot. [Server.Group] returns one. All methods are safe for concurrent use.
type Group struct {
	s        *Server
	id, name string
	seats    map[*User]*Member // guarded by Server.mu
	cursor   int               // index into Server.sent; guarded by Server.mu
}

// Group returns the group with this name. Calls with the same name return the same Group, and add the given members
// that it does not have. The first member of a new group owns it, and the bot is a member. The bot is notified of a new
// group and of each change of members by a SYSTEM_CONVERSATION message in the group's conversation.
func (s *Server) Group(name string, members ...*User) *Group {
	s.mu.Lock()
	g := s.groups[name]
	if g == nil {
		g = s.newGroup(name, members)
		members = nil
	}
	s.mu.Unlock()
	for _, u := range members {
		g.Add(u)
	}
	return g
}

// newGroup creates a group. The caller holds s.mu.
func (s *Server) newGroup(name string, members []*User) *Group {
	g := &Group{s: s, id: uuid.NewV5(users, "group\x00"+name).String(), name: name, seats: map[*User]*Member{}}
	s.groups[name] = g
	owner := s.bot()
	if len(members) > 0 {
		owner = members[0].id
	}
	c := s.conversations[g.id]
	if c == nil {
		c = s.newConversation(g.id, categoryGroup, owner)
	}
	c.name = name
	for _, u := range members {
		if c.member(u.id) == nil {
			s.join(c, u.id, "")
		}
	}
	if c.member(s.bot()) == nil {
		s.join(c, s.bot(), "")
	}
	s.announce(c, blaze.SystemConversation{Action: "CREATE", UserID: owner})
	return g
}

// ID returns the id of the group's conversation, a UUID. It depends only on the name, in every process.
func (g *Group) ID() string { return g.id }

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Add adds a user, in the name of the group's creator, and notifies the bot. It does nothing if the user is a member.
func (g *Group) Add(u *User) { g.add(u.id) }

// AddBot adds the bot again, in the name of the group's creator, and notifies it. The bot is a member of every new
// group.
func (g *Group) AddBot() { g.add(g.s.bot()) }

func (g *Group) add(id string) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.conversation()
	if c.member(id) != nil {
		return
	}
	g.s.join(c, id, "")
	g.announce(c, blaze.SystemConversation{Action: "ADD", ParticipantID: id, UserID: c.creator})
}

// announce notifies the bot of a change, if it is a member. The caller holds s.mu.
func (g *Group) announce(c *conversation, change blaze.SystemConversation) {
	if c.member(g.s.bot()) != nil {
		g.s.announce(c, change)
	}
}

// Remove removes a user, in the name of the group's creator, and notifies the bot. The user cannot write to the group
// until Add. A user who is not a member is misuse.
func (g *Group) Remove(u *User) { g.s.reportMisuse(g.remove("Remove", u.id, u.name)) }

// RemoveBot removes the bot, in the name of the group's creator, and notifies it. Its messages to the group are
// rejected with 403 until AddBot. If the bot is not a member, that is misuse.
func (g *Group) RemoveBot() { g.s.reportMisuse(g.remove("RemoveBot", g.s.bot(), "the bot")) }

// remove implements the method with this name. It returns misuse.
func (g *Group) remove(method, id, name string) *controlError {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	c := g.conversation()
	if c.member(id) == nil {
		return problem(http.StatusConflict, "%s: %s is not in the group %s", method, name, g.name)
	}
	g.announce(c, blaze.SystemConversation{Action: "REMOVE", ParticipantID: id, UserID: c.creator})
	c.leave(id)
	return nil
}

// Next waits for the next message that the bot sent to the group, and advances the group's cursor. Server.Next and the
// members' Next return the message too. A message that is encrypted for a member is decrypted. The errors are those of
// [User.Next].
func (g *Group) Next(ctx context.Context) (blaze.Outgoing, error) {
	return g.s.nextIn(ctx, g.id, &g.cursor, func() []string { return g.s.readers(g.id) })
}

// conversation returns the group's conversation. The caller holds s.mu.
func (g *Group) conversation() *conversation { return g.s.conversations[g.id] }

// As returns the Member for a user. Calls with the same user return the same Member. It does not add the user to the
// group.
func (g *Group) As(u *User) *Member {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	m := g.seats[u]
	if m == nil {
		m = &Member{seat: seat{s: g.s, user: u, conversation: g.id}, group: g}
		g.seats[u] = m
	}
	return m
}

// Member is a user in a group. [Group.As] returns one. All methods are safe for concurrent use.
type Member struct {
	seat
	group *Group
}

// User returns the member's user.
func (m *Member) User() *User { return m.user }

// Tap is [User.Tap] of the member's user.
func (m *Member) Tap(out blaze.Outgoing, label string) (messageID string) {
	return m.user.Tap(out, label)
}

// Upload is [User.Upload] of the member's user.
func (m *Member) Upload(r io.Reader) blaze.Attachment { return m.user.Upload(r) }

// Reads is [User.Reads] of the member's user.
func (m *Member) Reads(out blaze.Outgoing) { m.user.Reads(out) }

// Say delivers a text to the bot, in the group, and returns its id. To mention somebody, write @ and the identity
// number in the text; the bot's is @7000000001. If the user or the bot is not a member of the group, that is misuse,
// and the id is "".
func (m *Member) Say(text string) (messageID string) { return m.Send(blaze.Text(text)) }

// Send delivers any payload to the bot, like Say.
func (m *Member) Send(p blaze.Payload) (messageID string) { return m.s.idOrMisuse(m.send(p, false)) }

// SendEncrypted is Send with a payload that is encrypted for the bot's session. The apps encrypt a text in a group if
// it begins with a mention of a bot that supports encryption.
func (m *Member) SendEncrypted(p blaze.Payload) (messageID string) {
	return m.s.idOrMisuse(m.send(p, true))
}

// send delivers a payload to the bot, if both are in the group.
func (m *Member) send(p blaze.Payload, encrypted bool) (messageID string, misuse *controlError) {
	if misuse := m.checkPresent(); misuse != nil {
		return "", misuse
	}
	return m.seat.send(p, encrypted)
}

// checkPresent returns misuse if the member or the bot is not in the group.
func (m *Member) checkPresent() *controlError {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	c := m.group.conversation()
	switch {
	case c.member(m.user.id) == nil:
		return problem(http.StatusConflict, "%s is not in the group %s", m.user.name, m.group.name)
	case c.member(m.s.bot()) == nil:
		return problem(http.StatusConflict, "the bot is not in the group %s", m.group.name)
	}
	return nil
}

// Next waits for the next message that the bot sent to the group, and advances this member's cursor. A message that is
// encrypted for the member is decrypted. The errors are those of [User.Next].
func (m *Member) Next(ctx context.Context) (blaze.Outgoing, error) { return m.next(ctx) }
