package hostile

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// attack is one row of the table.
type attack struct {
	name string // what the hostile side does

	// bytes makes what the attack needs, before anything is measured. It may be nil.
	bytes func() []byte
	// arm prepares the server before the Client connects. It may be nil.
	arm func(r *run)
	// config changes the Client's configuration. It may be nil.
	config func(cfg *blaze.Config)
	// handler makes that of the bot; nil takes a note of each message.
	handler func(r *run) blaze.Handler
	// does carries the attack out against a Client that runs. It may be nil.
	does func(r *run)
	// outcome is what the library promises.
	outcome outcome

	// slow says that it takes seconds: go test leaves it out.
	slow bool

	heap    int64 // bytes of the heap above what was there before; 0: smallHeap
	work    int64 // bytes that may be allocated altogether; 0: smallWork
	log     int64 // bytes of the log; 0: smallLog
	records int64 // of the log; 0: smallRecords
}

// outcome is a promise and its check. The check runs after the attack and after the message that proves that the Client
// still works.
type outcome struct {
	text string
	// ends says that Run ends by itself: no message can prove anything then.
	ends  bool
	check func(r *run)
}

// The bounds of an attack that has none of its own.
const (
	kib = 1 << 10
	mib = 1 << 20

	smallHeap    = 16 * mib
	smallWork    = 32 * mib
	smallLog     = 16 * kib
	smallRecords = 40
)

// area is a part of the table.
type area struct {
	name    string
	attacks []attack
}

// chosen returns the attacks to be carried out: all, or a third of them, spread evenly over those that are not slow.
func (a *area) chosen() (chosen []*attack) {
	const share = 3
	var quick []*attack
	for i := range a.attacks {
		if one := &a.attacks[i]; everything {
			chosen = append(chosen, one)
		} else if !one.slow {
			quick = append(quick, one)
		}
	}
	if everything {
		return chosen
	}
	n := min((len(a.attacks)+share-1)/share, len(quick))
	for i := range n {
		chosen = append(chosen, quick[i*len(quick)/n])
	}
	return chosen
}

// areas returns the table.
var areas = sync.OnceValue(func() []area {
	return []area{
		{"wire", wireAttacks()},
		{"frames", frameAttacks()},
		{"handshake", handshakeAttacks()},
		{"http", httpAttacks()},
		{"secrets", secretAttacks()},
		{"storage", storageAttacks()},
		{"addresses", addressAttacks()},
		{"verified", verifiedAttacks()},
		{"pictures", pictureAttacks()},
		{"payloads", payloadAttacks()},
		{"floods", floodAttacks()},
	}
})

// carryOut runs an attack in a bubble, and compares what it took with its bounds.
func (a *attack) carryOut(t *testing.T) usage {
	t.Helper()
	var bytes []byte
	if a.bytes != nil {
		bytes = a.bytes()
	}
	book := new(logbook)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	log.SetOutput(book) // net/http says there what it makes of a server
	defer log.SetOutput(os.Stderr)
	m := startMeter()
	defer m.stop()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, a, bytes, book)
		r.meter = m
		if a.does != nil {
			a.does(r)
		}
		settle()
		runtime.GC() // what is held now is measured even where little was allocated
		r.finish()
		a.outcome.check(r)
		r.close()
	})
	used := m.stop()
	used.log, used.records = book.size()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d temporary files are left, error %v", len(left), err)
	}
	a.judge(t, used)
	return used
}

// slowly is an attack that takes seconds.
func (a attack) slowly() attack {
	a.slow = true
	return a
}

// judge compares what an attack took with its bounds. The race detector keeps more memory alive: twice as much may be
// used under it.
func (a *attack) judge(t *testing.T, used usage) {
	t.Helper()
	factor := int64(1)
	if testkit.Race {
		factor = 2
	}
	for _, b := range []struct {
		what       string
		used, most int64
	}{
		{"bytes of the heap", used.heap, orElse(a.heap, smallHeap) * factor},
		{"bytes allocated", used.work, orElse(a.work, smallWork) * factor},
		{"bytes of the log", used.log, orElse(a.log, smallLog)},
		{"records of the log", used.records, orElse(a.records, smallRecords)},
	} {
		if b.used > b.most {
			t.Errorf("%s: %d, and at most %d are allowed", b.what, b.used, b.most)
		}
	}
}

func orElse(n, instead int64) int64 {
	if n == 0 {
		return instead
	}
	return n
}

// TestTheTable checks the table itself.
func TestTheTable(t *testing.T) {
	const least = 600
	seen, n := make(map[string]bool), 0
	for _, area := range areas() {
		for i := range area.attacks {
			a := &area.attacks[i]
			name := fmt.Sprintf("%s/%s", area.name, a.name)
			if n++; seen[name] {
				t.Errorf("two attacks have the name %s", name)
			}
			seen[name] = true
			if a.outcome.text == "" || a.outcome.check == nil {
				t.Errorf("%s has no outcome", name)
			}
		}
	}
	if n < least {
		t.Errorf("%d attacks, and at least %d are wanted", n, least)
	}
}

// TestAttacks carries the attacks out.
func TestAttacks(t *testing.T) {
	for _, area := range areas() {
		t.Run(area.name, func(t *testing.T) {
			for _, a := range area.chosen() {
				t.Run(a.name, func(t *testing.T) { report(area.name, a.carryOut(t)) })
			}
		})
	}
}
