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

// mark is a time, with the resources used until then.
type mark struct {
	at            time.Time
	cpu           time.Duration
	allocs, bytes uint64
}

// begin and finish start and end a measurement. Their own cost is not measured.
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

// between returns the cost of n messages.
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

// meter counts handled messages. The clock starts after warm of them, and stops after the last.
type meter struct {
	warm, count int64
	// number of messages read, including those not handled yet; nil: the number handled
	read        func() int
	n           atomic.Int64
	ahead       int
	first, last mark
	started     sync.WaitGroup
	full        chan struct{} // closed after the last message
}

func newMeter(count, warm int) *meter {
	m := &meter{warm: max(int64(warm), 1), count: int64(count), full: make(chan struct{})}
	m.started.Add(1)
	return m
}

// tick counts one message. It is safe for concurrent use.
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

// result may be called after full. Messages read before the clock started do not count, even if they were handled
// later.
func (m *meter) result() Result {
	return between(m.first, m.last, max(int(m.count)-m.ahead, 1))
}

// settled returns the size of live objects and of stacks in bytes.
func settled() uint64 {
	runtime.GC()
	runtime.GC() // collects objects after their finalizers ran
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc + s.StackInuse
}

// mib returns a minus b in MiB, at least 0.
func mib(a, b uint64) float64 { return float64(a-min(a, b)) / (1 << 20) }

// peakRSS returns the largest memory of the process in MiB, on systems that have it in /proc.
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

// cpuModel returns the name of the processor, on systems that have it in /proc.
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
