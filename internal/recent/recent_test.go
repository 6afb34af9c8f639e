package recent_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/recent"
)

func TestSetForgetsTheOldest(t *testing.T) {
	s := recent.Set{Limit: 2}
	s.Add("a")
	s.Add("b")
	s.Add("a") // keeps its age
	s.Add("c")
	assert.False(t, s.Has("a"))
	assert.True(t, s.Has("b"))
	assert.True(t, s.Has("c"))
	assert.Equal(t, 2, s.Len())
}

func TestSetRemovedIDsTakeNoRoom(t *testing.T) {
	s := recent.Set{Limit: 2}
	s.Add("a")
	s.Add("b")
	s.Remove("b")
	s.Remove("never here")
	s.Add("c")
	assert.True(t, s.Has("a"))
	assert.False(t, s.Has("b"))
	s.Add("b") // again, and now the youngest
	assert.False(t, s.Has("a"))
	assert.True(t, s.Has("b"))
}

func TestZeroSetHoldsNothing(t *testing.T) {
	var s recent.Set
	s.Remove("a")
	s.Add("a")
	assert.False(t, s.Has("a"))
}

// A list that is looked through from its beginning does the same.
func TestSetForALongTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := recent.Set{Limit: 50}
	var list []string
	for range 100_000 {
		id := fmt.Sprint(rng.IntN(200))
		i := slices.Index(list, id)
		assert.Equal(t, i >= 0, s.Has(id))
		switch {
		case rng.IntN(4) == 0:
			s.Remove(id)
			if i >= 0 {
				list = slices.Delete(list, i, i+1)
			}
		case i < 0:
			s.Add(id)
			list = append(list, id)
			list = list[max(len(list)-50, 0):]
		default:
			s.Add(id)
		}
		if len(list) != s.Len() {
			assert.FailNow(t, "another length", "%d, not %d", s.Len(), len(list))
		}
	}
}

// Ids are small parts of something large, which is not to stay for their sake.
func TestSetKeepsNothingButTheIDs(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	s := recent.Set{Limit: 1000}
	before := heap()
	for i := range 3000 {
		large := fmt.Sprintf("%036d%s", i, strings.Repeat("x", 10_000))
		s.Add(large[:36])
	}
	assert.Less(t, heap()-before, int64(300<<10))
	assert.Equal(t, 1000, s.Len())
	i := 3000
	assert.Less(t, testing.AllocsPerRun(10_000, func() {
		i++
		s.Add(strconv.Itoa(i))
	}), 1.5, "the number's own, and few others")
	runtime.KeepAlive(&s)
}
