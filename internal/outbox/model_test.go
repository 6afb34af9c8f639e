package outbox_test

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// Constants of the outbox, repeated here.
const (
	silentAttempts = 3 // attempts without a reply until a request is split
	blamedLinks    = 2 // lost links until a request is a suspect
	maxReply       = 70 * time.Second
)

var errSplit = errors.New("no split")

// model is the simplest possible outbox: one list, searched from the beginning each time.
type model struct {
	cfg     outbox.Config
	up      bool
	sealed  error
	entries []*modelEntry // in progress, including those waiting for capacity and those of Hold
	latent  []*modelEntry // finished, but their callers are still running Pace
	split   map[string][]outbox.Part
	resent  uint64
	acked   bool // the last written Ack or Send, except suspects, was an Ack
	clock   int  // the latest age
	before  int  // requests up to this age are written before the next suspect
	link    modelLink
	careful bool            // the next link starts slowly
	patient time.Duration   // wait for the List of a slow start
	proven  map[string]bool // families with a confirmed request

	freeSlots int
	freeBytes int64
	outcomes  map[string]outcome
	seen      map[string]int // number of occurrences of each event
}

// modelLink is the state of one link.
type modelLink struct {
	listed, answered, paused bool
	answers, pongs, writes   int
	window                   int // maximum number of requests in flight during a slow start; 0: no limit
	began, last              time.Time
	turn                     *modelEntry
	until                    time.Time
	alone                    bool // turn was written while nothing else was in flight
}

type modelEntry struct {
	outbox.Request
	age        int
	state      string // "no capacity", "holding", "arriving", and those of an entry
	caller     bool   // it is a Do with a Pace
	inPace     *modelEntry
	asking     []*modelEntry
	whole      *modelEntry
	parts      []*modelEntry
	order      string
	late       bool
	busy       string // the last rejection that was not final
	drained    string // the rejection that used up the attempts of a split request
	due        time.Time
	timeout    time.Duration
	owed       bool
	awaited    bool
	counts     bool // it counts in the window
	tardy      bool // its last attempt had no reply in time
	write      int
	answers    int // modelLink.answers at the last write; likewise pongs and pushes
	pongs      int
	pushes     uint64
	silent     int
	rejections int
	backoffs   int
	links      int
	alone      int
	suspect    bool
	over       bool
	out        outcome
}

func (m *model) all(keep func(*modelEntry) bool) (found []*modelEntry) {
	for _, e := range m.entries {
		if keep(e) {
			found = append(found, e)
		}
	}
	return found
}

func in(state string) func(*modelEntry) bool {
	return func(e *modelEntry) bool { return e.state == state }
}

func owed(e *modelEntry) bool { return e.owed }

func (e *modelEntry) root() *modelEntry {
	if e.whole != nil {
		return e.whole
	}
	return e
}

// settled records that e is no longer in flight on the link.
func (e *modelEntry) settled() { e.owed, e.awaited, e.counts = false, false, false }

func (e *modelEntry) usesCapacity() bool { return e.Class == outbox.Send && e.whole == nil }

// abort ends e, or its parts if it was split.
func (m *model) abort(e *modelEntry, err error) {
	if e.state != "split" {
		m.fail(e, err)
		return
	}
	for _, p := range e.parts {
		if !p.over {
			m.fail(p, err)
		}
	}
}

func (m *model) fail(e *modelEntry, err error) {
	e.out.Err, e.out.Answer = err, e.busy
	e.out.Unconfirmed = e.out.Unconfirmed || e.state == "written"
	m.end(e)
}

// end ends e with the outcome e.out.
func (m *model) end(e *modelEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(x *modelEntry) bool { return x == e })
	e.over = true
	e.settled()
	if e.whole != nil {
		m.partEnded(e)
		return
	}
	if e.usesCapacity() && e.state != "no capacity" {
		m.freeSlots++
		m.freeBytes += int64(len(e.Frame))
	}
	m.admit()
	if e.inPace != nil {
		m.latent = append(m.latent, e)
		return
	}
	m.outcomes[e.ID] = e.out
}

