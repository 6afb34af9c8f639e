package blaze

import (
	"context"
	"sync"

	"github.com/mixin-blaze/blaze/internal/recent"
)

// Ledger records which messages are finished: handled, declined by every handler, or dropped. A redelivered message
// that it has recorded is acknowledged without being handled again. Message ids are unique per bot only: in a store
// shared by bots, use AppID and id as the key. A Ledger is not a lock between processes. Its methods are called
// concurrently.
type Ledger interface {
	// Handled reports whether the message was recorded. If it returns an error, the message is handled.
	Handled(ctx context.Context, messageID string) (bool, error)
	// Record records a finished message. It may be called twice for one id. An error is logged, and the message is
	// acknowledged nevertheless.
	Record(ctx context.Context, messageID string) error
}

// memoryLedger is the default Ledger.
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
