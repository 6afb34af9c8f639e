package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
)

// step is a transition that happened.
type step struct {
	name string
	arg  int // the number of a message, or the index of a request in rq
	mask int // the ids of an acknowledgement
	// For a push: the conversation that released a message, or none. It is closesOwn if a released conversation closed
	// again.
	from int
	// The state after the step.
	after client
}

// schedule performs the same random steps on the real boxes and on the model.
type schedule struct {
	t      *testing.T
	rng    *rand.Rand
	b      *boxes
	c      *client
	steps  []step
	fails  bool          // most attempts fail, and the capacity is small
	poison int           // the request without a reply; none: all have one
	wait   time.Duration // of the last retry: no two waits end together
}

func (s *schedule) record(name string, arg int) {
	st := step{name: name, arg: arg, after: *s.c}
	st.after.order, st.after.owed = slices.Clone(s.c.order), slices.Clone(s.c.owed)
	for l := range s.c.lane {
		st.after.lane[l] = slices.Clone(s.c.lane[l])
	}
	s.steps = append(s.steps, st)
}

// runSchedule makes n steps.
func runSchedule(t *testing.T, seed uint64, n int) (steps []step, c client) {
	rng := rand.New(rand.NewPCG(seed, 0))
	fails := rng.IntN(3) == 0
	c = client{capacity: 2 + rng.IntN(8), sendOnly: !fails && rng.IntN(8) == 0, solo: none}
	if fails {
		c.capacity = 2 + rng.IntN(2)
	}
	synctest.Test(t, func(t *testing.T) {
		s := &schedule{t: t, rng: rng, b: newBoxes(t, 1+rng.IntN(convs), c.capacity), c: &c}
		// A poisoned acknowledgement is a slot, which several use in turn.
		if s.poison = none; rng.IntN(4) > 0 {
			s.poison = []int{0, 1, ackFrames, ackFrames + 1}[rng.IntN(4)]
		}
		if s.fails = fails; fails {
			s.poison = none
		}
		defer s.end()
		for range n {
			s.step()
			s.settle()
			if s.compare(); t.Failed() {
				return
			}
		}
		steps = s.steps
	})
	return steps, c
}

// step makes one possible step, at random.
func (s *schedule) step() {
	for {
		switch s.rng.IntN(14) {
		case 0, 1, 2:
			s.push(s.rng.IntN(messages))
		case 3, 4:
			s.verdict()
		case 5:
			s.wake()
		case 6:
			s.acknowledge()
		case 7:
			if s.c.added == sends {
				continue
			}
			r := s.c.send()
			s.b.send(r - ackFrames)
			s.record("send", r)
		case 8, 9:
			s.write()
		case 10:
			s.answer()
		case 11:
			s.supervise()
		case 12:
			if !s.c.up || !s.hangsUp() {
				continue
			}
			s.b.down(true)
			if s.rng.IntN(2) == 0 {
				s.c.lose()
				s.record("lose", 0)
			} else {
				s.c.hangUp()
				s.record("hangUp", 0)
			}
		case 13:
			s.pass()
		}
		return
	}
}

// pass makes the reply to the list late, or ends the link on this side.
func (s *schedule) pass() {
	switch {
	case s.c.listHolds() && s.c.solo == none && s.rng.IntN(3) == 0:
		time.Sleep(time.Until(s.b.since.Add(never)))
		s.c.listLate()
		s.record("listLate", 0)
	case s.c.up && s.rng.IntN(30) == 0:
		s.b.down(false)
		s.c.leave()
		s.record("leave", 0)
	}
}

// hangsUp reports whether the link is lost now. In most schedules this happens after the poisoned send was written.
func (s *schedule) hangsUp() bool {
	if s.poison == none {
		return s.rng.IntN(3) == 0
	}
	return slices.Contains(s.c.owed, s.poison) && s.rng.IntN(3) > 0 || s.rng.IntN(50) == 0
}

