package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

var (
	errSealed = errors.New("sealed")
	errPace   = errors.New("no pace")
)

// model is the outbox again, as simply as it can be said: one list, looked through from its beginning each time.
type model struct {
	cfg       outbox.Config
	up        bool
	shut      error
	heard     time.Time
	entries   []*modelEntry // not ended, in their first order; with who waits for room
	latent    []*modelEntry // ended, and their caller does not know, because it paces
	resent    uint64
	acked     bool // the last written of class Ack and Send was an Ack
	round     int
	roomSlots int
	roomBytes int64
	outcomes  map[string]outcome
}

type modelEntry struct {
	outbox.Request
	round    int // when it came in; those of one round may be written in any order
	state    string
	due      time.Time
	timeout  time.Duration
	since    time.Time // owed
	owed     bool
	paces    bool
	silent   int
	refusals int
	out      outcome
}

func (m *model) all(keep func(*modelEntry) bool) (found []*modelEntry) {
	for _, e := range m.entries {
		if keep(e) {
			found = append(found, e)
		}
	}
	return found
}

func (m *model) end(e *modelEntry, err error) {
	e.out.Err = err
	e.out.Unconfirmed = e.out.Unconfirmed || err != nil && e.state == "written"
	m.entries = slices.DeleteFunc(m.entries, func(x *modelEntry) bool { return x == e })
	if e.Class == outbox.Send && e.state != "no room" {
		m.roomSlots++
		m.roomBytes += int64(len(e.Frame))
	}
	m.letIn()
	if e.state == "pacing" && !errors.Is(err, errPace) && !errors.Is(err, context.Canceled) {
		m.latent = append(m.latent, e)
		return
	}
	m.outcomes[e.ID] = e.out
}

func (m *model) letIn() {
	for _, e := range m.all(func(e *modelEntry) bool { return e.state == "no room" }) {
		size := int64(len(e.Frame))
		if m.roomSlots == 0 || size > m.roomBytes && m.roomSlots < m.cfg.Len {
			return
		}
		m.roomSlots--
		m.roomBytes -= size
		e.state, e.round = "waiting", m.round
	}
}

func (m *model) add(r outbox.Request, paces bool) {
	e := &modelEntry{Request: r, round: m.round, state: "waiting", timeout: m.cfg.ReplyTimeout, paces: paces}
	switch {
	case r.Class == outbox.List && !m.up:
		return
	case r.Class == outbox.Send && m.shut != nil:
		m.outcomes[r.ID] = outcome{Err: m.shut}
		return
	case r.Class == outbox.Send:
		e.state = "no room"
	}
	m.entries = append(m.entries, e)
	m.letIn()
}

// next returns the ids of which one has to be written, or the wait, or that the link is stalled.
func (m *model) next() (ids []string, wait time.Duration, stalled bool) {
	now := time.Now()
	for _, e := range m.all(func(e *modelEntry) bool { return !e.due.IsZero() && !e.due.After(now) }) {
		if e.state == "written" {
			e.out.Unconfirmed = true
			if e.silent++; e.Attempts == 0 {
				e.timeout *= 2
			} else if e.silent >= e.Attempts {
				m.end(e, outbox.ErrNoReply)
				continue
			}
		}
		e.state, e.due = "waiting", time.Time{}
	}
	wait = forever
	if owed := m.all(func(e *modelEntry) bool { return e.owed }); len(owed) > 0 {
		if now.Sub(m.heard) >= 2*m.cfg.ReplyTimeout {
			first := slices.MinFunc(owed, func(a, b *modelEntry) int { return a.since.Compare(b.since) }).since
			m.heard = slices.MaxFunc([]time.Time{m.heard, first}, time.Time.Compare)
		}
		if wait = 2*m.cfg.ReplyTimeout - now.Sub(m.heard); wait <= 0 {
			return nil, 0, true
		}
	}
	ready := m.all(func(e *modelEntry) bool { return e.state == "waiting" })
	if len(ready) == 0 {
		for _, e := range m.all(func(e *modelEntry) bool { return !e.due.IsZero() }) {
			if d := e.due.Sub(now); wait < 0 || d < wait {
				wait = d
			}
		}
		return nil, wait, false
	}
	first := slices.MinFunc(ready, func(a, b *modelEntry) int {
		if a.Class != b.Class {
			return m.rank(a.Class) - m.rank(b.Class)
		}
		return a.round - b.round
	})
	for _, e := range ready {
		if e.Class == first.Class && e.round == first.round {
			ids = append(ids, e.ID)
		}
	}
	return ids, 0, false
}

