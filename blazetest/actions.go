package blazetest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// serve answers one request. False means that the connection is to end.
func (c *conn) serve(f *wire.Frame, size int) bool {
	s := c.s
	s.mu.Lock()
	s.unanswered++
	s.mu.Unlock()
	a, ok := s.intercept(Frame{ID: f.ID, Action: f.Action, Params: f.Params})
	if !ok {
		c.leave()
		return false
	}
	switch {
	case a.Bytes != nil:
		c.enqueue(item{message: a.Bytes, answers: true, cut: a.Cut})
	case a.Reply != nil:
		c.reply(f, a)
	case a.Hang:
		c.carryOut(f, size, false)
		c.leave()
		return !a.Cut
	case a.Cut:
		c.leave()
		return false
	default:
		c.carryOut(f, size, true)
	}
	return true
}

// leave gives up answering a request.
func (c *conn) leave() {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered--
	s.changed()
}

// reply sends the reply of an interception.
func (c *conn) reply(f *wire.Frame, a Answer) {
	r := wire.Frame{
		ID: a.Reply.ID, Action: a.Reply.Action,
		Params: a.Reply.Params, Data: a.Reply.Data, Error: toWire(a.Reply.Error),
	}
	if r.ID == "" {
		r.ID = f.ID
	}
	if r.Action == "" {
		r.Action = f.Action
	}
	c.enqueue(item{frame: &r, answers: true, cut: a.Cut})
}

// deed is what a valid request asks for.
type deed struct {
	list   bool
	send   []blaze.Outgoing
	acks   []string
	params json.RawMessage // of the reply
}

// carryOut checks a request, does what it asks for, and answers it, if it is to be answered. The answer and what the
// request makes the server push are queued at once, in this order.
func (c *conn) carryOut(f *wire.Frame, size int, answer bool) {
	d, refused := read(f, size)
	if refused == nil {
		d, refused = d.unless(c.s.misdirected(d.send))
	}
	if refused != nil {
		c.s.fault("%s: %s: %s", f.Action, refused.field, refused.reason)
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer {
		r := wire.Frame{ID: f.ID, Action: f.Action, Params: d.params}
		if refused != nil {
			r.Error = refused.wire()
		}
		c.enqueueLocked(item{frame: &r, answers: true})
	}
	for _, out := range d.send {
		s.store(out)
	}
	for _, id := range d.acks {
		s.acknowledge(id)
	}
	if d.list {
		c.list()
	}
	s.changed()
}

// misdirected finds the usual mistake: a user's id in the place of a conversation's, which no other test would show.
func (s *Server) misdirected(send []blaze.Outgoing) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, out := range send {
		if _, user := s.users[out.ConversationID]; user {
			return invalidField("params.conversation_id", "the id of a user; Client.ToUser writes to one")
		}
	}
	return nil
}

// refusal is why a request cannot be carried out.
type refusal struct {
	code          blaze.Code
	field, reason string
}

func invalidField(field, format string, args ...any) *refusal {
	return &refusal{blaze.CodeInvalidField, field, fmt.Sprintf(format, args...)}
}

func (r *refusal) wire() *wire.Error {
	e := toWire(Refuse(r.code).Reply.Error)
	if r.code == blaze.CodeInvalidField {
		// Two strings are always JSON.
		e.Extra, _ = wire.Marshal(map[string]string{"field": r.field, "reason": r.reason})
	}
	return e
}

// read checks a request and says what it asks for. size is that of the frame's JSON.
func read(f *wire.Frame, size int) (deed, *refusal) {
	if !isUUID(f.ID) {
		return deed{}, invalidField("id", "not a lowercase UUID")
	}
	switch f.Action {
	case wire.ActionListPending:
		return deed{list: true}, nil
	case wire.ActionCreateMessage:
		out, refused := readMessage(f.Params)
		return deed{send: []blaze.Outgoing{out}}.unless(refused)
	case wire.ActionCreatePlain:
		outs, refused := readBatch(f.Params, size)
		// The specification's sample shows such a string and does not say what it is.
		opaque, _ := wire.Marshal(rand.Text())
		return deed{send: outs, params: opaque}.unless(refused)
	case wire.ActionAck:
		id, refused := readAck("params", f.Params)
		return deed{acks: []string{id}}.unless(refused)
	case wire.ActionAcks:
		ids, refused := readAcks(f.Params)
		return deed{acks: ids}.unless(refused)
	}
	return deed{}, &refusal{blaze.CodeNotFound, "action", "the specification has no such action"}
}

// unless returns d, or the refusal and nothing to do.
func (d deed) unless(refused *refusal) (deed, *refusal) {
	if refused != nil {
		return deed{}, refused
	}
	return d, nil
}
