package inbox_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// manual returns a Box with the verdict Keep for every message, and a function that handles messages.
func manual(t *testing.T) (b *inbox.Box[string], handle func(ids ...string)) {
	t.Helper()
	b = inbox.New(inbox.Config[string]{
		Workers: 1, Bytes: 1 << 30, Due: func(bool) {}, OnBackoff: func() {}, OnReleased: func(string) {},
		Handle: func(_ string, _ int, v *inbox.Verdict) { v.Then = inbox.Keep },
	})
	t.Cleanup(func() {
		b.Stop()
		<-b.Idle()
	})
	return b, func(ids ...string) {
		for _, id := range ids {
			if fate := b.Offer("", id, 0, id); fate != inbox.Taken {
				assert.Fail(t, "not accepted", "%s: %d", id, fate)
			}
		}
		<-b.Idle()
	}
}

func numbered(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("c9a5d4e2-0b1f-4e7a-9a3d-%012d", i))
	}
	return ids
}

func TestTheOldestManualIDsAreEvicted(t *testing.T) {
	b, handle := manual(t)
	ids := numbered(0, inbox.ManualIDs+1)
	handle(ids[:inbox.ManualIDs]...)
	b.Forget(ids[0], ids[5])
	handle(ids[0]) // again; it is the youngest now
	handle(ids[inbox.ManualIDs])
	assert.Equal(t, inbox.Left{Manual: inbox.ManualIDs}, b.Left())
	handle("one more")
	assert.Equal(t, inbox.Left{Manual: inbox.ManualIDs}, b.Left())
	for i, want := range map[int]inbox.Fate{
		0: inbox.Duplicate, 2: inbox.Duplicate, 4: inbox.Duplicate, inbox.ManualIDs: inbox.Duplicate,
	} {
		assert.Equal(t, want, b.Offer("", ids[i], 0, ""), i)
	}
	handle(ids[1]) // the oldest was evicted, so the next is the oldest now
	handle(ids[2], ids[5])
}

// The order of manual ids contains few outdated entries, in whatever order the ids are acknowledged.
func TestManualIDsLeaveFewEntries(t *testing.T) {
	for name, order := range map[string]func(i int) int{
		"the oldest first":   func(i int) int { return i },
		"the youngest first": func(i int) int { return 9999 - i },
		"mixed":              func(i int) int { return i * 7919 % 10_000 },
		"the oldest last":    func(i int) int { return (i + 1) % 10_000 },
	} {
		t.Run(name, func(t *testing.T) {
			b, handle := manual(t)
			handle("never acknowledged")
			ids := numbered(0, 10_000)
			handle(ids...)
			most := 0
			for i := range ids {
				b.Forget(ids[order(i)])
				most = max(most, b.Entries()-2*b.Left().Manual)
			}
			assert.LessOrEqual(t, most, 64)
			assert.Equal(t, inbox.Left{Manual: 1}, b.Left())
			for i := range ids[:1000] {
				handle(ids[i])
				b.Forget(ids[i])
				most = max(most, b.Entries()-2)
			}
			assert.LessOrEqual(t, most, 64)
			assert.Equal(t, inbox.Duplicate, b.Offer("", "never acknowledged", 0, ""))
		})
	}
}

// The cost of Forget does not depend on the number of manual ids. With a linear cost, 100,000 ids, youngest first,
// would take ten billion steps.
func TestManualIDsAreForgottenQuickly(t *testing.T) {
	b, handle := manual(t)
	ids := numbered(0, inbox.ManualIDs)
	handle(ids...)
	for i := len(ids) - 1; i >= 0; i-- {
		b.Forget(ids[i])
	}
	assert.Equal(t, inbox.Left{}, b.Left())
}

// An id may be a substring of a large message, which must not stay in memory because of it.
func TestManualIDsTakeLittleMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	b, handle := manual(t)
	before := heap()
	const n = 14_000 // just below the next growth of the map
	for _, id := range numbered(0, n) {
		large := id + strings.Repeat("x", 5000)
		handle(large[:36])
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	assert.Less(t, each, int64(200))
	runtime.KeepAlive(b)
}

func TestAManualIDMayHaveAnAcknowledgementInFlight(t *testing.T) {
	b, handle := manual(t)
	handle("a")
	b.Hold("a")
	assert.Equal(t, inbox.Left{Used: overhead, Manual: 1}, b.Left())
	b.Forget("a")
	assert.Equal(t, inbox.Left{Used: overhead, IDs: 1}, b.Left())
	assert.Equal(t, inbox.Duplicate, b.Offer("", "a", 0, ""))
	b.Release("a")
	assert.Equal(t, inbox.Left{}, b.Left())
	handle("a")
	b.Hold("a")
	b.Release("a")
	assert.Equal(t, inbox.Left{Manual: 1}, b.Left(), "another acknowledgement leaves it manual")
}