// rank is the place of a class in the order of writing.
func (m *model) rank(c outbox.Class) int {
	switch {
	case c == outbox.List:
		return 0
	case (c == outbox.Ack) != m.acked:
		return 1
	}
	return 2
}

func (m *model) find(id string) *modelEntry {
	for _, e := range m.entries {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (m *model) wrote(id string) {
	e := m.find(id)
	e.state, e.due = "written", time.Now().Add(e.timeout)
	if e.Class != outbox.List {
		m.acked = e.Class == outbox.Ack
	}
	if e.out.Attempts++; e.out.Attempts > 1 {
		m.resent++
	}
	if len(m.all(func(e *modelEntry) bool { return e.owed })) == 0 {
		m.heard = time.Now()
	}
	if !e.owed {
		e.owed, e.since = true, time.Now()
	}
}

func (m *model) answer(id, a string) bool {
	e := m.find(id)
	busy := a == "busy"
	if e == nil || e.state == "no room" || busy && (e.state == "resting" || e.state == "pacing") {
		return false
	}
	m.heard = time.Now()
	e.owed = false
	e.out.Answer = a
	if busy {
		if e.refusals++; e.refusals < m.cfg.Attempts {
			if e.paces {
				e.state, e.due = "pacing", time.Time{}
			} else {
				m.rest(e)
			}
			return true
		}
	}
	m.end(e, nil)
	return true
}

func (m *model) rest(e *modelEntry) {
	e.state, e.due = "resting", time.Now().Add(m.cfg.Rest(e.refusals))
}

func (m *model) down() {
	m.up = false
	for _, e := range slices.Clone(m.entries) {
		e.owed = false
		switch {
		case e.Class == outbox.List:
			e.state = "gone"
			m.entries = slices.DeleteFunc(m.entries, func(x *modelEntry) bool { return x == e })
		case e.state == "written":
			e.out.Unconfirmed = true
			e.state, e.due = "waiting", time.Time{}
		}
	}
}

func (m *model) seal(err error) {
	if m.shut == nil {
		m.shut = err
	}
	for _, e := range m.all(func(e *modelEntry) bool { return e.state == "no room" }) {
		m.end(e, m.shut)
	}
}

// play does random things to a Box and to the model, and compares after each of them.
type play struct {
	t      *testing.T
	rng    *rand.Rand
	b      *box
	m      *model
	ids    []string
	ended  chan map[string]outcome
	cancel map[string]context.CancelFunc
	pace   map[string]chan error
}

func (p *play) add() {
	p.ids = append(p.ids, fmt.Sprint("r", len(p.ids)))
	id := p.ids[len(p.ids)-1]
	r := outbox.Request{ID: id, Class: outbox.Class(p.rng.IntN(5)), Frame: []byte(id + strings.Repeat(" ", p.rng.IntN(40)))}
	r.Class = min(r.Class, outbox.Send)
	if r.Class == outbox.Ack {
		r.Attempts = p.rng.IntN(3)
	}
	if r.Class != outbox.Send {
		p.m.add(r, false)
		p.b.Go(p.t, r, func(o outcome) { p.ended <- map[string]outcome{id: o} })
		return
	}
	var ctx context.Context
	ctx, p.cancel[id] = context.WithCancel(context.Background())
	var pace pacer
	if p.rng.IntN(2) == 0 {
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

func (p *play) write() {
	ids, wait, stalled := p.m.next()
	frame, _, got, err := p.b.Next()
	switch {
	case stalled:
		require.ErrorIs(p.t, err, outbox.ErrStalled)
		p.m.down()
		p.b.Down()
	case ids == nil:
		require.NoError(p.t, err)
		require.Nil(p.t, frame)
		require.Equal(p.t, wait, got)
	default:
		require.NoError(p.t, err)
		id := strings.TrimRight(string(frame), " ")
		require.Contains(p.t, ids, id)
		p.m.wrote(id)
	}
}

func (p *play) anyID() string {
	if len(p.ids) == 0 {
		return "none"
	}
	if n := len(p.ids); n > 12 && p.rng.IntN(5) > 0 {
		return p.ids[n-1-p.rng.IntN(12)]
	}
	return p.ids[p.rng.IntN(len(p.ids))]
}

func (p *play) cancelOne(id string) {
	cancel := p.cancel[id]
	if cancel == nil {
		return
	}
	cancel()
	if e := p.m.find(id); e != nil {
		p.m.end(e, context.Canceled)
	}
	p.wake(id)
}

// wake lets a caller that paces hear how its request ended.
func (p *play) wake(id string) {
	if i := slices.IndexFunc(p.m.latent, func(e *modelEntry) bool { return e.ID == id }); i >= 0 {
		p.m.outcomes[id] = p.m.latent[i].out
		p.m.latent = slices.Delete(p.m.latent, i, i+1)
	}
}

func (p *play) releasePace(id string, err error) {
	select {
	case p.pace[id] <- err:
	default:
		return // nobody paces
	}
	if e := p.m.find(id); e != nil && err != nil {
		p.m.end(e, err)
	} else if e != nil {
		p.m.rest(e)
	}
	p.wake(id)
}

func (p *play) step() {
	switch n := p.rng.IntN(100); {
	case n < 20:
		p.add()
	case n < 50:
		p.write()
	case n < 75:
		id, answer := p.anyID(), []string{"ok", "no", "busy", "busy"}[p.rng.IntN(4)]
		require.Equal(p.t, p.m.answer(id, answer), p.b.Answer(id, answer), "answer to %s", id)
	case n < 82:
		time.Sleep(time.Duration(p.rng.IntN(15)) * time.Second)
	case n < 86:
		p.cancelOne(p.anyID())
	case n < 93:
		p.releasePace(p.anyID(), []error{nil, nil, errPace}[p.rng.IntN(3)])
	case n < 97:
		p.m.down()
		p.b.Down()
	}
	if !p.m.up && p.rng.IntN(3) == 0 {
		p.m.up = true
		p.b.Up()
	}
	p.compare()
}

func (p *play) compare() {
	p.t.Helper()
	synctest.Wait()
	for len(p.ended) > 0 {
		for id, got := range <-p.ended {
			want, ended := p.m.outcomes[id]
			require.True(p.t, ended, "%s has ended: %+v", id, got)
			require.Equal(p.t, want, got, id)
			delete(p.m.outcomes, id)
		}
	}
	require.Empty(p.t, p.m.outcomes, "have not ended")
	in := p.m.all(func(e *modelEntry) bool { return e.state != "no room" })
	for _, e := range in {
		require.True(p.t, p.b.Waiting(e.ID), e.ID)
	}
	left := p.b.Left()
	require.Equal(p.t, len(in), left.Entries)
	require.Equal(p.t, len(p.m.all(func(e *modelEntry) bool { return e.owed })), left.OnLink)
	require.Equal(p.t, outbox.Len{Requests: p.m.cfg.Len - p.m.roomSlots, Resent: p.m.resent}, p.b.Len())
	require.Equal(p.t, int(p.m.cfg.Bytes-p.m.roomBytes), left.TakenBytes)
	p.m.round++
}

func TestModel(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			cfg := config()
			cfg.Len, cfg.Bytes = 6, 150
			run(t, cfg, func(t *testing.T, b *box) {
				p := &play{
					t: t, rng: rand.New(rand.NewPCG(seed, 0)), b: b, ended: make(chan map[string]outcome, 1000),
					m:      &model{cfg: cfg, up: true, roomSlots: cfg.Len, roomBytes: cfg.Bytes, outcomes: make(map[string]outcome)},
					cancel: make(map[string]context.CancelFunc), pace: make(map[string]chan error),
				}
				for range 300 {
					p.step()
				}
				p.m.seal(errSealed)
				b.Seal(errSealed)
				p.compare()
				for range 30 {
					p.step()
				}
				for len(p.m.entries) > 0 {
					p.m.end(p.m.entries[0], errEnd)
				}
				b.Close(errEnd)
				for id := range p.pace {
					p.releasePace(id, nil)
				}
				p.compare()
				for _, cancel := range p.cancel {
					cancel()
				}
			})
		})
	}
}
