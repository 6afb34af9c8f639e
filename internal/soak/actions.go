package soak

import (
	"encoding/json"
	"slices"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// reaction is what the server does with a request: an error refuses it, and nothing is carried out.
type reaction struct {
	err  *refusal
	data any
	mute bool // no reply
	sure bool // nothing may happen to the reply
	hang bool // no reply ever: the server hangs up

	proves bool  // the client learns whether there is a plural action
	sends  []int // that are in trouble if nothing is answered
}

var (
	busy      = []refusal{{500, 500, "busy"}, {202, 7000, "busy"}, {202, 7001, "busy"}, {202, 429, "too fast"}}
	invalid   = refusal{202, 10002, "the request data has an invalid field"}
	forbidden = refusal{202, 403, "forbidden"}

	unauthorized = refusal{202, 401, "unauthorized"}
)

// lost is the reaction to a request that never arrived.
var lost = reaction{mute: true}

func (s *server) refuse(r refusal) reaction {
	s.refusals.Add(1)
	return reaction{err: &r}
}

func (s *server) refuseForNow() reaction { return s.refuse(busy[s.below(len(busy))]) }

// take carries out one request, and queues what the client hears of it. It reports whether the connection lives on.
func (s *server) take(c *conn, r *request, text []byte) bool {
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
		return true
	}
	if re.mute || re.hang {
		s.inTrouble(re.sends)
	}
	if re.hang {
		c.end()
		return false
	}
	s.answer(c, r, re)
	return true
}

// inTrouble notes that nothing is answered to sends, or not in time.
func (s *server) inTrouble(sends []int) {
	for _, n := range sends {
		s.out.trouble(n)
	}
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
	f := answer{frame: replyFrame{ID: r.ID, Action: r.Action, Data: re.data, Error: re.err}}
	switch {
	case re.sure:
	case re.mute:
		return
	case s.strikes("reply lost", 300):
		s.inTrouble(re.sends)
		return
	case s.strikes("reply late", 200):
		s.inTrouble(re.sends)
		c.answer(f, s.within(5*s.times.reply/2))
		return
	case s.strikes("reply twice", 200):
		c.answer(f, 0)
	}
	c.answer(f, 0)
}

