package blazetest

import (
	"slices"
	"time"

	"github.com/mixin-blaze/blaze"
)

// do executes a line that is not about a message of the bot. It returns the reason if that fails.
func (p *player) do(l *scriptLine) (reason string) {
	switch l.step {
	case stepCut:
		p.s.Cut()
		return ""
	case stepRestart:
		if err := p.s.restartBot(); err != nil {
			return err.Error()
		}
		return ""
	case stepWait:
		return p.wait(l.wait)
	default:
		return p.perform(p.s.User(l.who), l)
	}
}

// perform executes a line of a person. It returns the reason if that fails.
func (p *player) perform(u *User, l *scriptLine) (reason string) {
	var misuse *controlError
	switch l.step {
	case stepSays:
		_, misuse = p.says(u, l)
	case stepEncrypted:
		_, misuse = u.send(blaze.Text(l.arg), true)
	case stepSendsJSON:
		data, reason := jsonData(l.arg)
		if reason != "" {
			return reason
		}
		_, misuse = u.send(blaze.Raw{As: blaze.Category(l.kind), Data: data}, false)
	case stepSendsFile:
		payload, reason := p.file(u, l.arg)
		if reason != "" {
			return reason
		}
		_, misuse = u.send(payload, false)
	case stepTaps:
		return p.taps(u, l.arg)
	case stepTransfers:
		_, misuse = p.s.transfer(u.id, l.amount, l.kind, l.arg)
	default:
		return "not a person's step"
	}
	if misuse != nil {
		return misuse.Reason
	}
	return ""
}

// says says a text to the bot, alone or in a group.
func (p *player) says(u *User, l *scriptLine) (messageID string, misuse *controlError) {
	if l.group == "" {
		return u.send(blaze.Text(l.arg), false)
	}
	return p.group(l.group).As(u).send(blaze.Text(l.arg), false)
}

// group returns a group. All of its speakers in the script are members.
func (p *player) group(name string) *Group {
	if g, ok := p.groups[name]; ok {
		return g
	}
	var members []*User
	for i := range p.lines {
		if l := &p.lines[i]; l.group == name && l.who != "" {
			if u := p.s.User(l.who); !slices.Contains(members, u) {
				members = append(members, u)
			}
		}
	}
	g := p.s.Group(name, members...)
	p.groups[name] = g
	return g
}

// taps taps the newest button with this label that the bot has sent to the person, alone or in a group.
func (p *player) taps(u *User, label string) (reason string) {
	for _, m := range slices.Backward(p.received) {
		if !u.isIn(m.out.ConversationID) {
			continue
		}
		has := func(b blaze.Button) bool { return b.Label == label }
		if slices.ContainsFunc(buttonsOf(m.out.Payload), has) {
			if _, misuse := u.tap(m.out, label); misuse != nil {
				return misuse.Reason
			}
			return ""
		}
	}
	return "no line above has read a button " + label + "; add bot> [buttons: " + label + "]"
}

// groupName returns the name of a group in scripts: its name, or its id if scripts cannot contain the name. It returns
// "" for other conversations. The caller holds s.mu.
func (s *Server) groupName(conversation string) string {
	c := s.conversations[conversation]
	if c == nil || c.category != categoryGroup {
		return ""
	}
	if _, rest := cutName(c.name); rest != "" || c.name == "" {
		return conversation
	}
	return c.name
}

// wait waits for d, unless the server is closed or the player's context ends first.
func (p *player) wait(d time.Duration) (reason string) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ""
	case <-p.ctx.Done():
		return p.ctx.Err().Error()
	case <-p.s.done:
		return errClosed.Error()
	}
}
