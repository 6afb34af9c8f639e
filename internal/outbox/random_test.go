package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/leak"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

var errSealed = errors.New("sealed")

func TestMain(m *testing.M) {
	testkit.Properties(160, 800)
	os.Exit(leak.Check(m.Run()))
}

// player performs random operations on a Box and on the model, and compares them after each one.
type player struct {
	t       *rapid.T
	rng     *rand.Rand // of the current step
	b       *box
	m       *model
	ids     []string
	poison  map[string]bool // the peer never answers it
	hangsUp bool            // the peer usually hangs up at poison
	ended   chan map[string]outcome
	cancel  map[string]context.CancelFunc
	pace    map[string]chan error
	release map[string]chan struct{}
	quiet   <-chan struct{}
	pushes  uint64

	asleep bool // the writer waits for Wake, or for until
	until  time.Time
}

// newPlayer returns a player with a link. Call its stop in the same bubble.
func newPlayer(t *rapid.T) *player {
	cfg := config()
	cfg.Len, cfg.Bytes = 12, 350
	p := &player{
		t: t, ended: make(chan map[string]outcome, 1000),
		m: &model{
			cfg: cfg, patient: cfg.ReplyTimeout, up: true, freeSlots: cfg.Len, freeBytes: cfg.Bytes,
			outcomes: make(map[string]outcome),
			split:    make(map[string][]outbox.Part), proven: make(map[string]bool), seen: make(map[string]int),
		},
		hangsUp: rapid.Bool().Draw(t, "the peer hangs up at poison"),
		poison:  make(map[string]bool), cancel: make(map[string]context.CancelFunc),
		pace: make(map[string]chan error), release: make(map[string]chan struct{}),
	}
	p.m.cfg.Pushes = func() uint64 { return p.pushes }
	p.b = &box{outbox.New(p.m.cfg)}
	p.b.Bound(bounds.Bounds{MaxReply: maxReply})
	p.b.Up()
	return p
}

// stop ends all goroutines, also after a failure.
func (p *player) stop() {
	p.b.Close(errEnd)
	for _, cancel := range p.cancel {
		cancel()
	}
	for id := range p.release {
		close(p.release[id])
	}
	synctest.Wait()
}

// request returns a random request.
func (p *player) request(id string, class outbox.Class) outbox.Request {
	p.ids = append(p.ids, id)
	p.poison[id] = p.rng.IntN(15) == 0
	r := outbox.Request{ID: id, Class: class, Frame: []byte(id + strings.Repeat(" ", p.rng.IntN(40)))}
	if r.Class == outbox.Ack || p.rng.IntN(3) == 0 {
		r.Attempts = p.rng.IntN(3)
	}
	r.Patient = p.rng.IntN(3) == 0
	return r
}

// splittable adds a Split to r that returns some parts, no parts or an error.
func (p *player) splittable(r *outbox.Request) {
	if n := p.rng.IntN(6); n < 5 {
		parts := []outbox.Part{}
		for i := range n {
			part := p.request(fmt.Sprint(r.ID, "/", i), r.Class)
			parts = append(parts, outbox.Part{Request: part, Order: []string{"", "x", "x", "y"}[p.rng.IntN(4)]})
		}
		p.m.split[r.ID] = parts
	}
	if p.rng.IntN(2) == 0 {
		family := len(p.ids) / 30
		r.Family = fmt.Sprint("family ", family)
		p.poison[r.ID] = p.poison[r.ID] || family%3 == 0 // an action that the peer does not support
	}
	id := r.ID
	r.Split = func() ([]outbox.Part, error) {
		if parts, ok := p.m.split[id]; ok {
			return parts, nil
		}
		return nil, errSplit
	}
}

