package blazetest

import (
	"context"
	"io"
	"net/http"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
)

// Group is a group conversation that the bot is in. [Server.Group] makes one. All methods are safe for concurrent use.
type Group struct {
	s        *Server
	id, name string
	seats    map[*User]*Member // guarded by Server.mu
	cursor   int               // into Server.sent; guarded by Server.mu
}

// Group returns the group of that name: the same one for the same name, in which members who are not in it yet are
// added. The first member of a new group owns it, and the bot is in it. The bot is told of a new group, and of
// everybody who comes and goes, by a SYSTEM_CONVERSATION message in the group's conversation.
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

// newGroup makes a group. The caller holds s.mu.
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

// ID returns the id of the group's conversation, a UUID: the same for the same name, in every process.
func (g *Group) ID() string { return g.id }

// Name returns the group's name.
func (g *Group) Name() string { return g.name }

// Add makes a user a member, as the group's creator would, and tells the bot. A member stays one.
func (g *Group) Add(u *User) { g.add(u.id) }

// AddBot makes the bot a member again, as the group's creator would, and tells it. A new group has it.
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

// tell tells the bot of a change, if it is in the group. The caller holds s.mu.
func (g *Group) announce(c *conversation, change blaze.SystemConversation) {
	if c.member(g.s.bot()) != nil {
		g.s.announce(c, change)
	}
}

// Remove ends a user's membership, as the group's creator would, and tells the bot. The user can say nothing there
// until added again. Somebody who is no member is misuse.
func (g *Group) Remove(u *User) { g.s.reportMisuse(g.remove("Remove", u.id, u.name)) }

// RemoveBot ends the bot's membership, as the group's creator would, and tells it. What it sends there is refused with
// 403 until AddBot. A bot that is no member is misuse.
func (g *Group) RemoveBot() { g.s.reportMisuse(g.remove("RemoveBot", g.s.bot(), "the bot")) }

// remove is what a method of this name does. It returns misuse.
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

// Next waits for the next message that the bot sent into the group, and takes it for the group only: Server.Next and
// the members' cursors return it as well. What was sealed for one of the members is opened. The error is that of
// [User.Next].
func (g *Group) Next(ctx context.Context) (blaze.Outgoing, error) {
	return g.s.nextIn(ctx, g.id, &g.cursor, func() []string { return g.s.readers(g.id) })
}

// conversation returns the group's conversation. The caller holds s.mu.
func (g *Group) conversation() *conversation { return g.s.conversations[g.id] }

// As returns the user as a member of the group: the same Member for the same user. It makes nobody a member.
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

// Member is a user in a group. [Group.As] makes one. All methods are safe for concurrent use.
type Member struct {
	seat
	group *Group
}

// User returns who the member is.
func (m *Member) User() *User { return m.user }

// Tap is [User.Tap] of the member.
func (m *Member) Tap(out blaze.Outgoing, label string) (messageID string) {
	return m.user.Tap(out, label)
}

// Upload is [User.Upload] of the member.
func (m *Member) Upload(r io.Reader) blaze.Attachment { return m.user.Upload(r) }

// Reads is [User.Reads] of the member.
func (m *Member) Reads(out blaze.Outgoing) { m.user.Reads(out) }

// Say delivers a text to the bot, in the group, and returns its id. A mention of somebody is @ and the identity number
// in the text; that of the bot is @7000000001. Somebody who is not in the group, or a group that the bot has left, is
// misuse, and the id is "".
func (m *Member) Say(text string) (messageID string) { return m.Send(blaze.Text(text)) }

// Send delivers any payload to the bot, like Say.
func (m *Member) Send(p blaze.Payload) (messageID string) { return m.s.idOrMisuse(m.send(p, false)) }

// SendEncrypted delivers a payload sealed for the bot's session, like Send: the apps do so where a text begins with a
// mention of a bot that can open it.
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

// absent returns who of the member and the bot is not in the group.
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

// Next waits for the next message that the bot sent into the group, and takes it for this member only. What was sealed
// for the member is opened. The error is that of [User.Next].
func (m *Member) Next(ctx context.Context) (blaze.Outgoing, error) { return m.next(ctx) }
