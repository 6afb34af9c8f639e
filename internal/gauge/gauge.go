// Package gauge reads what a measurement has to know about its own process: how large the heap is and was, and which
// revision was built.
package gauge

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Commit is the revision this program was built from, if the build noted it; a plus behind it says that the tree had
// changes.
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

// Heap returns the bytes of all objects, those that wait to be collected among them.
func Heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// HeapWatch notes the largest heap, in a goroutine that lasts until Stop.
type HeapWatch struct {
	end  chan struct{}
	done sync.WaitGroup
	peak uint64
}

// WatchHeap looks now and once in every interval.
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

// Stop returns the largest heap that was seen, in bytes. It may be called once.
func (w *HeapWatch) Stop() uint64 {
	close(w.end)
	w.done.Wait()
	return max(w.peak, Heap())
}
