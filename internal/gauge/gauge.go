// Package gauge reports data of this process for measurements: the current and the largest heap, and the revision
// built.
package gauge

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Commit returns the revision that this program was built from, or "" if the build recorded none. A trailing plus means
// that the tree was modified.
func Commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			revision += "+"
		}
	}
	return revision
}

// Heap returns the size of all objects in bytes, including garbage that is not collected yet.
func Heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
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
