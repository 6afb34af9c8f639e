package soak

import (
	"encoding/json"
	"time"
)

// reaction is what the server does with a request: an error refuses it, and nothing is carried out.
type reaction struct {
	err  *refusal
	data any
	mute bool // no reply
	sure bool // nothing may happen to the reply

	proves bool // the client learns whether there is a plural action
}

var (
	busy      = []refusal{{500, 500, "busy"}, {202, 7000, "busy"}, {202, 7001, "busy"}, {202, 429, "too fast"}}
	invalid   = refusal{202, 10002, "the request data has an invalid field"}
	forbidden = refusal{202, 403, "forbidden"}
)

// lost is the reaction to a request that never arrived.
var lost = reaction{mute: true}

func (s *server) refuse(r refusal) reaction {
	s.refusals.Add(1)
	return reaction{err: &r}
}

func (s *server) refuseForNow() reaction { return s.refuse(busy[s.below(len(busy))]) }

// take carries out one request, and queues what the client hears of it.
func (s *server) take(c *conn, r *request, text []byte) {
	s.requests.Add(1)
	s.mu.Lock()
	repeated, same := s.frames.seen(r.ID, hash(string(text)))
	s.mu.Unlock()
	if repeated {
		s.repeats.Add(1)
		if !same {
			s.add(ContentChanged, "frame %s", r.ID)
		}
	}
	var re reaction
	switch r.Action {
	case "LIST_PENDING_MESSAGES":
		re = s.takeList(c, repeated)
	case "ACKNOWLEDGE_MESSAGE_RECEIPT":
		re = s.takeAck(r)
	case "ACKNOWLEDGE_MESSAGE_RECEIPTS":
		re = s.takeAcks(r)
	case "CREATE_MESSAGE":
		re = s.takeLetter(c, r, repeated)
	case "CREATE_PLAIN_MESSAGES":
		re = s.takeBatch(c, r)
	default:
		s.add(Protocol, "action %q", r.Action)
		return
	}
	s.answer(c, r, re)
}

// answer sends the reply, and ends the first connection once the client knows all.
func (s *server) answer(c *conn, r *request, re reaction) {
	s.reply(c, r, re)
	if re.proves && s.ackOnce.Load() && s.batchOnce.Load() {
		close(s.known)
		s.mail.open()
		c.bye()
	}
}

// reply sends the reply, unless it is lost; late, or twice.
func (s *server) reply(c *conn, r *request, re reaction) {
	f := replyFrame{ID: r.ID, Action: r.Action, Data: re.data, Error: re.err}
	switch {
	case re.sure:
	case re.mute || s.strikes("reply lost", 300):
		return
	case s.strikes("reply late", 200):
		c.answer(f, time.Duration(s.below(int(5*s.slow/2))))
		return
	case s.strikes("reply twice", 200):
		c.answer(f, 0)
	}
	c.answer(f, 0)
}

func (s *server) takeList(c *conn, repeated bool) reaction {
	s.lists.Add(1)
	if c.hasListed() && !repeated {
		s.note("inbox overflowed") // why else would it ask again
	}
	switch {
	case s.strikes("list lost", 150):
		return lost
	case s.strikes("list refused for now", 150):
		return s.refuseForNow()
	case s.strikes("list refused", 150):
		return s.refuse(invalid)
	}
	c.list()
	return reaction{}
}

func (s *server) takeAck(r *request) reaction {
	var a ack
	if err := json.Unmarshal(r.Params, &a); err != nil {
		s.add(Protocol, "acknowledgement: %v", err)
		return s.refuse(invalid)
	}
	switch {
	case s.strikes("acknowledgement lost", 300):
		return lost
	case s.strikes("acknowledgement refused for now", 400):
		return s.refuseForNow()
	case s.strikes("acknowledgement refused", 40):
		s.in.forget(s.message(a.MessageID))
		return s.refuse(invalid)
	}
	s.acknowledge(a)
	return reaction{}
}

