package soak

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/gauge"
)

// Report is what one run did and found.
type Report struct {
	Date      time.Time `json:"date"`
	Commit    string    `json:"commit,omitempty"` // with a plus if files were changed
	GoVersion string    `json:"go_version"`
	OS        string    `json:"os"`
	Arch      string    `json:"arch"`
	CPUs      int       `json:"cpus"`
	Race      bool      `json:"race"`

	Seed       uint64  `json:"seed"`
	Plain      bool    `json:"plain,omitempty"`     // the server had no plural actions
	Processes  int     `json:"processes,omitempty"` // of the bot, one after the other
	Messages   int     `json:"messages"`
	Sends      int     `json:"sends"`
	Seconds    float64 `json:"seconds"`
	PerSecond  int     `json:"messages_per_second"`
	PeakHeap   uint64  `json:"peak_heap_bytes"`
	Reconnects string  `json:"waits_between_connections"`

	Connections uint64 `json:"connections"`
	Cuts        int    `json:"cuts"` // connections ended by the proxy
	Pushes      uint64 `json:"pushes"`
	Duplicates  uint64 `json:"duplicates"` // pushes beyond the first of each message
	Requests    uint64 `json:"requests"`
	Resends     uint64 `json:"resends"` // frames that the client wrote again
	Repeats     uint64 `json:"repeats"` // of those, the ones that arrived
	Refusals    uint64 `json:"refusals"`
	Lists       uint64 `json:"lists"`
	Stored      int    `json:"stored"`
	Receipts    int    `json:"receipts"`
	Failures    int    `json:"handler_failures"`

	Faults map[string]uint64 `json:"faults"` // how often each happened

	ViolationCount int          `json:"violation_count"`
	Violations     []*Violation `json:"violations,omitempty"` // the first of them
}

// allFaults are the faults of the server and of the handlers; the proxy counts its own.
var allFaults = []string{
	"handshake refused", "closed by the server", "ping",
	"pushed twice", "pushed again later", "pushed live beside the list",
	"replies behind pushes", "slow pushes", "latency above the reply timeout", "list answered behind its messages",
	"reply lost", "reply late", "reply twice", "list lost", "list refused for now", "list refused",
	"acknowledgement lost", "acknowledgement refused for now", "acknowledgement refused",
	"acknowledgements lost", "acknowledgements refused for now", "acknowledgements refused",
	"message lost", "message refused for now", "message refused",
	"repetition refused", "repetition refused under a new frame id",
	"batch lost", "batch refused for now", "batch refused", "batch refused for one message",
	"hung up at a send", "hung up at an acknowledgement", "receipt flood",
	"401 at the handshake", "401 in an ERROR frame", "401 to a list", "401 to a message", "401 to a batch",
	"401 to an acknowledgement", "401 to acknowledgements", "GET /me", "GET /me failed", "GET /me not answered",
	"HTTP request lost", "HTTP answer lost", "HTTP 401", "HTTP answer of a gateway", "HTTP refused for now",
	"encrypted message refused", "sessions changed",
	"handler slow", "handler failed", "handler panicked", "handler exited", "handler declined", "handler gave up",
	"a conversation only fails", "acknowledged by hand", "ledger failed", "limiter failed", "limiter waited for",
	"send given up early", "send unconfirmed", "listed again over a new link",
	"process ended under load", "process ended with something left",
}

func (r *run) report() *Report {
	took := time.Since(r.began).Seconds()
	stored, _, reads := r.out.totals()
	ended, _, _ := r.in.attempts()
	rep := &Report{
		Date: r.began.UTC().Truncate(time.Second), Commit: gauge.Commit(),
		GoVersion: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(), Race: Race, Seed: r.Seed, Plain: r.Plain, Messages: r.Messages, Sends: r.Sends,
		Seconds: took, PerSecond: int(float64(r.Messages) / took),
		Reconnects:  r.times.reconnects.Cap.String() + " at most",
		Connections: r.server.handshakes.Load(), Cuts: cuts(r.net), Pushes: r.server.pushes.Load(),
		Requests: r.server.requests.Load(), Resends: r.totals.Resent,
		Repeats: r.server.repeats.Load(), Refusals: r.server.refusals.Load(),
		Lists: r.server.lists.Load(), Stored: stored, Receipts: reads,
		Failures: ended[failure], Processes: r.Processes, Faults: fired(r.net),
	}
	rep.Duplicates = rep.Pushes - min(rep.Pushes, uint64(r.Messages)) //nolint:gosec // G115: not negative
	for _, name := range allFaults {
		rep.Faults[name] = 0
	}
	for name, n := range r.luck.counts() {
		rep.Faults[name] = n
	}
	return rep
}

// Write writes the report as JSON, creating the directory if it is missing.
func (rep *Report) Write(path string) error {
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}

// String is the report for people.
func (rep *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d messages in %.1f s (%d/s) over %d connections, %d of them cut; %d duplicates, %d refusals, "+
		"%d resends, %d stored, heap %d MiB at most\n",
		rep.Messages, rep.Seconds, rep.PerSecond, rep.Connections, rep.Cuts,
		rep.Duplicates, rep.Refusals, rep.Resends, rep.Stored, rep.PeakHeap>>20)
	for _, name := range slices.Sorted(maps.Keys(rep.Faults)) {
		fmt.Fprintf(&b, "  %-34s %d\n", name, rep.Faults[name])
	}
	for _, v := range rep.Violations {
		fmt.Fprintf(&b, "BROKEN: %v\n", v)
	}
	fmt.Fprintf(&b, "%d broken promises, seed %d\n", rep.ViolationCount, rep.Seed)
	return b.String()
}
