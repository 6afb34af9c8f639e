package soak

import (
	"context"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/mixin-blaze/blaze/internal/gauge"
)

// resources are the resources that a process must release.
type resources struct {
	heap       uint64
	goroutines int
	files      int // -1 if unknown
}

// measure opens a socket before it counts, because the first socket makes the runtime open descriptors that it keeps.
func measure() resources {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close()
	}
	runtime.GC()
	runtime.GC() // frees the objects released by finalizers
	return resources{heap: gauge.Heap(), goroutines: runtime.NumGoroutine(), files: openFiles()}
}

// openFiles counts the file descriptors of this process, if the system lists them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// Bounds of the heap growth: with the client and its ledger of 100,000 ids, and without.
const (
	ledgerHeap = 32 << 20
	spareHeap  = 8 << 20
)

// checkLeaks checks the resources with the client still referenced, and again without it.
func (r *run) checkLeaks(ctx context.Context, before resources) {
	r.in.state, r.in.attemptCounts, r.out.sends, r.out.replies, r.out.receipts = nil, nil, nil, nil, nil
	r.server.mail.pending, r.server.frames = nil, frameLog{}
	now := measure()
	if exceeds(now.heap, before.heap, ledgerHeap) {
		r.add(Leak, "heap: %d KiB before, %d KiB after, with the client", before.heap>>10, now.heap>>10)
	}
	runtime.KeepAlive(r.bot.process)
	r.bot.process = nil
	// The runtime and the HTTP server release goroutines and descriptors with a delay.
	for range 100 {
		now = measure()
		if now.goroutines <= before.goroutines && now.files <= before.files || ctx.Err() != nil {
			break
		}
		wait(ctx, 50*time.Millisecond)
	}
	if exceeds(now.heap, before.heap, spareHeap) {
		r.add(Leak, "heap: %d KiB before, %d KiB after", before.heap>>10, now.heap>>10)
	}
	if now.goroutines > before.goroutines {
		r.add(Leak, "goroutines: %d before, %d after; %s", before.goroutines, now.goroutines, stacks())
	}
	if now.files > before.files {
		r.add(Leak, "file descriptors: %d before, %d after", before.files, now.files)
	}
}

func exceeds(now, before, most uint64) bool { return now > before+most }

// stacks returns the stacks of all goroutines.
func stacks() string {
	buf := make([]byte, 256<<10)
	return string(buf[:runtime.Stack(buf, true)])
}
