package hostile

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"time"
	"unicode"
)

// usage is the measurement of an attack.
type usage struct {
	heap    int64 // the largest live heap after a collection, minus that before the attack, in bytes
	work    int64 // bytes allocated
	log     int64 // bytes
	records int64
}

// sampleEvery is the interval at which the live heap of the last collection is read. A collection runs whenever the
// heap has grown by a quarter, or by a megabyte. Objects that exist only between two collections count as work.
const sampleEvery = time.Millisecond

// meter samples the heap in real time.
type meter struct {
	idle, allocated int64
	end, ended      chan struct{}
	once            sync.Once
	peak            int64 // owned by the goroutine until ended is closed
	used            usage
}

// startMeter collects all garbage and starts to measure.
func startMeter() *meter {
	runtime.GC()
	runtime.GC() // frees objects in pools
	m := &meter{end: make(chan struct{}), ended: make(chan struct{})}
	m.idle, m.allocated = readHeap()
	go m.watch()
	return m
}

func (m *meter) watch() {
	defer close(m.ended)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		heap, _ := readHeap()
		m.peak = max(m.peak, heap)
		select {
		case <-tick.C:
		case <-m.end:
			return
		}
	}
}

// stop returns the measurement. A second call returns the same.
func (m *meter) stop() usage {
	m.once.Do(func() {
		close(m.end)
		<-m.ended
		_, allocated := readHeap()
		m.used = usage{heap: m.peak - m.idle, work: allocated - m.allocated}
	})
	return m.used
}

// live collects garbage and returns the live heap, minus that before the attack, in bytes.
func (m *meter) live() int64 {
	runtime.GC()
	runtime.GC() // frees objects in pools
	heap, _ := readHeap()
	return heap - m.idle
}

// readHeap returns the live heap of the last collection and the bytes of all allocations so far.
func readHeap() (used, ever int64) {
	samples := [...]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples[:])
	return int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64())
}

// keptLog is the size of the part of a log that is searched for secrets.
const keptLog = 4 * mib

// logbook is a [slog.Handler] that counts records, and their bytes as JSON.
type logbook struct {
	mu       sync.Mutex
	bytes    int64
	records  int64
	warnings int64 // records of level WARN or higher
	text     strings.Builder
	odd      string // the key of an attribute that is not printable, or has line breaks
}

func (b *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logbook) WithAttrs([]slog.Attr) slog.Handler       { return b }
func (b *logbook) WithGroup(string) slog.Handler            { return b }

// Handle implements [slog.Handler].
func (b *logbook) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if text := a.Value.Resolve().String(); a.Key != "stack" &&
			(!printable(text) || a.Key != "error" && strings.ContainsAny(text, "\n\t")) {
			b.mu.Lock()
			b.odd = a.Key
			b.mu.Unlock()
		}
		return true
	})
	b.mu.Lock()
	b.records++
	if r.Level >= slog.LevelWarn {
		b.warnings++
	}
	b.mu.Unlock()
	return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(ctx, r)
}

// Write adds a line of text.
func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += int64(len(p))
	if b.text.Len() < keptLog {
		b.text.Write(p)
	}
	return len(p), nil
}

func (b *logbook) size() (bytes, records int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes, b.records
}

// warned returns the number of records of level WARN or higher.
func (b *logbook) warned() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.warnings
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// has returns the number of records that contain text.
func (b *logbook) has(text string) (n int) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// printable reports whether a terminal displays text unchanged. Joined errors have line feeds, and stacks have tabs.
func printable(text string) bool {
	for _, c := range text {
		if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}
