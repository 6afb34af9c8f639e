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

// serve handles one request of the client. It returns false if the connection must end.
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

// leave marks a request that will not be answered.
func (c *conn) leave() {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered--
	s.changed()
}

// reply queues the Answer of an interception.
func (c *conn) reply(it serve.Item) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.answer(it)
}

// replyTo returns the frame of an intercepted reply, with the ID and Action of the request where they are empty.
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

// effects are the effects of a valid request.
type effects struct {
	list   bool
	send   batch
	acks   []serve.Ack
	params json.RawMessage // of the reply
	stub   bool            // the reply's data is the stub of the sent message
}

// carryOut validates and executes a request. If answer is set, the reply is queued, followed by the frames that the
// request makes the server push, without other frames in between.
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
			// Strings can always be encoded.
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

// read validates a request and returns its effects. size is the size of the frame's JSON in bytes.
func read(f *wire.Frame, size int) (effects, *serve.Rejection) {
	if !serve.IsUUID(strings.ToLower(f.ID)) {
		return effects{}, serve.Invalid("id", "must be a UUID")
	}
	switch f.Action {
	case wire.ActionListPending:
		return effects{list: true}, nil
	case wire.ActionCreateMessage:
		m, rejection := serve.ReadMessage(f.Params)
		return effects{send: batch{outs: outgoing(m), path: "params"}, stub: true}.unless(rejection)
	case wire.ActionCreatePlain:
		all, rejection := serve.ReadBatch(f.Params, size)
		// The specification's sample has such a string and does not explain it.
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
		Code: serve.CodeNotFound, Field: "action", Reason: "unknown action",
	}
}

// actionPing is the request that Mixin's desktop app sends every 15 s to test the connection.
const actionPing = "PING"

// outgoing converts messages to the values that the client passed to Send.
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

// unless returns d, or the rejection and no effects.
func (d effects) unless(rejection *serve.Rejection) (effects, *serve.Rejection) {
	if rejection != nil {
		return effects{}, rejection
	}
	return d, nil
}
