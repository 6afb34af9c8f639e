package soak

import (
	"fmt"
	"sync"
)

// Violation is one broken promise.
type Violation struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	Seed   uint64 `json:"seed"`
}

// Error names the promise, what broke it, and the seed that does so again.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s: %s (seed %d)", v.Name, v.Detail, v.Seed)
}

// The promises that the oracle checks, by what breaks them.
const (
	AckBeforeHandled  = "acknowledged before its handler returned"
	AckBeforeRecorded = "acknowledged before the ledger recorded it"
	GivenUpEarly      = "given up before its attempts were used"
	Unexplained       = "send unconfirmed without a reason"
	SecondList        = "a second LIST on one link"
	CloseCode         = "closed with a code for something else"
	UnknownAck        = "acknowledged a message that was never pushed"
	NotHandled        = "message not handled"
	NotAcknowledged   = "message not acknowledged"
	HandledAgain      = "handled again after it was finished with"
	HandledAtOnce     = "two messages of one conversation handled at once"
	HandledOrder      = "handled out of order"
	AttemptCount      = "attempts miscounted"
	NotStored         = "send confirmed, but not stored"
	StoredTwice       = "stored under two message ids"
	StoredAgainst     = "send failed for good, but stored"
	SentID            = "send returned another message id than the one stored"
	ContentChanged    = "a frame id with another content"
	SendOrder         = "stored out of order"
	ReplyMissing      = "reply confirmed, but not stored"
	SendFailed        = "send failed without a reason"
	Refusal           = "a refusal that the server did not give"
	ReceiptUnknown    = "receipt of a message that was not sent"
	ReceiptAtOnce     = "two receipts handled at once"
	Protocol          = "request against the protocol"
	StatsWrong        = "client statistics"
	RunEnded          = "Run ended"
	Stalled           = "no progress"
	NotFired          = "a fault that never happened"
	Leak              = "resources not given back"
)

// mostKept bounds the violations that are kept: the first ones tell what is wrong, the number how much.
const mostKept = 20

// verdicts collects violations.
type verdicts struct {
	seed uint64

	mu    sync.Mutex
	kept  []*Violation
	total int
	named map[string]int // how many of each
}

func (v *verdicts) add(name, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.named == nil {
		v.named = make(map[string]int)
	}
	v.named[name]++
	if v.total++; len(v.kept) < mostKept {
		v.kept = append(v.kept, &Violation{Name: name, Detail: fmt.Sprintf(format, args...), Seed: v.seed})
	}
}

// count returns how many there were of one name.
func (v *verdicts) count(name string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.named[name]
}

// broken reports whether there was any.
func (v *verdicts) broken() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.total > 0
}

// list returns the first violations, and how many there were.
func (v *verdicts) list() ([]*Violation, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]*Violation(nil), v.kept...), v.total
}
