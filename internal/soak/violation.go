package soak

import (
	"fmt"
	"sync"
)

// Violation is a violation of one of the client's guarantees.
type Violation struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	Seed   uint64 `json:"seed"`
}

// Error returns the name, the detail, and the seed to reproduce it.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s: %s (seed %d)", v.Name, v.Detail, v.Seed)
}

// Names of violations.
const (
	AckBeforeHandled    = "acknowledged before its handler returned"
	AckBeforeRecorded   = "acknowledged before the ledger recorded it"
	DroppedEarly        = "dropped before its last attempt"
	Unexplained         = "send unconfirmed without a reason"
	SecondList          = "a second LIST on one link"
	CloseCode           = "closed with the wrong code"
	UnknownAck          = "acknowledged a message that was never pushed"
	NotHandled          = "message not handled"
	NotAcknowledged     = "message not acknowledged"
	HandledAgain        = "handled again after it was finished"
	HandledAtOnce       = "two messages of one conversation handled at once"
	HandledOrder        = "handled out of order"
	AttemptCount        = "attempts miscounted"
	NotStored           = "send confirmed, but not stored"
	StoredTwice         = "stored under two message ids"
	StoredAgainst       = "send failed permanently, but stored"
	SentID              = "send returned another message id than the one stored"
	ContentChanged      = "frame id reused with different content"
	SendOrder           = "stored out of order"
	ReplyMissing        = "reply confirmed, but not stored"
	SendFailed          = "send failed without a reason"
	UnexpectedRejection = "a rejection that the server did not send"
	ReceiptUnknown      = "receipt of a message that was not sent"
	ReceiptAtOnce       = "two receipts handled at once"
	Protocol            = "invalid request"
	StatsWrong          = "client statistics"
	RunEnded            = "Run ended"
	Stalled             = "no progress"
	NotFired            = "a fault that never happened"
	Leak                = "resources not released"
)

// maxKept is the maximum number of violations stored. The rest are only counted.
const maxKept = 20

// violations collects violations.
type violations struct {
	seed uint64

	mu     sync.Mutex
	kept   []*Violation
	total  int
	byName map[string]int // number of violations by name
}

func (v *violations) add(name, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byName == nil {
		v.byName = make(map[string]int)
	}
	v.byName[name]++
	if v.total++; len(v.kept) < maxKept {
		v.kept = append(v.kept, &Violation{Name: name, Detail: fmt.Sprintf(format, args...), Seed: v.seed})
	}
}

// count returns the number of violations with a name.
func (v *violations) count(name string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.byName[name]
}

// any reports whether there is a violation.
func (v *violations) any() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.total > 0
}

// list returns the first violations and the number of all.
func (v *violations) list() ([]*Violation, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]*Violation(nil), v.kept...), v.total
}
