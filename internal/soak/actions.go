package soak

import (
	"encoding/json"
	"slices"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// reaction is the server's reaction to a request. With err the request is rejected and has no effect.
type reaction struct {
	err       *rejection
	data      any
	noReply   bool // no reply is sent
	faultFree bool // the reply is sent without faults
	hangUp    bool // no reply is sent, and the connection ends

	proves bool  // the reply shows the client whether the plural action exists
	sends  []int // sends in the request; their attempt fails if there is no reply in time
}

var (
	busy      = []rejection{{500, 500, "busy"}, {202, 7000, "busy"}, {202, 7001, "busy"}, {202, 429, "too fast"}}
	invalid   = rejection{202, 10002, "the request data has an invalid field"}
	forbidden = rejection{202, 403, "forbidden"}

	unauthorized = rejection{202, 401, "unauthorized"}
)

// lost is the reaction to a request that never arrived.
var lost = reaction{noReply: true}

func (s *server) reject(r rejection) reaction {
	s.rejections.Add(1)
	return reaction{err: &r}
}

func (s *server) rejectTransiently() reaction { return s.reject(busy[s.below(len(busy))]) }

// handle executes one request and queues its frames for the client. It reports whether the connection stays open.
func (s *server) handle(c *conn, r *request, text []byte) bool {
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
		re = s.handleList(c, repeated)
	case "ACKNOWLEDGE_MESSAGE_RECEIPT":
		re = s.handleAck(r)
	case "ACKNOWLEDGE_MESSAGE_RECEIPTS":
		re = s.handleAcks(r)
	case "CREATE_MESSAGE":
		re = s.handleMessage(c, r, repeated)
	case "CREATE_PLAIN_MESSAGES":
		re = s.handleBatch(c, r)
	default:
		s.add(Protocol, "action %q", r.Action)
		return true
	}
	if re.noReply || re.hangUp {
		s.attemptsFailed(re.sends)
	}
	if re.hangUp {
		c.end()
		return false
	}
	s.respond(c, r, re)
	return true
}

// attemptsFailed records a failed attempt of each send: it gets no reply, or none in time.
func (s *server) attemptsFailed(sends []int) {
	for _, n := range sends {
		s.out.attemptFailed(n)
	}
}

// respond sends the reply. It closes the first connection once both plural actions have been answered.
func (s *server) respond(c *conn, r *request, re reaction) {
	s.reply(c, r, re)
	if re.proves && s.ackOnce.Load() && s.batchOnce.Load() {
		close(s.known)
		s.mail.open()
		c.startClose()
	}
}

// reply sends the reply: normally, late, twice, or not at all.
func (s *server) reply(c *conn, r *request, re reaction) {
	f := queuedFrame{frame: replyFrame{ID: r.ID, Action: r.Action, Data: re.data, Error: re.err}}
	switch {
	case re.faultFree:
	case re.noReply:
		return
	case s.happens("reply lost", 300):
		s.attemptsFailed(re.sends)
		return
	case s.happens("reply late", 200):
		s.attemptsFailed(re.sends)
		c.queue(f, s.within(5*s.times.reply/2))
		return
	case s.happens("reply twice", 200):
		c.queue(f, 0)
	}
	c.queue(f, 0)
}

func (s *server) handleList(c *conn, repeated bool) reaction {
	s.lists.Add(1)
	if c.repeatsList() {
		s.add(SecondList, "repeated: %v", repeated)
	}
	switch {
	case s.happens("list lost", 150):
		return lost
	case s.happens("list rejected transiently", 150):
		return s.rejectTransiently()
	case s.happens("list rejected", 150):
		return s.reject(invalid)
	case s.worked.Load() && s.happens("401 to a list", 150):
		return s.reject(unauthorized)
	}
	c.list()
	return reaction{}
}

func (s *server) handleAck(r *request) reaction {
	var a ack
	if err := json.Unmarshal(r.Params, &a); err != nil {
		s.add(Protocol, "acknowledgement: %v", err)
		return s.reject(invalid)
	}
	switch {
	case s.poisoned(a.MessageID):
		return reaction{hangUp: true}
	case s.happens("acknowledgement lost", 300):
		return lost
	case s.happens("401 to an acknowledgement", 1000):
		return s.reject(unauthorized)
	case s.happens("acknowledgement rejected transiently", 400):
		return s.rejectTransiently()
	case s.happens("acknowledgement rejected", 40):
		s.in.ackRejected(s.message(a.MessageID))
		return s.reject(invalid)
	}
	s.acknowledge(a)
	return reaction{}
}

func (s *server) handleAcks(r *request) reaction {
	var p struct{ Messages []ack }
	if err := json.Unmarshal(r.Params, &p); err != nil || len(p.Messages) == 0 || len(p.Messages) > 100 {
		s.add(Protocol, "%d acknowledgements: %v", len(p.Messages), err)
		return s.reject(invalid)
	}
	// Support for this action must not seem to change, so no fault happens before its first confirmation.
	known := s.ackOnce.Swap(true)
	switch {
	case slices.ContainsFunc(p.Messages, func(a ack) bool { return s.poisoned(a.MessageID) }):
		return reaction{hangUp: true}
	case s.plain:
		re := s.reject(invalid)
		re.proves = !known
		return re
	case known && s.happens("acknowledgements lost", 100):
		return lost
	case known && s.happens("401 to acknowledgements", 300):
		return s.reject(unauthorized)
	case known && s.happens("acknowledgements rejected transiently", 200):
		return s.rejectTransiently()
	case known && s.happens("acknowledgements rejected", 100):
		return s.reject(invalid)
	}
	for _, a := range p.Messages {
		s.acknowledge(a)
	}
	return proven(known)
}

