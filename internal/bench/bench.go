// Package bench measures the cost of the client, in one run with a client as they are usually built (naive), and with
// two limits: inflating frames only, and reading frames only. Each contender runs in its own process, one after the
// other. The server runs in another process, over TLS on the loopback interface. cmd/bench runs it.
package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// subprotocol is the subprotocol that clients request.
const subprotocol = "Mixin-Blaze-1"

// Contenders.
const (
	Ours    = "ours"    // this library, through its public API
	Naive   = "naive"   // a client as they are usually built
	Inflate = "inflate" // reads and inflates frames, and nothing else
	Frames  = "frames"  // reads frames, and nothing else
)

// Scenarios.
const (
	Receive80      = "receive/80"
	ReceiveNoAck80 = "receive-noack/80" // ours without acknowledgements
	Receive1K      = "receive/1k"
	Receive100K    = "receive/100k"
	Send1          = "send/1"
	Send16         = "send/16"
	Send256        = "send/256"
	Batch          = "batch"
	Idle           = "idle"
	Burst          = "burst"
	BurstSlow      = "burst-slow" // with a slow handler
)

// The sizes of texts.
const (
	small  = 80
	medium = 1 << 10
	large  = 100 << 10
)

// slowHandler is the time that the handler of BurstSlow computes.
const slowHandler = 20 * time.Microsecond

// Task is the work of one process of a contender.
type Task struct {
	Scenario  string        `json:"scenario"`
	Contender string        `json:"contender"`
	Size      int           `json:"size"`    // of a text, in bytes
	Count     int           `json:"count"`   // messages to receive, messages in a batch, or clients
	Before    int           `json:"before"`  // messages of Count received before the measurement
	Callers   int           `json:"callers"` // number of concurrent senders
	Warm      time.Duration `json:"warm"`    // duration of sending before the measurement
	For       time.Duration `json:"for"`     // duration of the measured sending
	Address   string        `json:"address"`
	Roots     string        `json:"roots"` // PEM

	CPUProfile string `json:"cpu_profile,omitempty"` // file for the profile
	MemProfile string `json:"mem_profile,omitempty"` // file for the profile of allocations

	tls *tls.Config // made from Roots by Run
}

// Result has the measurements of one process of a contender. Values that a scenario does not measure are zero.
type Result struct {
	Round     int    `json:"round"`
	Scenario  string `json:"scenario"`
	Contender string `json:"contender"`

	Messages   int     `json:"messages,omitempty"` // number measured
	PerSecond  float64 `json:"per_second,omitempty"`
	CPUMicros  float64 `json:"cpu_us,omitempty"` // user and system time per message
	Allocs     float64 `json:"allocs,omitempty"` // per message
	Bytes      float64 `json:"bytes,omitempty"`  // allocated per message
	P50Micros  float64 `json:"p50_us,omitempty"` // of one send
	P99Micros  float64 `json:"p99_us,omitempty"`
	IdleKB     float64 `json:"idle_kb,omitempty"`      // heap and stack per client
	Goroutines float64 `json:"goroutines,omitempty"`   // per client
	HeapMiB    float64 `json:"heap_mib,omitempty"`     // largest heap, minus the heap at the start
	PeakRSSMiB float64 `json:"peak_rss_mib,omitempty"` // of the process; 0: unknown on this system
	Duplicates uint64  `json:"pushed_again,omitempty"` // discarded by the client
}

// contest is one contender in a scenario.
type contest struct {
	contender string
	count     int
}

// scenario is a set of contests that run one after the other.
type scenario struct {
	name     string
	size     int
	callers  int
	contests []contest
}

