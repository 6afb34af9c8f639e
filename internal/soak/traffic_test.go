package soak

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIDsAreRead(t *testing.T) {
	s, other := script{seed: 1, conversations: 10, sends: 100}, script{seed: 2}
	for _, n := range []int{0, 1, 255, 65536, 20_000_000} {
		id := s.messageID(n)
		assert.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4000-80[0-9a-f]{2}-[0-9a-f]{12}$", id)
		assert.Equal(t, n, s.message(id))
		assert.Equal(t, -1, other.message(id), "another run's")
		assert.Equal(t, -1, s.message(s.conversationID(n)))
	}
	assert.Equal(t, -1, s.message(""))
	assert.Equal(t, -1, s.message("00000000-0000-4000-8000-00000000zzzz"))
}

func TestTextsAreRead(t *testing.T) {
	what, a, b := numbers(sendText(12, 34))
	assert.Equal(t, []any{"send", 12, 34}, []any{what, a, b})
	what, a, _ = numbers(replyText(56))
	assert.Equal(t, []any{"reply", 56}, []any{what, a})
	for _, text := range []string{"", "send", "send 1 x y", "reply x y"} {
		what, _, _ = numbers(text)
		assert.Empty(t, what, text)
	}
}

// Every kind of message occurs, messages with replies have the right positions, and the seed determines everything.
func TestScript(t *testing.T) {
	s := script{seed: 1, conversations: 10, failingEvery: 5000, often: 1}
	same, other := s, s
	other.seed = 2
	seen := make(map[kind]int)
	differs := false
	for n := range 20_000 {
		k := s.kind(n)
		seen[k]++
		assert.Equal(t, n%replyEvery == 0, k.replies() > 0)
		assert.Equal(t, k, same.kind(n))
		assert.Equal(t, s.conversation(n), same.conversation(n))
		differs = differs || k != other.kind(n)
	}
	assert.Len(t, seen, int(failing)+1)
	assert.Equal(t, 14, s.lanes(20_000))
	assert.True(t, differs)
}

func TestMailbox(t *testing.T) {
	m := &mailbox{script: script{seed: 1}, window: 80, total: 12, opened: true}
	for n := range 5 {
		got, ok := m.next(n)
		assert.True(t, ok)
		assert.Equal(t, n, got)
	}
	assert.True(t, m.remove(1))
	assert.False(t, m.remove(1))
	got, _ := m.next(1)
	assert.Equal(t, 2, got, "the oldest that is left")
	got, _ = m.next(0)
	assert.Equal(t, 0, got, "from the beginning again")
	m.addOffline(100)
	assert.True(t, m.writtenAll())
	assert.Equal(t, 12, m.count())
	assert.Equal(t, 10, m.countFrom(2))
	assert.Len(t, m.unacknowledged(), 11)
	got, ok := m.older(3, 7)
	assert.True(t, ok)
	assert.Less(t, got, 3)
	for n := range 12 {
		m.remove(n)
	}
	_, ok = m.next(0)
	assert.False(t, ok)
	_, ok = m.older(12, 0)
	assert.False(t, ok)
}

// A message is pushed during the list only if no older message of its conversation is still to be pushed.
func TestMailboxWritesBesideTheList(t *testing.T) {
	m := &mailbox{script: script{seed: 1, conversations: 2}, window: 80, total: 100, opened: true}
	m.addOffline(10)
	last := func(lane int) int {
		for n := 9; n >= 0; n-- {
			if m.conversation(n) == lane {
				return n
			}
		}
		return -1
	}(m.conversation(10))
	_, ok := m.write(last)
	assert.False(t, ok)
	_, ok = m.write(10)
	assert.False(t, ok, "nothing is pending, so it is no list")
	if last < 9 {
		n, ok := m.write(last + 1)
		assert.True(t, ok)
		assert.Equal(t, 10, n)
	}
}

func TestPoison(t *testing.T) {
	var p poison
	assert.False(t, p.hangsUp("a", 0))
	for n := range 5 {
		assert.Equal(t, n < 3, p.hangsUp("a", 3))
		assert.True(t, p.hangsUp("b", poisonForever))
	}
	s := script{seed: 1, sends: 20_000, batch: 60, often: 1}
	n := 0
	for send := range s.sends {
		if s.poison(send) > 0 {
			n++
			assert.NotEmpty(t, s.givenID(send))
			assert.GreaterOrEqual(t, send%(s.sends/2), s.warm())
		}
	}
	assert.Positive(t, n)
}

func TestSentNumber(t *testing.T) {
	s := script{seed: 1, sends: 2000, batch: 60, often: 1}
	assert.Equal(t, 7, s.sentNumber(s.givenID(7)))
	assert.Equal(t, -1, s.sentNumber(s.messageID(7)))
	assert.Equal(t, -1, s.sentNumber(""))
}

func TestRNG(t *testing.T) {
	one, two := newRNG(5, nil), newRNG(5, nil)
	first, fired := -1, 0
	for n := range 10_000 {
		a := one.happens("x", 100)
		assert.Equal(t, a, two.happens("x", 100))
		if a && first < 0 {
			first = n
		}
		if a {
			fired++
		}
	}
	assert.LessOrEqual(t, first, 50, "in a short run as well")
	assert.InDelta(t, 100, fired, 40)
	assert.EqualValues(t, fired, one.counts()["x"])
	off := newRNG(5, []string{"x"})
	for range 1000 {
		assert.False(t, off.happens("x", 1) || off.enabled("x"))
	}
	one.stopped.Store(true)
	for range 1000 {
		assert.False(t, one.happens("x", 1))
	}
}
