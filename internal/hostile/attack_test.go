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
	name string // the action of the hostile side

	// bytes returns data of the attack. It is called before the measurement. It may be nil.
	bytes func() []byte
	// arm prepares the server before the Client connects. It may be nil.
	arm func(r *run)
	// config edits the Client's configuration. It may be nil.
	config func(cfg *blaze.Config)
	// handler returns the bot's handler; nil: it records messages.
	handler func(r *run) blaze.Handler
	// does runs the attack while the Client runs. It may be nil.
	does func(r *run)
	// outcome is the result that the library guarantees.
	outcome outcome

	// slow attacks take seconds; go test skips them.
	slow bool

	heap    int64 // bytes of the heap above those before the attack; 0: smallHeap
	work    int64 // bytes allocated in total; 0: smallWork
	log     int64 // bytes of the log; 0: smallLog
	records int64 // of the log; 0: smallRecords
}

// outcome is a guarantee and its check. The check runs after the attack and after one more message, which proves that
// the Client still works.
type outcome struct {
	text string
	// ends means that Run returns; there is no further message.
	ends  bool
	check func(r *run)
}

// Default bounds of an attack.
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

// chosen returns the attacks to run: all, or a third of them, spread evenly over those that are not slow.
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
		{"people", peopleAttacks()},
	}
})

// carryOut runs an attack in a bubble and checks its bounds.
func (a *attack) carryOut(t *testing.T) usage {
	t.Helper()
	var bytes []byte
	if a.bytes != nil {
		bytes = a.bytes()
	}
	book := new(logbook)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	log.SetOutput(book) // net/http logs invalid responses there
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
		runtime.GC() // so that the live heap is measured even after few allocations
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

// slowly returns the attack, marked as slow.
func (a attack) slowly() attack {
	a.slow = true
	return a
}

// judge checks the bounds of an attack. The race detector uses more memory, so under it the bounds of memory are
// doubled.
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
			t.Errorf("%s: %d, want at most %d", b.what, b.used, b.most)
		}
	}
}

func orElse(n, instead int64) int64 {
	if n == 0 {
		return instead
	}
	return n
}

// TestTheTable checks that every attack has a name of its own and an outcome.
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
		t.Errorf("%d attacks, want at least %d", n, least)
	}
}

// TestAttacks runs the attacks.
func TestAttacks(t *testing.T) {
	for _, area := range areas() {
		t.Run(area.name, func(t *testing.T) {
			for _, a := range area.chosen() {
				t.Run(a.name, func(t *testing.T) { report(area.name, a.carryOut(t)) })
			}
		})
	}
}
