// Package bench measures what the client costs, side by side in one run with how such clients are built today (naive),
// and with what is the limit: frames that are inflated and nothing else. Each contender runs in a process of its own,
// one after the other, against a server in yet another process, over TLS on the loopback interface; cmd/bench runs it.
package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// subprotocol is what clients ask for.
const subprotocol = "Mixin-Blaze-1"

// Contenders.
const (
	Ours    = "ours"    // this library, through its public API
	Naive   = "naive"   // how clients are built today
	Inflate = "inflate" // frames are read and inflated, and nothing else
	Frames  = "frames"  // frames are read, and nothing else
)

// Scenarios.
const (
	Receive80      = "receive/80"
	ReceiveNoAck80 = "receive-noack/80" // ours without acknowledging
	Receive1K      = "receive/1k"
	Receive100K    = "receive/100k"
	Send1          = "send/1"
	Send16         = "send/16"
	Send256        = "send/256"
	Batch          = "batch"
	Idle           = "idle"
	Burst          = "burst"
	BurstSlow      = "burst-slow" // with a handler that takes its time
)

// The sizes of texts.
const (
	small  = 80
	medium = 1 << 10
	large  = 100 << 10
)

// slowHandler is how long the handler of BurstSlow computes.
const slowHandler = 20 * time.Microsecond

// Task is what one process of a contender does.
type Task struct {
	Scenario  string        `json:"scenario"`
	Contender string        `json:"contender"`
	Size      int           `json:"size"`    // bytes of a text
	Count     int           `json:"count"`   // messages to receive, messages in a batch, or clients
	Before    int           `json:"before"`  // messages of those that are received before it counts
	Callers   int           `json:"callers"` // who send at the same time
	Warm      time.Duration `json:"warm"`    // sending before it counts
	For       time.Duration `json:"for"`     // sending that counts
	Address   string        `json:"address"`
	Roots     string        `json:"roots"` // PEM

	CPUProfile string `json:"cpu_profile,omitempty"` // file to write
	MemProfile string `json:"mem_profile,omitempty"` // file to write: what was allocated

	tls *tls.Config // made by Run, of Roots
}

// Result is what one process of a contender has measured. What a scenario does not measure is zero.
type Result struct {
	Round     int    `json:"round"`
	Scenario  string `json:"scenario"`
	Contender string `json:"contender"`

	Messages   int     `json:"messages,omitempty"` // that were counted
	PerSecond  float64 `json:"per_second,omitempty"`
	CPUMicros  float64 `json:"cpu_us,omitempty"` // of user and system, for each message
	Allocs     float64 `json:"allocs,omitempty"` // for each message
	Bytes      float64 `json:"bytes,omitempty"`  // allocated for each message
	P50Micros  float64 `json:"p50_us,omitempty"` // of one send
	P99Micros  float64 `json:"p99_us,omitempty"`
	IdleKB     float64 `json:"idle_kb,omitempty"`      // heap and stack of each client
	Goroutines float64 `json:"goroutines,omitempty"`   // of each client
	HeapMiB    float64 `json:"heap_mib,omitempty"`     // the largest heap, above that before
	PeakRSSMiB float64 `json:"peak_rss_mib,omitempty"` // of the process; 0: not known here
	Duplicates uint64  `json:"pushed_again,omitempty"` // that the client has dropped
}

// contest is one contender in a scenario.
type contest struct {
	contender string
	count     int
}

// scenario is what is measured one after the other.
type scenario struct {
	name     string
	size     int
	callers  int
	contests []contest
}

// scenarios returns everything that is measured. Rates are for each message, so counts are such that each run takes
// seconds. Inflate and Frames get the same messages again and again.
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

// How many different messages there are of each size, and how long sending is measured.
const (
	sendWarm = 500 * time.Millisecond
	sendFor  = 3 * time.Second
)

// made is how many different messages a script has. Who acknowledges gets no message twice.
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

// name is what the server's scripts are told apart by.
func (c cell) name() string { return c.task.Scenario + " " + c.task.Contender }

// plan returns the cells of all scenarios, those of one scenario together. Scale multiplies all counts and times.
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

// before returns how many messages are received before it counts: a twentieth, and of small ones, of which the memory
// is looked at, so many that the ledger has grown to its full size.
func before(contender string, size, count int) int {
	if contender == Ours && size == small {
		return count * 4 / 7
	}
	return count / 20
}

// scaled returns no less than a run needs to have a beginning and an end.
func scaled(count int, scale float64) int {
	if count == 0 {
		return 0
	}
	return max(int(float64(count)*scale), 20)
}

// pushes reports whether a scenario is about messages that arrive.
func pushes(scenario string) bool {
	switch scenario {
	case Receive80, ReceiveNoAck80, Receive1K, Receive100K, Burst, BurstSlow:
		return true
	}
	return false
}

// Run does the task, in this process.
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
