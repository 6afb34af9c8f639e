package recent_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/recent"
)

func TestSetForgetsTheOldest(t *testing.T) {
	s := recent.Set{Limit: 2}
	s.Add("a")
	s.Add("b")
	s.Add("a") // its age does not change
	s.Add("c")
	assert.False(t, s.Has("a"))
	assert.True(t, s.Has("b"))
	assert.True(t, s.Has("c"))
	assert.Equal(t, 2, s.Len())
}

func TestZeroSetHoldsNothing(t *testing.T) {
	var s recent.Set
	s.Add("a")
	assert.False(t, s.Has("a"))
}

// Set behaves like a list that is searched from its beginning.
func TestSetForALongTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := recent.Set{Limit: 50}
	var list []string
	for range 100_000 {
		id := fmt.Sprint(rng.IntN(200))
		i := slices.Index(list, id)
		assert.Equal(t, i >= 0, s.Has(id))
		s.Add(id)
		if i < 0 {
			list = append(list, id)
			list = list[max(len(list)-50, 0):]
		}
		if len(list) != s.Len() {
			assert.FailNow(t, "another length", "%d, not %d", s.Len(), len(list))
		}
	}
}

// Ids are UUIDs in lower case. Other ids are stored as well, and all are distinguished.
func TestSetTellsAllIDsApart(t *testing.T) {
	s := recent.Set{Limit: 100}
	ids := []string{
		"c9a5d4e2-0b1f-4e7a-9a3d-5f6e7d8c9b0a",
		"C9A5D4E2-0B1F-4E7A-9A3D-5F6E7D8C9B0A", "c9a5d4e2-0b1f-4e7a-9a3d-5f6e7d8c9b0b",
		"c9a5d4e20b1f4e7a9a3d5f6e7d8c9b0a", "{c9a5d4e2-0b1f-4e7a-9a3d-5f6e7d8c9b0a}",
		"c9a5d4e2-0b1f-4e7a-9a3d-5f6e7d8c9b0g",
		"", " ", "00000000-0000-0000-0000-000000000000", strings.Repeat("x", 36), strings.Repeat("x", 10_000),
	}
	for i, id := range ids {
		assert.False(t, s.Has(id), id)
		s.Add(id)
		assert.True(t, s.Has(id), id)
		assert.Equal(t, i+1, s.Len())
	}
}

// heap returns the size of all objects that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A full Set does not grow while its ids change.
func TestSetNeedsLittleMemory(t *testing.T) {
	const ids = 70_000 // above 2^16, where the index has the most free slots
	s := recent.Set{Limit: ids}
	before := heap()
	for i := range 3 * ids {
		s.Add(fmt.Sprintf("c9a5d4e2-0b1f-4e7a-9a3d-%012d", i))
		if i == ids/10 {
			assert.Less(t, heap()-before, int64(ids/10*64))
		}
	}
	assert.Less(t, heap()-before, int64(ids*33))
	assert.Equal(t, ids, s.Len())
	runtime.KeepAlive(&s)
}

// Ids are small parts of a large text, which they must not keep in memory.
func TestSetKeepsNothingOfTheIDs(t *testing.T) {
	s := recent.Set{Limit: 1000}
	before := heap()
	for i := range 3000 {
		large := fmt.Sprintf("c9a5d4e2-0b1f-4e7a-9a3d-%012d%s", i, strings.Repeat("x", 10_000))
		s.Add(large[:36])
	}
	assert.Less(t, heap()-before, int64(150<<10))
	assert.Equal(t, 1000, s.Len())
	id := []byte("c9a5d4e2-0b1f-4e7a-9a3d-000000000000")
	n, b := uint32(0), make([]byte, 4)
	assert.Less(t, testing.AllocsPerRun(10_000, func() {
		n++
		binary.BigEndian.PutUint32(b, n)
		hex.Encode(id, b)
		s.Add(string(id))
	}), 1.5, "the text alone")
	runtime.KeepAlive(&s)
}
