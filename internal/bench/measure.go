package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mark is a moment, and what the process had used by then.
type mark struct {
	at            time.Time
	cpu           time.Duration
	allocs, bytes uint64
}

// begin and finish are the two ends of what is measured: what they cost themselves lies outside.
func begin() mark {
	var m mark
	m.memory()
	m.cpu = cpuTime()
	m.at = time.Now()
	return m
}

func finish() mark {
	m := mark{at: time.Now(), cpu: cpuTime()}
	m.memory()
	return m
}

func (m *mark) memory() {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.allocs, m.bytes = s.Mallocs, s.TotalAlloc
}

// between is what n messages cost.
func between(a, b mark, n int) Result {
	each := float64(max(n, 1))
	r := Result{
		Messages: n, CPUMicros: micros(b.cpu-a.cpu) / each,
		Allocs: float64(b.allocs-a.allocs) / each, Bytes: float64(b.bytes-a.bytes) / each,
	}
	if took := b.at.Sub(a.at).Seconds(); took > 0 {
		r.PerSecond = float64(n) / took
	}
	return r
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// meter counts messages as they are handled. The clock starts when warm of them were, and stops with the last.
type meter struct {
	warm, count int64
	// how many were read by now, some of which may wait to be handled; nil: as many as were handled
	read        func() int
	n           atomic.Int64
	ahead       int
	first, last mark
	started     sync.WaitGroup
	full        chan struct{} // closed when all were handled
}

func newMeter(count, warm int) *meter {
	m := &meter{warm: max(int64(warm), 1), count: int64(count), full: make(chan struct{})}
	m.started.Add(1)
	return m
}

// tick counts one message. It may be called concurrently.
func (m *meter) tick() {
	switch m.n.Add(1) {
	case m.warm:
		m.ahead = int(m.warm)
		if m.read != nil {
			m.ahead = max(m.ahead, m.read())
		}
		m.first = begin()
		m.started.Done()
	case m.count:
		m.last = finish()
		m.started.Wait()
		close(m.full)
	}
}

// result is for use after full. What was read before the clock started does not count, though it was handled later.
func (m *meter) result() Result {
	return between(m.first, m.last, max(int(m.count)-m.ahead, 1))
}

// settled returns the bytes of live objects and of stacks.
func settled() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc + s.StackInuse
}

// mib is how far a is above b, in MiB.
func mib(a, b uint64) float64 { return float64(a-min(a, b)) / (1 << 20) }

// peakRSS returns the most memory the process has had, in MiB, on systems that tell it in /proc.
func peakRSS() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0
	}
	return kib / 1024
}

// cpuModel returns the name of the processor, on systems that tell it in /proc.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	_, name, _ := strings.Cut(line, ":")
	return strings.Join(strings.Fields(name), " ")
}