func (s *server) takeAcks(r *request) reaction {
	var p struct{ Messages []ack }
	if err := json.Unmarshal(r.Params, &p); err != nil || len(p.Messages) == 0 || len(p.Messages) > 100 {
		s.add(Protocol, "%d acknowledgements: %v", len(p.Messages), err)
		return s.refuse(invalid)
	}
	// A server has this action or does not have it: until it was confirmed once, nothing happens to it.
	known := s.ackOnce.Swap(true)
	switch {
	case s.plain:
		re := s.refuse(invalid)
		re.proves = !known
		return re
	case known && s.strikes("acknowledgements lost", 100):
		return lost
	case known && s.strikes("acknowledgements refused for now", 200):
		return s.refuseForNow()
	case known && s.strikes("acknowledgements refused", 100):
		return s.refuse(invalid)
	}
	for _, a := range p.Messages {
		s.acknowledge(a)
	}
	return proven(known)
}

// proven returns the reaction to a plural action that was carried out.
func proven(known bool) reaction {
	return reaction{sure: !known, proves: !known}
}

func (s *server) acknowledge(a ack) {
	if a.Status != "READ" {
		s.add(Protocol, "acknowledged as %q", a.Status)
	}
	n := s.message(a.MessageID)
	s.in.acknowledged(n)
	s.mail.remove(n)
}

// takeLetter stores one message.
func (s *server) takeLetter(c *conn, r *request, repeated bool) reaction {
	var l letter
	if err := json.Unmarshal(r.Params, &l); err != nil || l.ConversationID == "" || l.MessageID == "" || l.Category != "PLAIN_TEXT" {
		s.add(Protocol, "message: %v", err)
		return s.refuse(invalid)
	}
	what, n, _ := numbers(string(l.Data))
	switch {
	case s.strikes("message lost", 300):
		return lost
	case s.strikes("message refused for now", 500):
		return s.refuseForNow()
	case what == "send" && s.refused(n):
		s.note("message refused")
		return s.refuse([]refusal{invalid, forbidden}[n%2])
	case repeated && s.out.isStored(string(l.Data), l.MessageID) && s.strikes("repetition refused", 20):
		return s.refuse(forbidden) // what a server may call a message it has already
	}
	s.storeLetter(c, l)
	if n%3 != 0 {
		return reaction{}
	}
	// This form of a reply looks like a message of the bot's own, and must not be handled as one.
	return reaction{data: view{Type: "message", UserID: s.botID(), MessageID: l.MessageID, Status: "SENT"}}
}

func (s *server) storeLetter(c *conn, l letter) {
	what, n, _ := numbers(string(l.Data))
	if id := s.givenID(n); what == "send" && id != "" && id != l.MessageID {
		s.add(SentID, "send %d, which was given one", n)
	}
	if !s.out.store(string(l.Data), l.MessageID) {
		return
	}
	if what == "send" && n%receiptOneIn == 0 {
		s.out.readBy(l.MessageID)
		c.answer(replyFrame{ID: s.uuid(0x4005, n), Action: "ACKNOWLEDGE_MESSAGE_RECEIPT", Data: view{
			MessageID: l.MessageID, Status: "READ", Source: "ACKNOWLEDGE_MESSAGE_RECEIPT", UpdatedAt: "2026-01-02T03:04:05.678901Z",
		}}, 0)
	}
}

// takeBatch stores many messages, or none.
func (s *server) takeBatch(c *conn, r *request) reaction {
	var p struct{ Messages []letter }
	if err := json.Unmarshal(r.Params, &p); err != nil || len(p.Messages) == 0 || len(p.Messages) > 100 {
		s.add(Protocol, "a batch of %d: %v", len(p.Messages), err)
		return s.refuse(invalid)
	}
	known := s.batchOnce.Swap(true)
	switch {
	case s.plain:
		re := s.refuse(invalid)
		re.proves = !known
		return re
	case known && s.strikes("batch lost", 20):
		return lost
	case known && s.strikes("batch refused for now", 20):
		return s.refuseForNow()
	case known && s.strikes("batch refused", 20):
		return s.refuse(invalid)
	}
	for _, l := range p.Messages {
		if what, n, _ := numbers(string(l.Data)); what != "send" || s.refused(n) || l.RecipientID == "" || l.Category != "PLAIN_TEXT" {
			s.note("batch refused for one message")
			return s.refuse(invalid)
		}
	}
	for _, l := range p.Messages {
		s.storeLetter(c, l)
	}
	return proven(known)
}
