package outbox_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// answer is the model's version of Box.Answer.
func (m *model) answer(id, word string) bool {
	e := m.find(id)
	passing := e != nil && (word == "passing" || word == "whole" && e.Patient)
	again := e != nil && e.Class != outbox.List && (busy(word) || passing)
	backsOff := e != nil && (e.state == "backing off" || e.state == "limiting")
	if e == nil || e.state == "no capacity" || e.state == "holding" || again && backsOff {
		return false
	}
	m.link.answered = true
	m.link.answers++
	if e.Class != outbox.List {
		m.widen()
	}
	e.settled()
	e.due = time.Time{}
	e.links, e.alone, e.suspect, e.tardy = 0, 0, false, false
	m.proven[e.Family] = m.proven[e.Family] || word == "ok"
	switch {
	case e.state == "split" && word == "ok":
		e.late = true
		for _, p := range e.parts {
			if !p.over {
				p.out.Answer = "ok"
				m.end(p)
			}
		}
	case e.state == "split":
	case again && m.retries(e, word):
	case word != "whole" && word != "ok" && (!again || e.Class == outbox.Ack) && m.splits(e, "no"):
		if again {
			e.drained = word
		}
	default:
		e.out.Answer = word
		m.end(e)
	}
	return true
}

// retries puts e in backoff, and reports whether it has attempts left.
func (m *model) retries(e *modelEntry, word string) bool {
	e.busy = word
	e.backoffs++
	if busy(word) {
		if e.rejections++; e.rejections >= m.cfg.Attempts {
			return false
		}
	}
	if root := e.root(); root.caller {
		e.state = "limiting"
		root.asking = append(root.asking, e)
	} else {
		m.backOff(e)
	}
	return true
}

func (m *model) backOff(e *modelEntry) {
	e.state, e.due = "backing off", time.Now().Add(m.cfg.Rest(e.backoffs))
}

// blamed returns the request to blame for the loss of the link, and whether it was alone on it.
func (m *model) blamed() (e *modelEntry, alone bool) {
	if m.link.paused || m.link.listed && !m.link.answered {
		return nil, false
	}
	if e := m.link.turn; e != nil && m.link.alone && e.owed {
		return e, m.link.answered
	}
	unanswered := m.all(func(e *modelEntry) bool { return e.owed && e.Class != outbox.List })
	if len(unanswered) == 0 {
		return nil, false
	}
	return slices.MinFunc(unanswered, func(a, b *modelEntry) int { return a.write - b.write }), false
}

func (m *model) begin() {
	m.up, m.link, m.before = true, modelLink{began: time.Now()}, m.clock
	if m.careful {
		m.seen["slow start"]++
		m.link.window = 1
	}
}

// delay returns how long a slow start allows only a List to be written.
func (m *model) delay(now time.Time) time.Duration {
	if m.link.window == 0 {
		return 0
	}
	if wait := m.listDelay(now); wait > 0 {
		m.seen["delayed by the list"]++
		return wait
	}
	counted := m.all(func(e *modelEntry) bool { return e.counts })
	if len(counted) < m.link.window {
		return 0
	}
	if wait := m.link.last.Add(m.cfg.ReplyTimeout).Sub(now); wait > 0 {
		m.seen["delayed by the window"]++
		return wait
	}
	m.seen["delayed too long"]++
	for _, e := range counted {
		e.counts = false
	}
	m.widen()
	return 0
}

// widen allows more requests in flight during a slow start.
func (m *model) widen() {
	if m.link.window *= 2; m.link.window == 1024 {
		m.seen["slow start over"]++
		m.link.window = 0
	}
}

// listDelay returns how long a slow start still waits for the reply to its List.
func (m *model) listDelay(now time.Time) time.Duration {
	if m.link.window == 0 || !m.link.listed || m.link.answered {
		return 0
	}
	return m.link.began.Add(m.patient).Sub(now)
}

