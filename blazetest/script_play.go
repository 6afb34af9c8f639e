package blazetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mixin-blaze/blaze"
)

const (
	botTimeout = 5 * time.Second // how long a line waits for the bot
	shownLines = 6               // before one that failed
)

// scriptState is what a Server knows of scripts.
type scriptState struct {
	scripted map[int]bool // of sent: what scripts have read
	playing  bool         // a script is being played
}

// player plays a script on a server.
type player struct {
	ctx    context.Context // of whoever plays it
	s      *Server
	files  func(name string) (file []byte, reason string) // those that are sent
	lines  []scriptLine
	report func(line int, text string)

	groups   map[string]*Group
	read     map[int]bool // those of s.sent that it has read, or may not read
	from     int          // all of s.sent before it is read; guarded by s.mu
	received []botMessage // in the order in which they were read
	before   []string     // the lines so far, with what the bot really said
}

// said is a message of the bot.
type botMessage struct {
	index int    // in s.sent
	group string // the group's name; "" outside groups
	out   blaze.Outgoing
}

// found is a message of the bot that nobody has opened.
type unreadMessage struct {
	index int
	group string
	sentMessage
}

// said opens the message.
func (f unreadMessage) botMessage() botMessage { return botMessage{f.index, f.group, f.decrypted()} }

// begin makes the player the one of the server, and notes what it may not read. An error means that there is another.
func (p *player) begin() error {
	p.groups, p.read = map[string]*Group{}, map[int]bool{}
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.playing {
		return errors.New("blazetest: another script is being played")
	}
	s.playing = true
	for i := range s.sent {
		if s.wasTaken(i) {
			p.read[i] = true
		}
	}
	return nil
}

// end lets the next script begin behind what this one has read.
func (p *player) end() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.playing = false
	if p.s.scripted == nil {
		p.s.scripted = make(map[int]bool)
	}
	maps.Copy(p.s.scripted, p.read)
}

// play plays the lines one after the other. It goes on after a message that is not the expected one, and stops where
// one is missing, since all that follows would be missing too.
func (p *player) play() {
	for i := range p.lines {
		l := &p.lines[i]
		ok := true
		switch l.step {
		case stepComment:
			continue
		case stepBotSays, stepBotButtons:
			ok = p.expect(l)
		case stepBotNothing:
			p.expectNothing(l)
			p.remember(l.text())
		default:
			ok = p.act(l)
		}
		if !ok {
			return
		}
	}
}

// act does what a line says that is not about the bot. False means that it cannot be done.
func (p *player) act(l *scriptLine) bool {
	if reason := p.do(l); reason != "" {
		p.fail(l, reason)
		return false
	}
	p.remember(l.text())
	return true
}

// expect compares the next message of the bot with a line. False means that there is none.
func (p *player) expect(l *scriptLine) bool {
	m, err := p.next(func(group string) bool { return group == l.group })
	if err != nil {
		p.fail(l, fmt.Sprintf("the bot said nothing within %v\n\tscript: %s\n\tbot:    %s%s\n\t%v",
			botTimeout, l.text(), nothing, p.elsewhere(), err))
		return false
	}
	if !l.matches(m.out.Payload) {
		p.fail(l, "the bot said something else\n\tscript: "+l.text()+"\n\tbot:    "+m.shown())
	}
	p.remember(m.shown())
	return true
}

// expectNothing wants all messages of the bot to be read once it has nothing more to do.
func (p *player) expectNothing(l *scriptLine) {
	if err := p.idle(); err != nil {
		p.fail(l, "the bot is not finished within "+botTimeout.String()+"\n\t"+err.Error())
		return
	}
	var all []string
	for _, m := range p.unread() {
		p.take(m)
		all = append(all, m.shown())
	}
	if len(all) > 0 {
		p.fail(l, "the bot said something\n\tscript: "+l.text()+"\n\tbot:    "+strings.Join(all, "\n\t        "))
	}
}

// next waits for the next message that the script has not read in one of the groups, and takes it.
func (p *player) next(in func(group string) bool) (botMessage, error) {
	ctx, cancel := context.WithTimeout(p.ctx, botTimeout)
	defer cancel()
	var first unreadMessage
	err := p.s.await(ctx, func() bool {
		all := p.unreadLocked()
		at := slices.IndexFunc(all, func(f unreadMessage) bool { return in(f.group) })
		if at >= 0 {
			first = all[at]
		}
		return at >= 0
	})
	if err != nil {
		return botMessage{}, err
	}
	m := first.botMessage()
	p.take(m)
	return m, nil
}

func (p *player) take(m botMessage) {
	p.read[m.index] = true
	p.received = append(p.received, m)
}

// unread returns what the bot said and the script has not read, in the order in which it was sent.
func (p *player) unread() []botMessage {
	p.s.mu.Lock()
	unopened := p.unreadLocked()
	p.s.mu.Unlock()
	all := make([]botMessage, len(unopened))
	for i, f := range unopened {
		all[i] = f.botMessage()
	}
	return all
}

// unreadLocked is unread for a caller that holds s.mu. It opens nothing.
func (p *player) unreadLocked() []unreadMessage {
	var all []unreadMessage
	for p.read[p.from] {
		p.from++
	}
	for i := p.from; i < len(p.s.sent); i++ {
		if out := p.s.sent[i]; !p.read[i] {
			all = append(all, unreadMessage{i, p.s.groupName(out.ConversationID), p.s.sentTo(out)})
		}
	}
	return all
}

// readers returns the ids of those who are in a conversation. The caller holds s.mu.
func (s *Server) readers(conversation string) []string {
	var ids []string
	if c := s.conversations[conversation]; c != nil {
		for _, m := range c.members {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// wasTaken reports whether a message that was sent was returned by one of the Next methods, or read by a script. The
// caller holds s.mu.
func (s *Server) wasTaken(i int) bool {
	if i < s.taken || s.scripted[i] {
		return true
	}
	conversation := s.sent[i].ConversationID
	for _, u := range s.named {
		if u.conversation == conversation && i < u.cursor {
			return true
		}
	}
	for _, g := range s.groups {
		if g.id != conversation {
			continue
		}
		for _, m := range g.seats {
			if i < m.cursor {
				return true
			}
		}
		return i < g.cursor
	}
	return false
}

func (p *player) idle() error {
	ctx, cancel := context.WithTimeout(p.ctx, botTimeout)
	defer cancel()
	return p.s.Idle(ctx)
}

// elsewhere shows what the bot said in other conversations, for the report of a message that is missing.
func (p *player) elsewhere() string {
	var b strings.Builder
	for _, m := range p.unread() {
		b.WriteString("\n\telsewhere: " + m.shown())
	}
	return b.String()
}

// shown is the message as a line of a report.
func (m botMessage) shown() string {
	who := "bot> "
	if m.group != "" {
		who = "bot@" + m.group + "> "
	}
	text := lineText(m.out.Payload)
	if strings.ContainsFunc(text, unicode.IsControl) {
		text = strconv.Quote(text)
	}
	return who + text
}

func (p *player) remember(line string) { p.before = append(p.before, line) }

// fail reports a line, with those before it.
func (p *player) fail(l *scriptLine, reason string) {
	var b strings.Builder
	b.WriteString(reason)
	if first := max(0, len(p.before)-shownLines); first < len(p.before) {
		b.WriteString("\n\tbefore:")
		for _, line := range p.before[first:] {
			b.WriteString("\n\t\t" + line)
		}
	}
	p.report(l.number, b.String())
}
