package soak

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"github.com/mixin-blaze/blaze"
)

// sendOutcome is the outcome of a send for its caller.
type sendOutcome uint8

const (
	pending     sendOutcome = iota // Send has not returned
	confirmed                      // Send returned nil
	unconfirmed                    // the message may have been stored
	failed                         // the message was not stored
)

// sendState is the state of one send. It has the hash of the message id.
type sendState struct {
	id             uint64 // message id under which it was stored, or 0
	failedAttempts uint16 // attempts without a reply in time, or with a transient rejection
	ended          sendOutcome
	rejectedStored bool // the server rejected an attempt with 403 after it had stored an earlier one
	unauthorized   bool // the server rejected an attempt with 401
}

// outboundOracle compares the messages that the server stores with the results that the client returns.
type outboundOracle struct {
	*violations
	script
	messages int

	mu             sync.Mutex
	sends          []sendState
	replies        [][2]uint64 // ids of the replies to every replyEvery-th message
	isDropped      func(message int) bool
	last           map[int]int // newest stored send, by stream
	receipts       map[uint64]int
	receiptRunning bool // OnReceipt is running
	reads          int  // receipts delivered
	stored         int  // messages of any kind
	confirms       int  // sends and replies confirmed to their caller
	repeated       int  // replies of confirms at a second or later attempt, which may have been confirmed before

	events atomic.Uint64
}

func newOutboundOracle(v *violations, s script, messages, sends int) *outboundOracle {
	return &outboundOracle{
		violations: v, script: s, messages: messages, sends: make([]sendState, sends),
		replies: make([][2]uint64, messages/replyEvery+1),
		last:    make(map[int]int), receipts: make(map[uint64]int), isDropped: func(int) bool { return false },
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64() | 1
}

// store records a text stored under a message id. It reports whether the id is new, as on a server that stores each id
// once.
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
	o.add(Protocol, "unknown message text")
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
	if last, ok := o.last[stream]; ok && last > n && s.ended == pending {
		o.add(SendOrder, "send %d after send %d of stream %d", n, last, stream)
	}
	o.last[stream] = max(n, o.last[stream]) // a resent message may be stored after newer ones
	return true
}

func (o *outboundOracle) storeReply(message int, id uint64) bool {
	ids := &o.replies[message/replyEvery]
	if ids[0] == id || ids[1] == id {
		return false
	}
	for i := range o.kind(message).replies() {
		if ids[i] == 0 {
			ids[i] = id
			o.count()
			return true
		}
	}
	o.add(StoredTwice, "reply to message %d", message)
	return true
}

// count counts a stored message. A message that is stored again is no progress.
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

// attemptFailed records an attempt of a send without a reply in time, or with a transient rejection.
func (o *outboundOracle) attemptFailed(send int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if send >= 0 && send < len(o.sends) {
		o.sends[send].failedAttempts++
	}
}

// markRejectedStored records a 403 for a send that is stored already.
func (o *outboundOracle) markRejectedStored(send int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sends[send].rejectedStored = true
}

// markUnauthorized records a 401 for sends. It does not affect later sends.
func (o *outboundOracle) markUnauthorized(sends ...int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range sends {
		if n >= 0 && n < len(o.sends) {
			o.sends[n].unauthorized = true
		}
	}
}

// replyConfirmed records that a reply was confirmed to its handler. number counts the replies to the message from 1.
func (o *outboundOracle) replyConfirmed(message, number, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events.Add(1)
	o.confirms++
	if attempt > 1 {
		o.repeated++
	}
	if o.replies[message/replyEvery][number-1] == 0 {
		o.add(ReplyMissing, "reply %d to message %d", number, message)
	}
}

// circumstances are the events during a send that can explain why it is unconfirmed.
type circumstances struct {
	attempts int  // SendAttempts of the process, or -1
	hole     bool // bytes vanished in a connection, or the process was ending
	cuts     int  // number of connections cut
}

// suspectAfter is the number of connections lost with a message in flight after which the client sends that message
// alone, because it may be the cause.
const suspectAfter = 2

// errLimiter is the error of the bot's Limiter.
var errLimiter = errors.New("the limiter fails on purpose")

