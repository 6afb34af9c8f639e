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
	botTimeout = 5 * time.Second // wait of a line for the bot
	shownLines = 6               // lines in a report before the failed one
)

// scriptState is the state of scripts on a Server.
type scriptState struct {
	scripted map[int]bool // indexes into sent of messages that scripts have read
	playing  bool         // a script is playing
}

// player plays a script on a server.
type player struct {
	ctx    context.Context // of the caller
	s      *Server
	files  func(name string) (file []byte, reason string) // reads a file to be sent
	lines  []scriptLine
	report func(line int, text string)

	groups   map[string]*Group
	read     map[int]bool // indexes into s.sent of messages that were read, or may not be read
	from     int          // all earlier messages in s.sent were read; guarded by s.mu
	received []botMessage // in the order in which they were read
	before   []string     // the lines so far, with the bot's actual messages
}

// botMessage is a message of the bot, decrypted.
type botMessage struct {
	index int    // index into s.sent
	group string // name of the group; "" outside groups
	out   blaze.Outgoing
}

// unreadMessage is a message of the bot that is not decrypted yet.
type unreadMessage struct {
	index int
	group string
	sentMessage
}

// botMessage decrypts the message.
func (f unreadMessage) botMessage() botMessage { return botMessage{f.index, f.group, f.decrypted()} }

// begin registers the player as the server's only one, and excludes messages that were read. It returns an error if
// another script is playing.
func (p *player) begin() error {
	p.groups, p.read = map[string]*Group{}, map[int]bool{}
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.playing {
		return errors.New("blazetest: another script is playing")
	}
	s.playing = true
	for i := range s.sent {
		if s.wasTaken(i) {
			p.read[i] = true
		}
	}
	return nil
}

// end unregisters the player, and excludes the messages that it has read from later scripts.
func (p *player) end() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.playing = false
	if p.s.scripted == nil {
		p.s.scripted = make(map[int]bool)
	}
	maps.Copy(p.s.scripted, p.read)
}

// play executes the lines. It continues after an unexpected message. It stops at a missing message, because all later
// ones would be missing too.
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

// act executes a line that is not about a message of the bot. It returns false if that fails.
func (p *player) act(l *scriptLine) bool {
	if reason := p.do(l); reason != "" {
		p.fail(l, reason)
		return false
	}
	p.remember(l.text())
	return true
}

// expect compares the bot's next message with a line. It returns false if no message arrives.
func (p *player) expect(l *scriptLine) bool {
	m, err := p.next(func(group string) bool { return group == l.group })
	if err != nil {
		p.fail(l, fmt.Sprintf("the bot sent no message within %v\n\tscript: %s\n\tbot:    %s%s\n\t%v",
			botTimeout, l.text(), nothing, p.elsewhere(), err))
		return false
	}
	if !l.matches(m.out.Payload) {
		p.fail(l, "the bot sent a different message\n\tscript: "+l.text()+"\n\tbot:    "+m.shown())
	}
	p.remember(m.shown())
	return true
}

// expectNothing checks that no message is unread after the bot has become idle.
func (p *player) expectNothing(l *scriptLine) {
	if err := p.idle(); err != nil {
		p.fail(l, "the bot was not idle within "+botTimeout.String()+"\n\t"+err.Error())
		return
	}
	var all []string
	for _, m := range p.unread() {
		p.take(m)
		all = append(all, m.shown())
	}
	if len(all) > 0 {
		p.fail(l, "the bot sent a message\n\tscript: "+l.text()+"\n\tbot:    "+strings.Join(all, "\n\t        "))
	}
}

// next waits for the next unread message in an accepted group, and reads it.
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

// unread returns the unread messages of the bot, in the order in which they were sent.
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

// unreadLocked is unread without decryption. The caller holds s.mu.
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

// readers returns the ids of the members of a conversation. The caller holds s.mu.
func (s *Server) readers(conversation string) []string {
	var ids []string
	if c := s.conversations[conversation]; c != nil {
		for _, m := range c.members {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// wasTaken reports whether a Next method has returned a message, or a script has read it. The caller holds s.mu.
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

// elsewhere returns the unread messages of other conversations, for the report of a missing message.
func (p *player) elsewhere() string {
	var b strings.Builder
	for _, m := range p.unread() {
		b.WriteString("\n\telsewhere: " + m.shown())
	}
	return b.String()
}

// shown returns the message as a line of a report.
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

// fail reports a line with those before it.
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
