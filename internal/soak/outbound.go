package soak

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"github.com/mixin-blaze/blaze"
)

// verdict is how a send ended for its caller.
type verdict uint8

const (
	open      verdict = iota // not yet
	confirmed                // nil
	unsure                   // may have been stored
	failed                   // was not stored
)

// sent is what is known of one send. Ids are kept as their hash.
type sent struct {
	id      uint64 // under which it was stored, or 0
	trouble uint16 // tries that the server did not answer in time, or refused for a passing reason
	ended   verdict
	doubted bool // the server answered a try with 403 although it had stored another one
	denied  bool // the server answered a try with 401
}

// outboundOracle watches what the server stores, and what the client says about it.
type outboundOracle struct {
	*verdicts
	script
	messages int

	mu       sync.Mutex
	sends    []sent
	replies  [][2]uint64 // ids of the answers, of every message that has some
	givenUp  func(message int) bool
	last     map[int]int // newest send stored, by stream
	receipts map[uint64]int
	receives bool // a receipt is being handled
	reads    int  // receipts handled
	stored   int  // messages of any kind
	confirms int  // sends and replies confirmed to their caller
	repeated int  // of those, replies of a second attempt: they may have been confirmed before

	events atomic.Uint64
}

func newOutboundOracle(v *verdicts, s script, messages, sends int) *outboundOracle {
	return &outboundOracle{
		verdicts: v, script: s, messages: messages, sends: make([]sent, sends),
		replies: make([][2]uint64, messages/replyEvery+1),
		last:    make(map[int]int), receipts: make(map[uint64]int), givenUp: func(int) bool { return false },
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64() | 1
}

// store notes that the server stored a text under a message id. It reports whether that id is new, as a server that
// stores an id once would find out.
func (o *outboundOracle) store(text, messageID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	what, n, stream := numbers(text)
	switch {
	case what == "send" && n >= 0 && n < len(o.sends):
		return o.storeSend(n, stream, hash(messageID))
	case what == "reply" && n >= 0 && n/replyEvery < len(o.replies) && n%replyEvery == 0:
		return o.storeReply(n, hash(messageID))
	}
	o.add(Protocol, "a message that nobody sent")
	return false
}

func (o *outboundOracle) storeSend(n, stream int, id uint64) bool {
	s := &o.sends[n]
	switch {
	case s.id == id:
		return false
	case s.id != 0:
		o.add(StoredTwice, "send %d", n)
		return true
	}
	s.id = id
	o.count()
	if last, ok := o.last[stream]; ok && last > n && s.ended == open {
		o.add(SendOrder, "send %d after send %d of stream %d", n, last, stream)
	}
	o.last[stream] = max(n, o.last[stream]) // one that is sent again may come behind younger ones
	return true
}

func (o *outboundOracle) storeReply(message int, id uint64) bool {
	ids := &o.replies[message/replyEvery]
	if ids[0] == id || ids[1] == id {
		return false
	}
	for i := range o.kind(message).answers() {
		if ids[i] == 0 {
			ids[i] = id
			o.count()
			return true
		}
	}
	o.add(StoredTwice, "answer to message %d", message)
	return true
}

// count counts a message that was stored. To store it again is no progress.
func (o *outboundOracle) count() {
	o.stored++
	o.events.Add(1)
}

// isStored reports whether a text was stored under a message id.
func (o *outboundOracle) isStored(text, messageID string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	what, n, _ := numbers(text)
	switch {
	case what == "send" && n >= 0 && n < len(o.sends):
		return o.sends[n].id == hash(messageID)
	case what == "reply" && n >= 0 && n/replyEvery < len(o.replies) && n%replyEvery == 0:
		ids := o.replies[n/replyEvery]
		return ids[0] == hash(messageID) || ids[1] == hash(messageID)
	}
	return false
}

// trouble notes that a try of a send has no answer in time, or is refused for a passing reason.
func (o *outboundOracle) trouble(send int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if send >= 0 && send < len(o.sends) {
		o.sends[send].trouble++
	}
}

// doubt notes that the server answers a send, which it has stored, with 403.
func (o *outboundOracle) doubt(send int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sends[send].doubted = true
}

// deny notes that the server answers sends with 401, which says nothing about the next ones.
func (o *outboundOracle) deny(sends ...int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range sends {
		if n >= 0 && n < len(o.sends) {
			o.sends[n].denied = true
		}
	}
}

// replied notes that the said-th answer to a message was confirmed to its handler, in an attempt.
func (o *outboundOracle) replied(message, said, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events.Add(1)
	o.confirms++
	if attempt > 1 {
		o.repeated++
	}
	if o.replies[message/replyEvery][said-1] == 0 {
		o.add(ReplyMissing, "answer %d to message %d", said, message)
	}
}

// circumstances are those of a send that explain why it was not confirmed.
type circumstances struct {
	attempts int  // of the process that sent it, or -1
	hole     bool // bytes of its connection vanished meanwhile, or its process was told to end
	cuts     int  // of connections meanwhile
}

// suspectAfter is for how many lost connections a client bears a message that may be at fault, before it is sent alone.
const suspectAfter = 2

// errLimiter is what the bot's Limiter fails with.
var errLimiter = errors.New("the limiter fails on purpose")

// sentBack notes how a send ended for its caller. It reports whether it should be sent again, and under which id, where
// it is not the one it was given.
func (o *outboundOracle) sentBack(send int, got blaze.Sent, err error, c circumstances) (again bool, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events.Add(1)
	s := &o.sends[send]
	var unconfirmed *blaze.UnconfirmedError
	var refused *blaze.Error
	switch {
	case err == nil:
		o.confirmed(send, got)
	case errors.As(err, &unconfirmed):
		s.ended = unsure
		if s.id != 0 && hash(unconfirmed.MessageID) != s.id {
			o.add(SentID, "send %d, unconfirmed", send)
		}
		if !o.explained(send, c) && !errors.Is(err, blaze.CodeChecksum) && !errors.Is(err, errLimiter) {
			o.add(Unexplained, "send %d, after %d tries in trouble: %v", send, s.trouble, err)
		}
		return true, unconfirmed.MessageID
	case errors.Is(err, blaze.ErrClosed) || errors.Is(err, errLimiter) || errors.Is(err, blaze.CodeChecksum):
		o.fail(send, err)
		return true, ""
	case o.impatient(send) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
		o.fail(send, err)
	case errors.As(err, &refused) && s.denied && refused.Code == blaze.CodeUnauthorized:
		o.fail(send, err)
		return true, ""
	case errors.As(err, &refused) && s.doubted && refused.Code == blaze.CodeForbidden:
		s.ended = unsure
	case errors.As(err, &refused):
		o.fail(send, err)
		if !o.refused(send) && !refused.Temporary() {
			o.add(Refusal, "send %d: %v", send, err)
		}
	default:
		o.fail(send, err)
		o.add(SendFailed, "send %d: %v", send, err)
	}
	return false, ""
}

// fail notes that a send was not stored, as the client says. An earlier call may have stored it. The caller holds mu.
func (o *outboundOracle) fail(send int, err error) {
	s := &o.sends[send]
	if s.ended == unsure {
		return
	}
	s.ended = failed
	if s.id != 0 {
		o.add(StoredAgainst, "send %d: %v", send, err)
	}
}

// explained reports whether a send may be unconfirmed. The caller holds mu.
func (o *outboundOracle) explained(send int, c circumstances) bool {
	s := &o.sends[send]
	return c.hole || s.doubted || s.denied || o.refused(send) || o.impatient(send) || o.poison(send) > 0 ||
		c.attempts > 0 && (int(s.trouble) >= c.attempts || int(s.trouble)+c.cuts >= suspectAfter+c.attempts)
}

func (o *outboundOracle) confirmed(send int, got blaze.Sent) {
	s := &o.sends[send]
	s.ended = confirmed
	o.confirms++
	switch {
	case s.id == 0:
		o.add(NotStored, "send %d", send)
	case hash(got.MessageID) != s.id:
		o.add(SentID, "send %d", send)
	}
}

// readBy notes that the server says so many times that a message was read.
func (o *outboundOracle) readBy(messageID string, times int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receipts[hash(messageID)] += times
}

// receipt notes that the client is told so. A receipt may be lost, but not come more often and not be made up.
func (o *outboundOracle) receipt(messageID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := hash(messageID)
	if o.receipts[id] == 0 {
		o.add(ReceiptUnknown, "message %q", messageID)
	}
	if o.receives {
		o.add(ReceiptAtOnce, "message %q", messageID)
	}
	if o.receipts[id]--; o.receipts[id] <= 0 {
		delete(o.receipts, id)
	}
	o.receives = true
	o.reads++
}

func (o *outboundOracle) receiptDone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receives = false
}

// totals returns how many messages were stored, confirmed to their caller, and read.
func (o *outboundOracle) totals() (stored, confirms, reads int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stored, o.confirms, o.reads
}

// repeats returns how many of the confirmed replies may have been confirmed before.
func (o *outboundOracle) repeats() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.repeated
}

// finish checks what has to hold at the end, when every send has ended.
func (o *outboundOracle) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n, s := range o.sends {
		switch {
		case s.ended == open:
			o.add(SendFailed, "send %d never ended", n)
		case s.ended == confirmed && s.id == 0:
			o.add(NotStored, "send %d", n)
		case s.ended == failed && s.id != 0:
			o.add(StoredAgainst, "send %d", n)
		}
	}
	for i := range o.replies {
		o.finishReplies(i * replyEvery)
	}
}

func (o *outboundOracle) finishReplies(message int) {
	ids, want := o.replies[message/replyEvery], o.kind(message).answers()
	got := 0
	for _, id := range ids {
		if id != 0 {
			got++
		}
	}
	if got < want && message < o.messages && !o.givenUp(message) {
		o.add(ReplyMissing, "message %d has %d answers of %d", message, got, want)
	}
}
