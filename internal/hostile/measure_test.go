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

// usage is what an attack took.
type usage struct {
	heap    int64 // bytes in use above what was there before, at the collection that found most
	work    int64 // bytes allocated
	log     int64 // bytes
	records int64
}

// sampleEvery is how often the last collection is looked at. There is one whenever the heap has grown by a quarter, or
// by a megabyte. What comes and goes between two of them still counts as work.
const sampleEvery = time.Millisecond

// meter watches the heap, in real time.
type meter struct {
	idle, allocated int64
	end, ended      chan struct{}
	once            sync.Once
	peak            int64 // owned by the goroutine until ended is closed
	used            usage
}

// startMeter notes what is there, once all garbage is collected.
func startMeter() *meter {
	runtime.GC()
	runtime.GC() // frees what the first one left in pools
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

// stop returns what was used. A second call returns the same.
func (m *meter) stop() usage {
	m.once.Do(func() {
		close(m.end)
		<-m.ended
		_, allocated := readHeap()
		m.used = usage{heap: m.peak - m.idle, work: allocated - m.allocated}
	})
	return m.used
}

// live collects garbage, and returns the bytes that are in use above what was there before.
func (m *meter) live() int64 {
	runtime.GC()
	runtime.GC() // frees what the first one left in pools
	heap, _ := readHeap()
	return heap - m.idle
}

// readHeap returns the bytes that the last collection found in use, and those of all objects that there ever were.
func readHeap() (used, ever int64) {
	samples := [...]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples[:])
	return int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64())
}

// keptLog is how much of a log is kept to look for secrets in it.
const keptLog = 4 * mib

// logbook is a [slog.Handler] that counts records and bytes, as a [slog.JSONHandler] writes them.
type logbook struct {
	mu       sync.Mutex
	bytes    int64
	records  int64
	warnings int64 // records of at least that level
	text     strings.Builder
	odd      string // an attribute that could mislead the reader of a log
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

// Write takes one record as text.
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

// warned returns how many records are warnings or errors.
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

// has returns how many records contain text.
func (b *logbook) has(text string) (n int) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// printable reports whether text shows on a terminal as what it is. An error that joins others has line ends, and
// one of a panic is indented.
func printable(text string) bool {
	for _, c := range text {
		if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}
