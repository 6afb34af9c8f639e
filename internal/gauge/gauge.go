// Package gauge measures the heap of this process: its current and its largest size, and allocations.
package gauge

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Heap returns the size of all objects in bytes, including garbage that is not collected yet.
func Heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Allocated returns the number of bytes that the process allocates while f runs. The garbage collector is off
// meanwhile, because it would empty the pools, and their buffers would be allocated again.
func Allocated(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc) //nolint:gosec // G115: it fits
}

// HeapWatch records the largest heap, on a goroutine that ends with Stop.
type HeapWatch struct {
	end  chan struct{}
	done sync.WaitGroup
	peak uint64
}

// WatchHeap measures the heap now and once per interval.
func WatchHeap(interval time.Duration) *HeapWatch {
	w := &HeapWatch{end: make(chan struct{}), peak: Heap()}
	w.done.Go(func() {
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-w.end:
				return
			}
			w.peak = max(w.peak, Heap())
		}
	})
	return w
}

// Stop returns the largest heap measured, in bytes. It may be called once.
func (w *HeapWatch) Stop() uint64 {
	close(w.end)
	w.done.Wait()
	return max(w.peak, Heap())
}