func (s *schedule) push(i int) {
	if !s.c.up || s.c.sendOnly {
		return
	}
	inFlight, from := s.c.st[i] != absent, none
	candidates := s.c.candidates(i)
	fate := s.b.in.Offer(fmt.Sprint(conv(i)), fmt.Sprint(i), 0, i)
	if fate == inbox.Taken && s.c.full() && len(candidates) > 0 {
		if from = candidates[0]; len(candidates) > 1 {
			from = s.releasedFrom(candidates)
		}
	}
	closes := s.c.admits(i) && s.c.full() && s.c.closesOwn(i)
	s.c.push(i, from)
	if closes {
		from = closesOwn
	}
	want := inbox.Rejected
	switch {
	case inFlight:
		want = inbox.Duplicate
	case s.c.st[i] == queued, s.c.st[i] == backoff:
		want = inbox.Taken
	}
	assert.Equal(s.t, want, fate, "message %d", i)
	s.record("push", i)
	s.steps[len(s.steps)-1].from = from
}

// releasedFrom returns the candidate that released its newest message. It is closed, so it rejects that message.
func (s *schedule) releasedFrom(candidates []int) int {
	for _, l := range candidates {
		newest := s.c.lane[l][len(s.c.lane[l])-1]
		if s.b.in.Offer(fmt.Sprint(l), fmt.Sprint(newest), 0, newest) == inbox.Rejected {
			return l
		}
	}
	s.t.Fatal("no candidate released a message")
	return none
}

// verdict ends the attempt of a message.
func (s *schedule) verdict() {
	for _, l := range s.rng.Perm(convs) {
		if len(s.c.lane[l]) == 0 || s.c.st[s.c.lane[l][0]] != handling {
			continue
		}
		i := s.c.lane[l][0]
		if !s.fails && s.rng.IntN(3) > 0 || s.rng.IntN(10) == 0 {
			s.b.finish(i)
			s.c.finish(l)
			s.record("finish", i)
			return
		}
		s.wait += time.Second
		s.b.retry(i, s.wait)
		if s.c.stopped {
			s.c.release(l)
			s.record("release", i)
			return
		}
		s.c.retry(l)
		s.record("retry", i)
		return
	}
}

// wake advances time to the next attempt of a message.
func (s *schedule) wake() {
	var first time.Time
	for i, st := range s.c.st {
		if at := s.b.wakes[i]; st == backoff && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		time.Sleep(time.Until(first))
	}
}

func (s *schedule) acknowledge() {
	ready := 0
	for _, st := range s.c.st {
		if st == finished {
			ready++
		}
	}
	if ready == 0 || ready == 1 && s.rng.IntN(4) > 0 { // mostly several
		return
	}
	r := s.c.acknowledge()
	s.b.acknowledge(s.c.mask[r])
	s.record("acknowledge", 0)
}

// write makes the writer write a frame, if there is one.
func (s *schedule) write() {
	if !s.c.up {
		return
	}
	ack, send := s.c.next()
	kind, r := s.b.write(s.c)
	switch {
	case !s.c.listWritten && !s.c.sendOnly:
		require.Equal(s.t, "list", kind)
		s.c.list()
		s.record("list", 0)
	case kind == "":
		require.False(s.t, ack != none || send != none || s.c.canWriteAlone(),
			"the outbox writes nothing, but the model may")
	case s.c.solo != none:
		require.True(s.t, r == s.c.solo && s.c.canWriteAlone(), "%s %d during the turn of a suspect", kind, r)
		s.c.writeAlone(r)
		s.record("writeAlone", r)
	case kind == "ack":
		require.Equal(s.t, ack, r)
		s.c.writeAck(r)
		s.record("writeAck", r)
	default:
		require.Equal(s.t, "send", kind)
		require.Equal(s.t, send, r)
		s.c.writeSend(r)
		s.record("writeSend", r)
	}
}

