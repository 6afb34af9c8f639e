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

// Every kind of message occurs, answers stand where their array expects them, and the seed decides.
func TestScript(t *testing.T) {
	s, same, other := script{seed: 1, conversations: 10}, script{seed: 1, conversations: 10}, script{seed: 2, conversations: 10}
	seen := make(map[kind]int)
	differs := false
	for n := range 20_000 {
		k := s.kind(n)
		seen[k]++
		assert.Equal(t, n%replyEvery == 0, k.answers() > 0)
		assert.Equal(t, k, same.kind(n))
		assert.Equal(t, s.conversation(n), same.conversation(n))
		differs = differs || k != other.kind(n)
	}
	assert.Len(t, seen, int(dropped)+1)
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
	m.missed(100)
	assert.True(t, m.writtenAll())
	assert.Equal(t, 12, m.count())
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

func TestLuck(t *testing.T) {
	one, two := newLuck(5), newLuck(5)
	first, fired := -1, 0
	for n := range 10_000 {
		a := one.strikes("x", 100)
		assert.Equal(t, a, two.strikes("x", 100))
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
	one.calm.Store(true)
	for range 1000 {
		assert.False(t, one.strikes("x", 1))
	}
}