func (m *model) partEnded(e *modelEntry) {
	whole := e.whole
	if !slices.ContainsFunc(whole.parts, func(p *modelEntry) bool { return !p.over }) {
		whole.out.Answer = "split"
		switch {
		case whole.late:
			whole.out.Answer = "ok"
			m.seen["late"]++
		case whole.drained != "":
			whole.out.Answer += ": " + whole.drained
		}
		for _, p := range whole.parts {
			whole.out.Parts = append(whole.out.Parts, p.out)
		}
		m.end(whole)
		return
	}
	for _, p := range whole.parts {
		if p.order == e.order && p.order != "" && !p.over {
			if p.state == "behind" {
				p.state = "waiting"
			}
			return
		}
	}
}

// splits replaces e by its parts, and reports whether e is split or has ended.
func (m *model) splits(e *modelEntry, why string) bool {
	if e.Split == nil {
		return false
	}
	e.Split = nil
	parts, ok := m.split[e.ID]
	if !ok {
		e.state = "answered or unconfirmed"
		m.fail(e, errSplit)
		return true
	}
	if len(parts) == 0 {
		return false
	}
	m.seen["split: "+why]++
	e.state, e.due = "split", time.Time{}
	e.settled()
	for i, p := range parts {
		part := &modelEntry{
			Request: p.Request, age: e.age, state: "waiting", whole: e, order: p.Order, timeout: m.cfg.ReplyTimeout,
		}
		part.out.Unconfirmed = e.out.Unconfirmed
		for _, earlier := range parts[:i] {
			if p.Order != "" && p.Order == earlier.Order {
				part.state = "behind"
			}
		}
		e.parts = append(e.parts, part)
		m.entries = append(m.entries, part)
	}
	return true
}

func (m *model) admit() {
	for _, e := range m.all(in("no capacity")) {
		size := int64(len(e.Frame))
		if m.freeSlots == 0 || size > m.freeBytes && m.freeSlots < m.cfg.Len {
			return
		}
		m.freeSlots--
		m.freeBytes -= size
		if e.state = "arriving"; strings.HasPrefix(e.ID, "hold") {
			e.state = "holding"
		}
	}
}

func (m *model) add(r outbox.Request, hasPace bool) {
	e := &modelEntry{Request: r, state: "arriving", timeout: m.cfg.ReplyTimeout, caller: hasPace}
	switch {
	case r.Class == outbox.List && !m.up:
		return
	case r.Class == outbox.Send && m.sealed != nil:
		m.outcomes[r.ID] = outcome{Err: m.sealed}
		return
	case r.Class == outbox.Send:
		e.state = "no capacity"
	}
	m.entries = append(m.entries, e)
	m.admit()
}

// last moves a suspect behind all other requests.
func (m *model) last(e *modelEntry) {
	m.clock++
	e.age, m.before = m.clock, m.clock
}

// expire handles timeouts and ends backoffs.
func (m *model) expire(now time.Time) {
	due := m.all(func(e *modelEntry) bool { return !e.due.IsZero() && !e.due.After(now) })
	slices.SortStableFunc(due, func(a, b *modelEntry) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return byAge(a, b)
	})
	for _, e := range due {
		written := e.state == "written"
		if written {
			e.out.Unconfirmed = true
			e.timeout = min(2*e.timeout, maxReply)
			if e.counts {
				m.widen()
			}
			e.tardy, e.counts = true, false
		}
		if written && m.couldBeAnswered(e) {
			e.silent++
			if e.silent >= silentAttempts && m.splits(e, "silence") {
				continue
			}
			if e.Split == nil && e.Attempts > 0 && e.silent >= e.Attempts {
				m.seen["no reply"]++
				m.fail(e, outbox.ErrNoReply)
				continue
			}
		}
		e.state, e.due = "waiting", time.Time{}
		if e.suspect {
			m.last(e)
		}
	}
}

// couldBeAnswered reports whether a reply to e could have arrived.
func (m *model) couldBeAnswered(e *modelEntry) bool {
	pong := m.link.pongs != e.pongs
	if pong && m.cfg.Pushes() != e.pushes {
		m.seen["a pong before pushes"]++
		pong = false
	}
	return m.link.answers != e.answers || pong
}

