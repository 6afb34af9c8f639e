package blaze

import (
	"context"
	"sync"

	"github.com/mixin-blaze/blaze/internal/recent"
)

// Ledger remembers which messages were handled, so that a message pushed again is acknowledged and not handled again.
// It belongs to one bot: in a store shared by bots, key by AppID and id. It remembers; it is no lock between
// processes. Its methods are called concurrently.
type Ledger interface {
	// Handled reports whether the message was recorded. An error means: not known. The handler is then tried.
	Handled(ctx context.Context, messageID string) (bool, error)
	// Record notes that the message is finished with. It may come twice for one id. When it fails, the error is
	// logged, and the message is acknowledged all the same.
	Record(ctx context.Context, messageID string) error
}

// memoryLedger is the Ledger of a Client that was given none.
type memoryLedger struct {
	mu  sync.Mutex
	ids recent.Set
}

// Handled implements Ledger.
func (l *memoryLedger) Handled(_ context.Context, messageID string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids.Has(messageID), nil
}

// Record implements Ledger.
func (l *memoryLedger) Record(_ context.Context, messageID string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids.Add(messageID)
	return nil
}