// sendReturned records the result of a send. It reports whether to send the message again. id is the message id for
// that, or empty to keep the given one.
func (o *outboundOracle) sendReturned(send int, got blaze.Sent, err error, c circumstances) (resend bool, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events.Add(1)
	s := &o.sends[send]
	var unconfirmedErr *blaze.UnconfirmedError
	var rejected *blaze.Error
	switch {
	case err == nil:
		o.confirmed(send, got)
	case errors.As(err, &unconfirmedErr):
		s.ended = unconfirmed
		if s.id != 0 && hash(unconfirmedErr.MessageID) != s.id {
			o.add(SentID, "send %d, unconfirmed", send)
		}
		if !o.explained(send, c) && !errors.Is(err, blaze.CodeChecksum) && !errors.Is(err, errLimiter) {
			o.add(Unexplained, "send %d, after %d failed attempts: %v", send, s.failedAttempts, err)
		}
		return true, unconfirmedErr.MessageID
	case errors.Is(err, blaze.ErrClosed) || errors.Is(err, errLimiter) || errors.Is(err, blaze.CodeChecksum):
		o.fail(send, err)
		return true, ""
	case o.impatient(send) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
		o.fail(send, err)
	case errors.As(err, &rejected) && s.unauthorized && rejected.Code == blaze.CodeUnauthorized:
		o.fail(send, err)
		return true, ""
	case errors.As(err, &rejected) && s.rejectedStored && rejected.Code == blaze.CodeForbidden:
		s.ended = unconfirmed
	case errors.As(err, &rejected):
		o.fail(send, err)
		if !o.rejected(send) && !rejected.Temporary() {
			o.add(UnexpectedRejection, "send %d: %v", send, err)
		}
	default:
		o.fail(send, err)
		o.add(SendFailed, "send %d: %v", send, err)
	}
	return false, ""
}

// fail records a send that was not stored, according to the client. An earlier call may have stored it. The caller
// holds mu.
func (o *outboundOracle) fail(send int, err error) {
	s := &o.sends[send]
	if s.ended == unconfirmed {
		return
	}
	s.ended = failed
	if s.id != 0 {
		o.add(StoredAgainst, "send %d: %v", send, err)
	}
}

// explained reports whether something explains that a send is unconfirmed. The caller holds mu.
func (o *outboundOracle) explained(send int, c circumstances) bool {
	s := &o.sends[send]
	if c.hole || s.rejectedStored || s.unauthorized || o.rejected(send) || o.impatient(send) || o.poison(send) > 0 {
		return true
	}
	failed := int(s.failedAttempts)
	return c.attempts > 0 && (failed >= c.attempts || failed+c.cuts >= suspectAfter+c.attempts)
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

// receiptsSent records that the server sends a number of receipts for a message.
func (o *outboundOracle) receiptsSent(messageID string, times int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receipts[hash(messageID)] += times
}

// receipt records the start of OnReceipt. A receipt may be lost, but it must not be duplicated or invented.
func (o *outboundOracle) receipt(messageID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := hash(messageID)
	if o.receipts[id] == 0 {
		o.add(ReceiptUnknown, "message %q", messageID)
	}
	if o.receiptRunning {
		o.add(ReceiptAtOnce, "message %q", messageID)
	}
	if o.receipts[id]--; o.receipts[id] <= 0 {
		delete(o.receipts, id)
	}
	o.receiptRunning = true
	o.reads++
}

func (o *outboundOracle) receiptDone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receiptRunning = false
}

// totals returns the number of messages stored, the number confirmed to their caller, and the number of receipts
// delivered.
func (o *outboundOracle) totals() (stored, confirms, reads int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stored, o.confirms, o.reads
}

// repeats returns the number of confirmed replies that may have been confirmed before.
func (o *outboundOracle) repeats() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.repeated
}

// finish checks the conditions that hold at the end of a run, after every send has returned.
func (o *outboundOracle) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n, s := range o.sends {
		switch {
		case s.ended == pending:
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
	ids, want := o.replies[message/replyEvery], o.kind(message).replies()
	got := 0
	for _, id := range ids {
		if id != 0 {
			got++
		}
	}
	if got < want && message < o.messages && !o.isDropped(message) {
		o.add(ReplyMissing, "message %d has %d replies of %d", message, got, want)
	}
}
