package blazetest

import (
	"slices"
	"time"

	"github.com/mixin-blaze/blaze"
)

// do does what a line says that is not about the bot, or returns why it cannot.
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
		return p.lets(p.s.User(l.who), l)
	}
}

// lets lets a person do what a line says.
func (p *player) lets(u *User, l *scriptLine) (reason string) {
	id := ""
	switch l.step {
	case stepSays:
		id = p.says(u, l)
	case stepSealed:
		id = u.SendEncrypted(blaze.Text(l.arg))
	case stepSendsJSON:
		data, reason := jsonData(l.arg)
		if reason != "" {
			return reason
		}
		id = u.Send(blaze.Raw{As: blaze.Category(l.kind), Data: data})
	case stepSendsFile:
		payload, reason := p.file(u, l.arg)
		if reason != "" {
			return reason
		}
		id = u.Send(payload)
	case stepTaps:
		return p.taps(u, l.arg)
	case stepTransfers:
		id = p.s.Transfer(u.id, l.amount, l.kind, l.arg)
	default:
		return "this is nothing that somebody does"
	}
	if id == "" {
		return "the server refused it"
	}
	return ""
}

// says says a text to the bot, or in a group.
func (p *player) says(u *User, l *scriptLine) (id string) {
	if l.group == "" {
		return u.Say(l.arg)
	}
	return p.group(l.group).As(u).Say(l.arg)
}

// group returns a group that everybody is in who speaks there in the script.
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
	for _, m := range slices.Backward(p.heard) {
		if !u.isIn(m.out.ConversationID) {
			continue
		}
		has := func(b blaze.Button) bool { return b.Label == label }
		if slices.ContainsFunc(buttonsOf(m.out.Payload), has) {
			u.Tap(m.out, label)
			return ""
		}
	}
	return "the bot has sent no button " + label + " in a line before; bot> [buttons: " + label + "] reads one"
}

// groupName returns how a script names a group: by its name, or by its id if its name cannot stand in a script. It
// returns "" for any other conversation. The caller holds s.mu.
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

// wait waits as time.Sleep does, but no longer than the server and whoever plays the script.
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