func (s *server) takeList(c *conn, repeated bool) reaction {
	s.lists.Add(1)
	if c.listAgain() {
		s.add(SecondList, "repeated: %v", repeated)
	}
	switch {
	case s.strikes("list lost", 150):
		return lost
	case s.strikes("list refused for now", 150):
		return s.refuseForNow()
	case s.strikes("list refused", 150):
		return s.refuse(invalid)
	case s.worked.Load() && s.strikes("401 to a list", 150):
		return s.refuse(unauthorized)
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
	case s.poisoned(a.MessageID):
		return reaction{hang: true}
	case s.strikes("acknowledgement lost", 300):
		return lost
	case s.strikes("401 to an acknowledgement", 1000):
		return s.refuse(unauthorized)
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
	case slices.ContainsFunc(p.Messages, func(a ack) bool { return s.poisoned(a.MessageID) }):
		return reaction{hang: true}
	case s.plain:
		re := s.refuse(invalid)
		re.proves = !known
		return re
	case known && s.strikes("acknowledgements lost", 100):
		return lost
	case known && s.strikes("401 to acknowledgements", 300):
		return s.refuse(unauthorized)
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

// poisoned reports whether the server hangs up at this acknowledgement.
func (s *server) poisoned(messageID string) bool {
	n := s.message(messageID)
	if s.sickEvery == 0 || n < 0 || n%s.sickEvery != s.sickEvery/3 || !s.isKnown() {
		return false
	}
	return s.hangsUpAt("hung up at an acknowledgement", messageID, 2+n%3)
}

func (s *server) acknowledge(a ack) {
	if a.Status != "READ" {
		s.add(Protocol, "acknowledged as %q", a.Status)
	}
	n := s.message(a.MessageID)
	s.in.acknowledged(n)
	s.mail.remove(n)
	s.worked.Store(true)
}

// takeLetter stores one message.
func (s *server) takeLetter(c *conn, r *request, repeated bool) reaction {
	var l letter
	if err := json.Unmarshal(r.Params, &l); err != nil ||
		l.ConversationID == "" || l.MessageID == "" || l.Category != "PLAIN_TEXT" {
		s.add(Protocol, "message: %v", err)
		return s.refuse(invalid)
	}
	what, n, _ := numbers(string(l.Data))
	var sends []int
	if what == "send" {
		sends = []int{n}
	}
	re := s.refuseLetter(l, what, n, repeated)
	if re == nil {
		s.storeLetter(c, l)
		re = &reaction{}
		if n%3 == 0 {
			// This form of a reply looks like a message of the bot's own, and must not be handled as one.
			re.data = serve.View{Type: "message", UserID: s.botID(), MessageID: l.MessageID, Status: "SENT"}
		}
	}
	re.sends = sends
	return *re
}

// refuseLetter returns what happens to a message instead of being stored, or nil.
func (s *server) refuseLetter(l letter, what string, n int, repeated bool) *reaction {
	re := lost
	switch {
	case what == "send" && s.hangsUp(n):
		re = reaction{hang: true}
	case s.strikes("message lost", 300):
	case s.strikes("message refused for now", 500):
		re = s.refuseForNow()
		if what == "send" {
			s.out.trouble(n)
		}
	case s.strikes("401 to a message", 500):
		re = s.refuse(unauthorized)
		if what == "send" {
			s.out.deny(n)
		}
	case what == "send" && s.refused(n):
		s.note("message refused")
		re = s.refuse([]refusal{invalid, forbidden}[n%2])
	case s.out.isStored(string(l.Data), l.MessageID) && s.strikesAgain(repeated):
		if what == "send" {
			s.out.doubt(n)
		}
		re = s.refuse(forbidden) // what a server may call a message it has already
	default:
		return nil
	}
	return &re
}

// strikesAgain reports whether a message that is stored already is refused.
func (s *server) strikesAgain(repeated bool) bool {
	if repeated {
		return s.strikes("repetition refused", 20)
	}
	return s.strikes("repetition refused under a new frame id", 20)
}

// hangsUp reports whether the server hangs up at this send.
func (s *server) hangsUp(n int) bool {
	most := s.poison(n)
	return most > 0 && s.hangsUpAt("hung up at a send", s.givenID(n), most)
}

// hangsUpAt reports whether the server hangs up at a frame with this id, and counts it.
func (s *server) hangsUpAt(name, id string, most int) bool {
	if !s.may(name) || !s.hangUps.hangsUp(id, most) {
		return false
	}
	s.note(name)
	return true
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
		s.out.readBy(l.MessageID, 1)
		c.answer(answer{frame: receipt(s.uuid(0x4005, n), l.MessageID)}, 0)
	}
}

// takeBatch stores many messages, or none.
func (s *server) takeBatch(c *conn, r *request) reaction {
	var p struct{ Messages []letter }
	if err := json.Unmarshal(r.Params, &p); err != nil || len(p.Messages) == 0 || len(p.Messages) > 100 {
		s.add(Protocol, "a batch of %d: %v", len(p.Messages), err)
		return s.refuse(invalid)
	}
	sends := make([]int, len(p.Messages))
	for i, l := range p.Messages {
		_, sends[i], _ = numbers(string(l.Data))
	}
	known := s.batchOnce.Swap(true)
	re := s.refuseBatch(p.Messages, sends, known)
	if re == nil {
		for _, l := range p.Messages {
			s.storeLetter(c, l)
		}
		re = &reaction{sure: !known, proves: !known}
	}
	re.sends = sends
	return *re
}

// refuseBatch returns what happens to a batch instead of being stored, or nil.
func (s *server) refuseBatch(letters []letter, sends []int, known bool) *reaction {
	re := lost
	switch {
	case slices.ContainsFunc(sends, s.hangsUp):
		re = reaction{hang: true}
	case s.plain:
		re = s.refuse(invalid)
		re.proves = !known
	case known && s.strikes("batch lost", 20):
	case known && s.strikes("batch refused for now", 20):
		s.inTrouble(sends)
		re = s.refuseForNow()
	case known && s.strikes("401 to a batch", 50):
		s.out.deny(sends...)
		re = s.refuse(unauthorized)
	case known && s.strikes("batch refused", 20):
		re = s.refuse(invalid)
	default:
		for _, l := range letters {
			what, n, _ := numbers(string(l.Data))
			if what != "send" || s.refused(n) || l.RecipientID == "" || l.Category != "PLAIN_TEXT" {
				s.note("batch refused for one message")
				re = s.refuse(invalid)
				return &re
			}
		}
		return nil
	}
	return &re
}