func (p *player) add() {
	id := fmt.Sprint("r", len(p.ids))
	r := p.request(id, min(outbox.Class(p.rng.IntN(5)), outbox.Send))
	if r.Class != outbox.List && p.rng.IntN(3) == 0 {
		p.splittable(&r)
	}
	p.t.Logf("add %s of class %v, poison: %v", id, r.Class, p.poison[id])
	if r.Class == outbox.List || r.Class == outbox.Ack && p.rng.IntN(2) == 0 {
		p.m.add(r, false)
		p.b.Go(p.t, r, func(o outcome) { p.ended <- map[string]outcome{id: o} })
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel[id] = cancel
	var pace pacer
	if r.Class == outbox.Send && p.rng.IntN(2) == 0 {
		release := make(chan error)
		p.pace[id] = release
		pace = func(ctx context.Context, _ string) error {
			select {
			case err := <-release:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	p.m.add(r, pace != nil)
	go func() { p.ended <- map[string]outcome{id: p.b.Do(ctx, p.t, r, pace)} }()
}

func (p *player) hold() {
	id, size := fmt.Sprint("hold", len(p.ids)), p.rng.IntN(60)
	p.ids = append(p.ids, id)
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan struct{})
	p.cancel[id], p.release[id] = cancel, end
	p.t.Logf("%s: %d bytes", id, size)
	p.m.add(outbox.Request{ID: id, Class: outbox.Send, Frame: make([]byte, size)}, false)
	go func() {
		release, err := p.b.Hold(ctx, int64(size))
		if err == nil {
			<-end
			release()
		}
		p.ended <- map[string]outcome{id: {Err: err}}
	}()
}

func (p *player) releaseHold(id string) {
	if e := p.m.find(id); e != nil && e.state == "holding" {
		p.t.Logf("release %s", id)
		close(p.release[id])
		delete(p.release, id)
		p.m.end(e)
	}
}

func (p *player) write() {
	if !p.m.up {
		return
	}
	select {
	case <-p.b.Wake():
		p.asleep = false
	default:
	}
	e, wait := p.m.next()
	if p.asleep && (p.until.IsZero() || time.Now().Before(p.until)) {
		require.True(p.t, e == nil, "Wake did not signal the writer")
	}
	frame, _, got, err := p.b.Next()
	require.NoError(p.t, err)
	if p.asleep = e == nil; p.asleep {
		require.Nil(p.t, frame)
		require.Equal(p.t, wait, got)
		p.until = time.Time{}
		if wait >= 0 {
			p.until = time.Now().Add(wait)
		}
		return
	}
	p.t.Logf("write %s", e.ID)
	require.Equal(p.t, e.ID, strings.TrimRight(string(frame), " "))
	p.m.wrote(e)
	if p.hangsUp && p.poison[e.ID] && p.rng.IntN(4) > 0 {
		p.down(true)
	}
}

func (p *player) down(lost bool) {
	p.t.Logf("down, lost: %v", lost)
	p.m.down(lost)
	p.b.Down(lost)
}

func (p *player) anyID() string {
	if len(p.ids) == 0 {
		return "none"
	}
	if n := len(p.ids); n > 20 && p.rng.IntN(5) > 0 {
		return p.ids[n-1-p.rng.IntN(20)]
	}
	return p.ids[p.rng.IntN(len(p.ids))]
}

func (p *player) answer() {
	id := p.anyID()
	if owed := p.m.all(owed); len(owed) > 0 && p.rng.IntN(4) > 0 {
		id = owed[p.rng.IntN(len(owed))].ID
	}
	if p.poison[id] {
		return
	}
	word := []string{"ok", "ok", "no", "busy", "busy 2", "passing", "whole"}[p.rng.IntN(7)]
	p.t.Logf("answer %s to %s", word, id)
	require.Equal(p.t, p.m.answer(id, word), p.b.Answer(id, word), "answer %s to %s", word, id)
}

func (p *player) cancelOne(id string) {
	if cancel := p.cancel[id]; cancel != nil {
		p.t.Logf("cancel %s", id)
		cancel()
		p.m.cancel(id)
	}
}

func (p *player) returnFromPace(id string, err error) {
	select {
	case p.pace[id] <- err:
		p.t.Logf("the Pace of %s returns %v", id, err)
		p.m.paceReturned(id, err)
	default: // Pace is not running
	}
}

// step performs a random operation. rapid shortens a failing case by leaving out steps, so the choices of a step depend
// on its own seed only.
func (p *player) step(t *rapid.T) {
	p.rng = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed of the step"), 0))
	switch n := p.rng.IntN(200); {
	case n < 22:
		p.add()
	case n < 90:
		p.write()
	case n < 142:
		p.answer()
	case n < 146:
		p.b.Heard()
		p.m.link.pongs++
	case n < 148:
		p.pushes++
	case n < 166:
		d := time.Duration(p.rng.IntN(20)) * time.Second
		p.t.Logf("sleep %v", d)
		time.Sleep(d)
	case n < 170:
		p.cancelOne(p.anyID())
	case n < 182:
		p.returnFromPace(p.anyID(), []error{nil, nil, errPace}[p.rng.IntN(3)])
	case n < 186:
		p.hold()
	case n < 194:
		p.releaseHold(p.anyID())
	case n < 196 && p.m.up:
		p.t.Logf("quiesce")
		p.m.quiesce()
		p.quiet = p.b.Quiesce()
	case n < 197:
		p.down(p.rng.IntN(4) > 0)
	}
	p.compare()
	if !p.m.up && p.rng.IntN(3) == 0 {
		p.t.Logf("up")
		p.m.begin()
		p.asleep = false
		p.b.Up()
	}
}

func (p *player) compare() {
	p.t.Helper()
	synctest.Wait()
	p.m.settle(p.b.Age)
	for len(p.ended) > 0 {
		for id, got := range <-p.ended {
			want, ended := p.m.outcomes[id]
			require.True(p.t, ended, "%s ended in the Box only: %+v", id, got)
			require.Equal(p.t, want, got, id)
			delete(p.m.outcomes, id)
		}
	}
	require.Empty(p.t, p.m.outcomes, "results of the model only")
	p.compareNumbers()
	if p.quiet != nil {
		awaited := p.m.all(func(e *modelEntry) bool { return e.awaited })
		select {
		case <-p.quiet:
			require.Empty(p.t, awaited)
		default:
			require.NotEmpty(p.t, awaited, "Quiesce")
		}
	}
}

func (p *player) compareNumbers() {
	p.t.Helper()
	count := func(keep func(*modelEntry) bool) int { return len(p.m.all(keep)) }
	here := p.m.all(func(e *modelEntry) bool { return e.state != "no capacity" && e.state != "holding" })
	for _, e := range here {
		require.True(p.t, p.b.Waiting(e.ID), e.ID)
	}
	require.Equal(p.t, outbox.Left{
		Entries:    len(here),
		Queued:     count(in("waiting")) + count(func(e *modelEntry) bool { return !e.due.IsZero() }),
		OnLink:     count(owed),
		Open:       count(func(e *modelEntry) bool { return e.counts }),
		Waiters:    count(in("no capacity")),
		TakenSlots: p.m.cfg.Len - p.m.freeSlots,
		TakenBytes: int(p.m.cfg.Bytes - p.m.freeBytes),
	}, p.b.Left())
	require.Equal(p.t, outbox.Len{Requests: p.m.cfg.Len - p.m.freeSlots, Resent: p.m.resent}, p.b.Len())
}

// end seals and closes the Box.
func (p *player) end() {
	p.m.seal(errSealed)
	p.b.Seal(errSealed)
	p.compare()
	for range 30 {
		p.step(p.t)
	}
	p.m.closeAll(errEnd)
	p.b.Close(errEnd)
	for id := range p.pace {
		p.returnFromPace(id, nil)
	}
	for id := range p.release {
		p.releaseHold(id)
	}
	p.compare()
	assert.Equal(p.t, outbox.Left{}, p.b.Left(), "state after the end")
}

func TestModel(t *testing.T) {
	seen := make(map[string]int)
	testkit.Check(t, func(t *rapid.T) {
		p := newPlayer(t)
		defer p.stop()
		t.Repeat(map[string]func(*rapid.T){"step": p.step})
		p.end()
		for event, n := range p.m.seen {
			seen[event] += n
		}
	})
	t.Log(seen)
	for _, event := range []string{
		"split: no", "split: silence", "split: suspicion", "late",
		"no reply", "turn", "alone", "not alone", "link lost",
		"slow start", "slow start over", "delayed by the list", "delayed by the window", "delayed too long",
		"split: family", "patient with the list", "a pong before pushes",
	} {
		assert.Positive(t, seen[event], "%s never occurred", event)
	}
}