// scenarios returns all scenarios. Rates are per message, so the counts are chosen for runs of some seconds. Inflate
// and Frames receive the same messages repeatedly.
func scenarios() []scenario {
	return []scenario{
		{Receive80, small, 0, []contest{{Ours, 350_000}, {Naive, 60_000}, {Inflate, 300_000}, {Frames, 4_000_000}}},
		{ReceiveNoAck80, small, 0, []contest{{Ours, 350_000}}},
		{Receive1K, medium, 0, []contest{{Ours, 80_000}, {Naive, 30_000}, {Inflate, 150_000}, {Frames, 1_500_000}}},
		{Receive100K, large, 0, []contest{{Ours, 1500}, {Naive, 500}, {Inflate, 2500}, {Frames, 20_000}}},
		{Send1, small, 1, []contest{{Ours, 0}, {Naive, 0}}},
		{Send16, small, 16, []contest{{Ours, 0}, {Naive, 0}}},
		{Send256, small, 256, []contest{{Ours, 0}, {Naive, 0}}},
		{Batch, small, 0, []contest{{Ours, 10_000}}},
		{Idle, 0, 0, []contest{{Ours, 1000}, {Naive, 1000}}},
		{Burst, medium, 0, []contest{{Ours, 100_000}}},
		{BurstSlow, medium, 0, []contest{{Ours, 100_000}}},
	}
}

// The durations of sending.
const (
	sendWarm = 500 * time.Millisecond
	sendFor  = 3 * time.Second
)

// made returns the number of different messages in a script. A client that acknowledges receives no message twice.
func made(contender string, size, count int) int {
	if contender == Ours || contender == Naive {
		return count
	}
	return min(count, map[int]int{small: 100_000, medium: 80_000, large: 1500}[size])
}

// cell is one contender in one scenario.
type cell struct {
	task   Task
	script Script
}

// name identifies the script of the server.
func (c cell) name() string { return c.task.Scenario + " " + c.task.Contender }

// plan returns the cells of all scenarios, grouped by scenario. scale multiplies all counts and times.
func plan(scale float64) [][]cell {
	var rows [][]cell
	for _, s := range scenarios() {
		var row []cell
		for _, c := range s.contests {
			count := scaled(c.count, scale)
			t := Task{
				Scenario: s.name, Contender: c.contender, Size: s.size, Count: count,
				Before: before(c.contender, s.size, count), Callers: s.callers,
				Warm: time.Duration(scale * float64(sendWarm)), For: time.Duration(scale * float64(sendFor)),
			}
			script := Script{Size: s.size}
			if pushes(s.name) {
				script.Count, script.Made = count, made(c.contender, s.size, count)
			}
			row = append(row, cell{t, script})
		}
		rows = append(rows, row)
	}
	return rows
}

// before returns the number of messages received before the measurement: a twentieth. For small messages, which are
// used to measure memory, it is large enough for the ledger to reach its full size.
func before(contender string, size, count int) int {
	if contender == Ours && size == small {
		return count * 4 / 7
	}
	return count / 20
}

// scaled returns at least the minimum for a run with a beginning and an end.
func scaled(count int, scale float64) int {
	if count == 0 {
		return 0
	}
	return max(int(float64(count)*scale), 20)
}

// pushes reports whether the server pushes messages in a scenario.
func pushes(scenario string) bool {
	switch scenario {
	case Receive80, ReceiveNoAck80, Receive1K, Receive100K, Burst, BurstSlow:
		return true
	}
	return false
}

// Run does the task in this process.
func (t Task) Run(ctx context.Context) (Result, error) {
	var err error
	if t.tls, err = t.trust(); err != nil {
		return Result{}, fmt.Errorf("bench: %w", err)
	}
	run := func(context.Context) (Result, error) {
		return Result{}, fmt.Errorf("bench: no %s by %s", t.Scenario, t.Contender)
	}
	switch t.Contender {
	case Ours:
		run = t.ours
	case Naive:
		run = t.naive
	case Inflate, Frames:
		run = t.limit
	}
	r, err := run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("bench: %s by %s: %w", t.Scenario, t.Contender, err)
	}
	r.Scenario, r.Contender, r.PeakRSSMiB = t.Scenario, t.Contender, peakRSS()
	return r, nil
}
