package engine_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/engine"
)

func add(t *testing.T, r *engine.Receipts, ids ...string) {
	t.Helper()
	for _, id := range ids {
		taken, full := r.Add(id)
		assert.True(t, taken, id)
		assert.False(t, full, id)
	}
}

// goroutinesOfReceipts counts the goroutines that handle receipts. The total number of goroutines is not usable,
// because those of earlier tests may end at any time.
func goroutinesOfReceipts() int {
	b := make([]byte, 1<<20)
	return bytes.Count(b[:runtime.Stack(b, true)],
		[]byte("created by github.com/mixin-blaze/blaze/internal/engine.(*receipts)"))
}

func TestReceiptsAreHandledInOrderByOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := engine.NewReceipts(func(id string) {
			time.Sleep(time.Second)
			got = append(got, id)
		})
		<-r.Idle()
		add(t, r, "a", "b", "c")
		synctest.Wait()
		assert.Equal(t, 1, goroutinesOfReceipts())
		time.Sleep(1500 * time.Millisecond)
		n, age := r.Handling()
		assert.Equal(t, 1, n)
		assert.Equal(t, 500*time.Millisecond, age)
		<-r.Idle()
		assert.Equal(t, []string{"a", "b", "c"}, got)
		n, age = r.Handling()
		assert.Zero(t, n)
		assert.Zero(t, age)
		synctest.Wait()
		assert.Zero(t, goroutinesOfReceipts())
		add(t, r, "d")
		<-r.Idle()
		assert.Len(t, got, 4)
	})
}

func TestReceiptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := engine.NewReceipts(func(id string) {
			time.Sleep(time.Minute)
			got = append(got, id)
		})
		add(t, r, "handled")
		synctest.Wait()
		want := []string{"handled"}
		for i := range 16 << 10 {
			want = append(want, fmt.Sprint(i))
			add(t, r, want[i+1])
		}
		for range 3 {
			taken, full := r.Add("too many")
			assert.True(t, !taken && full)
		}
		time.Sleep(90 * time.Second)
		add(t, r, "fits again")
		<-r.Idle()
		assert.Equal(t, append(want, "fits again"), got)
	})
}

func TestAReceiptMayEndItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := engine.NewReceipts(func(id string) {
			got = append(got, id)
			runtime.Goexit()
		})
		add(t, r, "a", "b", "c")
		synctest.Wait()
		assert.Equal(t, []string{"a", "b", "c"}, got)
		n, _ := r.Handling()
		assert.Zero(t, n)
	})
}

func TestReceiptsAreDroppedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := engine.NewReceipts(func(id string) {
			time.Sleep(time.Second)
			got = append(got, id)
		})
		add(t, r, "a", "b")
		synctest.Wait()
		r.Stop()
		taken, full := r.Add("c")
		assert.False(t, taken || full)
		began := time.Now()
		<-r.Idle()
		assert.Equal(t, time.Second, time.Since(began), "time of the running handler")
		assert.Equal(t, []string{"a"}, got)
	})
}