func byAge(a, b *modelEntry) int {
	if a.age != b.age {
		return a.age - b.age
	}
	return slices.Index(a.root().parts, a) - slices.Index(b.root().parts, b)
}

func (m *model) mayBeWritten(e *modelEntry) bool {
	return e.state == "waiting" && (e.Class != outbox.Send || !m.link.paused)
}

// next returns the next request to write, or how long to wait.
func (m *model) next() (e *modelEntry, wait time.Duration) {
	now := time.Now()
	m.expire(now)
	if m.turnIsOver(now) {
		m.link.turn, m.link.alone, m.before = nil, false, m.clock
	}
	if m.link.turn == nil {
		m.beginTurn(now)
	}
	e, wait = m.choose(now)
	if e == nil {
		for _, e := range m.all(func(e *modelEntry) bool { return !e.due.IsZero() }) {
			if d := e.due.Sub(now); wait < 0 || d < wait {
				wait = d
			}
		}
	}
	return e, wait
}

func (m *model) turnIsOver(now time.Time) bool {
	e := m.link.turn
	switch {
	case e == nil:
		return false
	case m.link.alone:
		return !e.owed || !now.Before(m.link.until)
	}
	return e.over || !e.suspect || !m.mayBeWritten(e)
}

// beginTurn starts the turn of the oldest suspect if all requests that were waiting before have been written.
func (m *model) beginTurn(now time.Time) {
	suspects := m.all(func(e *modelEntry) bool { return e.state == "waiting" && e.suspect })
	if len(suspects) == 0 {
		return
	}
	first := slices.MinFunc(suspects, byAge)
	others := m.all(func(e *modelEntry) bool {
		return m.mayBeWritten(e) && !e.suspect && (e.age <= m.before || e.Class == outbox.List)
	})
	if m.mayBeWritten(first) && len(others) == 0 {
		m.seen["turn"]++
		m.link.turn, m.link.until = first, now.Add(max(m.cfg.ReplyTimeout, m.listDelay(now)))
	}
}

func (m *model) choose(now time.Time) (*modelEntry, time.Duration) {
	if e := m.link.turn; e != nil {
		others := m.all(func(x *modelEntry) bool { return x.owed && x != e })
		switch {
		case !m.link.alone && len(others) == 0:
			m.seen["alone"]++
			m.link.alone = true
			return e, 0
		case now.Before(m.link.until):
			return nil, m.link.until.Sub(now)
		}
		m.seen["not alone"]++
		m.link.turn, m.before = nil, m.clock
		return e, 0
	}
	ready := m.all(func(e *modelEntry) bool { return m.mayBeWritten(e) && !e.suspect })
	if len(ready) == 0 {
		return nil, forever
	}
	if !slices.ContainsFunc(ready, func(e *modelEntry) bool { return e.Class == outbox.List }) {
		if wait := m.delay(now); wait > 0 {
			return nil, wait
		}
	}
	return slices.MinFunc(ready, func(a, b *modelEntry) int {
		if a.Class != b.Class {
			return m.rank(a.Class) - m.rank(b.Class)
		}
		return byAge(a, b)
	}), 0
}

// rank returns the position of a class in the order of writing.
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

func (m *model) wrote(e *modelEntry) {
	e.state, e.answers, e.pongs, e.pushes = "written", m.link.answers, m.link.pongs, m.cfg.Pushes()
	m.link.writes++
	if e.Class == outbox.List {
		m.link.listed = true
	} else {
		e.due = time.Now().Add(e.timeout)
		if !e.suspect {
			m.acked = e.Class == outbox.Ack
		}
	}
	if e.out.Attempts++; e.out.Attempts > 1 || e.whole != nil && e.Class == outbox.Send {
		m.resent++
	}
	if !e.owed {
		e.owed, e.write = true, m.link.writes
		if e.Class != outbox.List && !e.suspect && !e.tardy {
			e.counts, m.link.last = true, time.Now()
		}
	}
}
