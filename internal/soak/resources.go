package soak

import (
	"context"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/mixin-blaze/blaze/internal/gauge"
)

// resources are what a process must get back.
type resources struct {
	heap       uint64
	goroutines int
	files      int // -1 where that cannot be told
}

// measure has one socket opened before it counts: with the first one the runtime opens descriptors that it keeps.
func measure() resources {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close()
	}
	runtime.GC()
	runtime.GC() // what finalizers let go of
	return resources{heap: gauge.Heap(), goroutines: runtime.NumGoroutine(), files: openFiles()}
}

// openFiles counts the file descriptors of this process, on systems that show them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// The bounds of what may stay behind: a ledger of 100,000 ids as long as the client is there, and what libraries keep.
const (
	ledgerHeap = 32 << 20
	spareHeap  = 8 << 20
)

// leaks checks that the client, and then everything, gives back what it took.
func (r *run) leaks(ctx context.Context, before resources) {
	r.in.state, r.in.tries, r.out.sends, r.out.replies, r.out.receipts = nil, nil, nil, nil, nil
	r.server.mail.pending, r.server.frames = nil, frameLog{}
	now := measure()
	if over(now.heap, before.heap, ledgerHeap) {
		r.add(Leak, "heap: %d KiB before, %d KiB after, with the client", before.heap>>10, now.heap>>10)
	}
	runtime.KeepAlive(r.bot.process)
	r.bot.process = nil
	// The runtime and the HTTP server let go of goroutines and descriptors in their own time.
	for range 100 {
		now = measure()
		if now.goroutines <= before.goroutines && now.files <= before.files || ctx.Err() != nil {
			break
		}
		wait(ctx, 50*time.Millisecond)
	}
	if over(now.heap, before.heap, spareHeap) {
		r.add(Leak, "heap: %d KiB before, %d KiB after", before.heap>>10, now.heap>>10)
	}
	if now.goroutines > before.goroutines {
		r.add(Leak, "goroutines: %d before, %d after; %s", before.goroutines, now.goroutines, stacks())
	}
	if now.files > before.files {
		r.add(Leak, "file descriptors: %d before, %d after", before.files, now.files)
	}
}

func over(now, before, most uint64) bool { return now > before+most }

// stacks shows what every goroutine does.
func stacks() string {
	buf := make([]byte, 256<<10)
	return string(buf[:runtime.Stack(buf, true)])
}
