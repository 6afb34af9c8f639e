package blazetest

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
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
		c.reply(serve.Item{Message: a.Bytes, Cut: a.Cut})
	case a.Reply != nil:
		c.reply(serve.Item{Frame: replyTo(f, a.Reply), Cut: a.Cut})
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

// reply answers a request in another way than usual.
func (c *conn) reply(it serve.Item) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.answer(it)
}

// replyTo returns the reply of an interception.
func replyTo(f *wire.Frame, reply *Frame) *wire.Frame {
	r := wire.Frame{
		ID: reply.ID, Action: reply.Action, Params: reply.Params, Data: reply.Data, Error: toWire(reply.Error),
	}
	if r.ID == "" {
		r.ID = f.ID
	}
	if r.Action == "" {
		r.Action = f.Action
	}
	return &r
}

// deed is what a valid request asks for.
type effects struct {
	list   bool
	send   batch
	acks   []serve.Ack
	params json.RawMessage // of the reply
	stub   bool            // the reply has the stub of the message sent as its data
}

// carryOut validates and executes a request, and answers it if answer is set. The answer is queued first, then the
// frames that the request makes the server push, without others between them.
func (c *conn) carryOut(f *wire.Frame, size int, answer bool) {
	d, rejection := read(f, size)
	if rejection == nil {
		d, rejection = d.unless(c.s.admit(f.Action, d.send))
	}
	if rejection != nil {
		c.s.reportRejection(f.Action, rejection)
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer {
		r := &wire.Frame{ID: f.ID, Action: f.Action, Params: d.params}
		if rejection != nil {
			r.Error = rejection.Error()
		}
		if d.stub {
			// Texts are always JSON.
			r.Data, _ = wire.Marshal(serve.Stub(s.session.AppID, d.send.outs[0].MessageID, s.clock()))
		}
		c.answer(serve.Item{Frame: r})
	}
	for _, out := range d.send.outs {
		s.store(out)
	}
	for _, a := range d.acks {
		s.acknowledge(a)
	}
	if d.list {
		c.list()
	}
	s.changed()
}

// read checks a request and says what it asks for. size is that of the frame's JSON.
func read(f *wire.Frame, size int) (effects, *serve.Rejection) {
	if !serve.IsUUID(strings.ToLower(f.ID)) {
		return effects{}, serve.Invalid("id", "not a UUID")
	}
	switch f.Action {
	case wire.ActionListPending:
		return effects{list: true}, nil
	case wire.ActionCreateMessage:
		m, rejection := serve.ReadMessage(f.Params)
		return effects{send: batch{outs: outgoing(m), path: "params"}, stub: true}.unless(rejection)
	case wire.ActionCreatePlain:
		all, rejection := serve.ReadBatch(f.Params, size)
		// The specification's sample shows such a string and does not say what it is.
		opaque, _ := wire.Marshal(rand.Text())
		send := batch{outs: outgoing(all...), path: "params.messages", list: true}
		return effects{send: send, params: opaque}.unless(rejection)
	case wire.ActionAck:
		a, rejection := serve.ReadAck(f.Params)
		return effects{acks: []serve.Ack{a}}.unless(rejection)
	case wire.ActionAcks:
		all, rejection := serve.ReadAcks(f.Params)
		return effects{acks: all}.unless(rejection)
	case actionPing:
		return effects{}, nil
	}
	return effects{}, &serve.Rejection{
		Code: serve.CodeNotFound, Field: "action", Reason: "the specification has no such action",
	}
}

// actionPing is what Mixin's desktop app asks every 15 s, to see whether the service answers.
const actionPing = "PING"

// outgoing returns messages as the client's user had them.
func outgoing(all ...serve.Message) []blaze.Outgoing {
	outs := make([]blaze.Outgoing, len(all))
	for i, m := range all {
		category := blaze.Category(m.Category)
		outs[i] = blaze.Outgoing{
			ConversationID: m.ConversationID, Payload: blaze.DecodePayload(category, m.Data), MessageID: m.MessageID,
			RecipientID: m.RecipientID, QuoteID: m.QuoteMessageID, RepresentativeID: m.RepresentativeID,
			ExpireIn: time.Duration(m.ExpireIn) * time.Second, Silent: m.Silent, Encrypted: category.Encrypted(),
		}
		if len(m.Mentions) > 0 {
			outs[i].Mentions = m.Mentions
		}
	}
	return outs
}

// unless returns d, or the refusal and nothing to do.
func (d effects) unless(rejection *serve.Rejection) (effects, *serve.Rejection) {
	if rejection != nil {
		return effects{}, rejection
	}
	return d, nil
}