// proven returns the reaction to a plural action that was executed.
func proven(known bool) reaction {
	return reaction{faultFree: !known, proves: !known}
}

// poisoned reports whether the server closes the connection at this acknowledgement.
func (s *server) poisoned(messageID string) bool {
	n := s.message(messageID)
	if s.failingEvery == 0 || n < 0 || n%s.failingEvery != s.failingEvery/3 || !s.isKnown() {
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

// handleMessage stores one message.
func (s *server) handleMessage(c *conn, r *request, repeated bool) reaction {
	var m sentMessage
	if err := json.Unmarshal(r.Params, &m); err != nil ||
		m.ConversationID == "" || m.MessageID == "" || m.Category != "PLAIN_TEXT" {
		s.add(Protocol, "message: %v", err)
		return s.reject(invalid)
	}
	what, n, _ := numbers(string(m.Data))
	var sends []int
	if what == "send" {
		sends = []int{n}
	}
	re := s.messageFault(m, what, n, repeated)
	if re == nil {
		s.storeMessage(c, m)
		re = &reaction{}
		if n%3 == 0 {
			// A reply of this form resembles one of the bot's own messages. The client must not handle it as a message.
			re.data = serve.View{Type: "message", UserID: s.botID(), MessageID: m.MessageID, Status: "SENT"}
		}
	}
	re.sends = sends
	return *re
}

// messageFault returns the reaction to a message that is not stored, or nil if it is to be stored.
func (s *server) messageFault(m sentMessage, what string, n int, repeated bool) *reaction {
	re := lost
	switch {
	case what == "send" && s.hangsUp(n):
		re = reaction{hangUp: true}
	case s.happens("message lost", 300):
	case s.happens("message rejected transiently", 500):
		re = s.rejectTransiently()
		if what == "send" {
			s.out.attemptFailed(n)
		}
	case s.happens("401 to a message", 500):
		re = s.reject(unauthorized)
		if what == "send" {
			s.out.markUnauthorized(n)
		}
	case what == "send" && s.rejected(n):
		s.record("message rejected")
		re = s.reject([]rejection{invalid, forbidden}[n%2])
	case s.out.isStored(string(m.Data), m.MessageID) && s.rejectsRepeat(repeated):
		if what == "send" {
			s.out.markRejectedStored(n)
		}
		re = s.reject(forbidden) // a server may return this code for a message that it has already stored
	default:
		return nil
	}
	return &re
}

// rejectsRepeat reports whether the server rejects a message that is stored already.
func (s *server) rejectsRepeat(repeated bool) bool {
	if repeated {
		return s.happens("repetition rejected", 20)
	}
	return s.happens("repetition rejected under a new frame id", 20)
}

// hangsUp reports whether the server closes the connection at this send.
func (s *server) hangsUp(n int) bool {
	most := s.poison(n)
	return most > 0 && s.hangsUpAt("hung up at a send", s.givenID(n), most)
}

// hangsUpAt reports whether the server closes the connection at a frame with this id. It counts the fault.
func (s *server) hangsUpAt(name, id string, most int) bool {
	if !s.enabled(name) || !s.hangUps.hangsUp(id, most) {
		return false
	}
	s.record(name)
	return true
}

func (s *server) storeMessage(c *conn, m sentMessage) {
	what, n, _ := numbers(string(m.Data))
	if id := s.givenID(n); what == "send" && id != "" && id != m.MessageID {
		s.add(SentID, "send %d, with a given id", n)
	}
	if !s.out.store(string(m.Data), m.MessageID) {
		return
	}
	if what == "send" && n%receiptOneIn == 0 {
		s.out.receiptsSent(m.MessageID, 1)
		c.queue(queuedFrame{frame: receipt(s.uuid(0x4005, n), m.MessageID)}, 0)
	}
}

// handleBatch stores all messages of a batch, or none.
func (s *server) handleBatch(c *conn, r *request) reaction {
	var p struct{ Messages []sentMessage }
	if err := json.Unmarshal(r.Params, &p); err != nil || len(p.Messages) == 0 || len(p.Messages) > 100 {
		s.add(Protocol, "a batch of %d: %v", len(p.Messages), err)
		return s.reject(invalid)
	}
	sends := make([]int, len(p.Messages))
	for i, m := range p.Messages {
		_, sends[i], _ = numbers(string(m.Data))
	}
	known := s.batchOnce.Swap(true)
	re := s.batchFault(p.Messages, sends, known)
	if re == nil {
		for _, m := range p.Messages {
			s.storeMessage(c, m)
		}
		re = &reaction{faultFree: !known, proves: !known}
	}
	re.sends = sends
	return *re
}

// batchFault returns the reaction to a batch that is not stored, or nil if it is to be stored.
func (s *server) batchFault(messages []sentMessage, sends []int, known bool) *reaction {
	re := lost
	switch {
	case slices.ContainsFunc(sends, s.hangsUp):
		re = reaction{hangUp: true}
	case s.plain:
		re = s.reject(invalid)
		re.proves = !known
	case known && s.happens("batch lost", 20):
	case known && s.happens("batch rejected transiently", 20):
		s.attemptsFailed(sends)
		re = s.rejectTransiently()
	case known && s.happens("401 to a batch", 50):
		s.out.markUnauthorized(sends...)
		re = s.reject(unauthorized)
	case known && s.happens("batch rejected", 20):
		re = s.reject(invalid)
	default:
		for _, m := range messages {
			what, n, _ := numbers(string(m.Data))
			if what != "send" || s.rejected(n) || m.RecipientID == "" || m.Category != "PLAIN_TEXT" {
				s.record("batch rejected for one message")
				re = s.reject(invalid)
				return &re
			}
		}
		return nil
	}
	return &re
}