func (m *model) down(lost bool) {
	var blamed *modelEntry
	var alone bool
	if lost {
		blamed, alone = m.blamed()
	}
	if m.up {
		unanswered := m.all(func(e *modelEntry) bool { return e.owed && e.Class != outbox.List })
		cost := lost && len(unanswered) > 0
		if m.link.window == 0 {
			m.patient = m.cfg.ReplyTimeout
		} else if cost && m.link.listed && !m.link.answered {
			m.seen["patient with the list"]++
			m.patient = min(2*m.patient, maxReply)
		}
		m.careful = cost || m.link.window > 0
	}
	m.up, m.link = false, modelLink{}
	for _, e := range slices.Clone(m.entries) {
		e.settled()
		switch {
		case e.Class == outbox.List:
			m.entries = slices.DeleteFunc(m.entries, func(x *modelEntry) bool { return x == e })
		case e.state == "written":
			e.out.Unconfirmed = true
			e.state, e.due = "waiting", time.Time{}
		}
	}
	if blamed == nil {
		return
	}
	if alone {
		if blamed.alone++; blamed.alone >= m.cfg.Attempts {
			m.seen["link lost"]++
			m.fail(blamed, outbox.ErrLinkLost)
			return
		}
	}
	blamed.links++
	if blamed.links < blamedLinks {
		return
	}
	m.splitRelatives(blamed)
	if !m.splits(blamed, "suspicion") {
		blamed.suspect = true
		m.last(blamed)
	}
}

// splitRelatives splits the other requests of an unproven family.
func (m *model) splitRelatives(suspect *modelEntry) {
	if suspect.Family == "" || m.proven[suspect.Family] {
		return
	}
	for _, e := range slices.Clone(m.entries) {
		if e != suspect && e.Family == suspect.Family && e.state != "no capacity" {
			m.splits(e, "family")
		}
	}
}

func (m *model) quiesce() {
	if m.link.paused {
		return
	}
	m.link.paused = true
	for _, e := range m.all(owed) {
		e.awaited = e.Class != outbox.List && !e.tardy
	}
}

func (m *model) seal(err error) {
	if m.sealed == nil {
		m.sealed = err
	}
	for _, e := range m.all(in("no capacity")) {
		m.fail(e, m.sealed)
	}
}

func (m *model) closeAll(err error) {
	for _, e := range slices.Clone(m.entries) {
		if e.state != "holding" && !e.over && e.whole == nil {
			m.abort(e, err)
		}
	}
}

// cancel ends the context of a request's caller.
func (m *model) cancel(id string) {
	if e := m.find(id); e != nil && e.state != "holding" {
		m.abort(e, context.Canceled)
	}
	m.paceReturned(id, context.Canceled)
}

// paceReturned records that the running call of Pace for a request returned err.
func (m *model) paceReturned(id string, err error) {
	root := m.find(id)
	for _, e := range m.latent {
		if e.ID == id {
			root = e
		}
	}
	if root == nil || root.inPace == nil {
		return
	}
	e := root.inPace
	root.inPace = nil
	switch {
	case e.over || e.state != "limiting":
	case err != nil:
		m.abort(e, err)
	default:
		m.backOff(e)
	}
}

// settle does the work of callers' goroutines: admitted requests enter in the order of their ages, and requests that
// need a call of Pace start it.
func (m *model) settle(age func(id string) uint64) {
	arrivals := m.all(in("arriving"))
	slices.SortFunc(arrivals, func(a, b *modelEntry) int { return cmp.Compare(age(a.ID), age(b.ID)) })
	for _, e := range arrivals {
		m.clock++
		e.state, e.age = "waiting", m.clock
	}
	callers := append(m.all(func(e *modelEntry) bool { return e.caller }), m.latent...)
	for _, root := range callers {
		for root.inPace == nil && len(root.asking) > 0 && !root.over {
			e := root.asking[0]
			root.asking = root.asking[1:]
			if !e.over && e.state == "limiting" {
				root.inPace = e
			}
		}
	}
	m.latent = slices.DeleteFunc(m.latent, func(e *modelEntry) bool {
		if e.inPace == nil {
			m.outcomes[e.ID] = e.out
		}
		return e.inPace == nil
	})
}

var errPace = errors.New("limiter failed")