// answer replies to a request that was written on this link.
func (s *schedule) answer() {
	if s.c.listOwed && s.rng.IntN(2) == 0 {
		s.b.out.Answer([]byte(s.b.listID()), nil)
		s.c.listed()
		s.record("listed", 0)
		return
	}
	if len(s.c.owed) == 0 {
		return
	}
	r := s.c.owed[s.rng.IntN(len(s.c.owed))]
	if r == s.poison {
		return
	}
	mask, turn := 0, s.c.solo == r
	s.b.answer(s.c, r)
	if isAck(r) {
		mask = s.c.mask[r]
		s.c.ackConfirmed(r)
		s.record("ackConfirmed", r)
	} else {
		s.c.sendConfirmed(r)
		s.record("sendConfirmed", r)
	}
	s.steps[len(s.steps)-1].mask = mask
	if turn {
		s.write() // the outbox ends a turn at the request for the next frame
	}
}

// supervise makes the next step of the supervisor.
func (s *schedule) supervise() {
	switch {
	case !s.c.up && !s.c.stopped:
		s.b.connect(s.c.sendOnly)
		s.c.connect()
		s.record("connect", 0)
	case !s.c.up:
	case s.c.quiet:
		select {
		case <-s.b.quiet:
			require.True(s.t, s.c.canReplace(), "requests are in flight")
			s.b.down(false)
			s.c.replace()
			s.record("replace", 0)
		default:
			require.False(s.t, s.c.canReplace(), "no request is in flight")
		}
	case s.c.due && !s.c.stopped:
		turn := s.c.solo != none && !s.c.soloWritten
		s.b.quiet = s.b.out.Quiesce()
		s.c.quiesce()
		s.record("quiesce", 0)
		if turn {
			s.write()
		}
	case !s.c.stopped && s.rng.IntN(40) == 0:
		s.b.in.Stop()
		s.c.stop()
		s.record("stop", 0)
	}
}

// settle records the attempts that began since the last step.
func (s *schedule) settle() {
	for _, i := range s.b.takeBegun() {
		l := conv(i)
		require.NotEmpty(s.t, s.c.lane[l])
		require.Equal(s.t, s.c.lane[l][0], i, "the first message of its conversation")
		switch {
		case s.c.st[i] == backoff:
			require.False(s.t, time.Now().Before(s.b.wakes[i]))
			s.c.wake(l)
			s.record("wake", i)
		case s.c.done[i]:
			require.Equal(s.t, queued, s.c.st[i])
			s.c.known(l)
			s.record("known", i)
		default:
			require.Equal(s.t, queued, s.c.st[i])
			s.c.begin(l)
			s.record("begin", i)
		}
	}
}

func TestTheModelAllowsEachStep(t *testing.T) {
	count, heads, again := make(map[string]int), 0, 0
	over := 0 // number of slow starts
	for seed := range uint64(400) {
		steps, _ := runSchedule(t, seed, 400)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		window := 0
		for _, st := range steps {
			count[st.name]++
			if st.after.up && st.after.window == 0 && window > 0 {
				over++
			}
			window = st.after.window
			if st.name == "push" && st.from >= 0 && len(st.after.lane[st.from]) == 0 {
				heads++
			}
			if st.name == "push" && st.from == closesOwn {
				again++
			}
		}
	}
	t.Log(count, heads, again)
	assert.Positive(t, over, "completed slow starts")
	assert.Greater(t, heads, 100, "released messages in backoff")
	assert.Greater(t, again, 10, "released messages that did not fit again")
	all, err := transitions()
	require.NoError(t, err)
	for _, name := range all {
		if !slices.Contains(notCompared, name) {
			assert.Positive(t, count[name], "%s never happened", name)
		}
		delete(count, name)
	}
	assert.Empty(t, count, "transitions missing in the model")
}

// notCompared has the transitions after a reply timeout, and those of the end of the engine.
var notCompared = []string{"expire", "turnOver", "writeNotAlone", "drained", "cut"}
