package soak

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/report"
)

// Report holds the results of one run.
type Report struct {
	report.Machine
	Race bool `json:"race"`

	Seed       uint64  `json:"seed"`
	Plain      bool    `json:"plain,omitempty"`     // the server had no plural actions
	Processes  int     `json:"processes,omitempty"` // of the bot, in sequence
	Messages   int     `json:"messages"`
	Sends      int     `json:"sends"`
	Seconds    float64 `json:"seconds"`
	PerSecond  int     `json:"messages_per_second"`
	PeakHeap   uint64  `json:"peak_heap_bytes"`
	Reconnects string  `json:"waits_between_connections"`

	Connections uint64 `json:"connections"`
	Cuts        int    `json:"cuts"` // connections ended by the network
	Pushes      uint64 `json:"pushes"`
	Duplicates  uint64 `json:"duplicates"` // pushes beyond the first of each message
	Requests    uint64 `json:"requests"`
	Resends     uint64 `json:"resends"` // frames that the client wrote again
	Repeats     uint64 `json:"repeats"` // resent frames that arrived after an earlier copy
	Rejections  uint64 `json:"refusals"`
	Lists       uint64 `json:"lists"`
	Stored      int    `json:"stored"`
	Receipts    int    `json:"receipts"`
	Failures    int    `json:"handler_failures"`

	Faults map[string]uint64 `json:"faults"` // number of occurrences

	ViolationCount int          `json:"violation_count"`
	Violations     []*Violation `json:"violations,omitempty"` // the first maxKept
}

// allFaults are the faults of the server and the bot. The network counts its own.
var allFaults = []string{
	"handshake rejected", "closed by the server", "ping",
	"pushed twice", "redelivered later", "pushed live during the list",
	"replies after pushes", "slow pushes", "latency above the reply timeout", "list reply after its messages",
	"reply lost", "reply late", "reply twice", "list lost", "list rejected transiently", "list rejected",
	"acknowledgement lost", "acknowledgement rejected transiently", "acknowledgement rejected",
	"acknowledgements lost", "acknowledgements rejected transiently", "acknowledgements rejected",
	"message lost", "message rejected transiently", "message rejected",
	"repetition rejected", "repetition rejected under a new frame id",
	"batch lost", "batch rejected transiently", "batch rejected", "batch rejected for one message",
	"hung up at a send", "hung up at an acknowledgement", "receipt flood",
	"401 at the handshake", "401 in an ERROR frame", "401 to a list", "401 to a message", "401 to a batch",
	"401 to an acknowledgement", "401 to acknowledgements", "GET /me", "GET /me failed", "GET /me without response",
	"HTTP request lost", "HTTP response lost", "HTTP 401", "HTTP response of a gateway", "HTTP rejected transiently",
	"encrypted message rejected", "sessions changed",
	"handler slow", "handler failed", "handler panicked", "handler exited", "handler declined", "handler dropped",
	"handler detached", "conversation failing", "acknowledged by hand", "ledger failed", "limiter failed",
	"limiter waited", "send canceled early", "send unconfirmed", "resync over a new link",
	"process ended under load", "process ended with work left",
}

func (r *run) report() *Report {
	took := time.Since(r.began).Seconds()
	stored, _, reads := r.out.totals()
	ended, _, _ := r.in.attempts()
	rep := &Report{
		Machine: report.ThisMachine(r.began), Race: Race,
		Seed: r.Seed, Plain: r.Plain, Messages: r.Messages, Sends: r.Sends,
		Seconds: took, PerSecond: int(float64(r.Messages) / took),
		Reconnects:  r.times.reconnects.Cap.String() + " at most",
		Connections: r.server.handshakes.Load(), Cuts: cuts(r.net), Pushes: r.server.pushes.Load(),
		Requests: r.server.requests.Load(), Resends: r.totals.Resent,
		Repeats: r.server.repeats.Load(), Rejections: r.server.rejections.Load(),
		Lists: r.server.lists.Load(), Stored: stored, Receipts: reads,
		Failures: ended[failure], Processes: r.Processes, Faults: fired(r.net),
	}
	rep.Duplicates = rep.Pushes - min(rep.Pushes, uint64(r.Messages)) //nolint:gosec // G115: not negative
	for _, name := range allFaults {
		rep.Faults[name] = 0
	}
	for name, n := range r.rng.counts() {
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
	return report.Write(path, append(text, '\n'))
}

// String returns the report as text.
func (rep *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d messages in %.1f s (%d/s) over %d connections, %d of them cut; %d duplicates, %d rejections, "+
		"%d resends, %d stored, maximum heap %d MiB\n",
		rep.Messages, rep.Seconds, rep.PerSecond, rep.Connections, rep.Cuts,
		rep.Duplicates, rep.Rejections, rep.Resends, rep.Stored, rep.PeakHeap>>20)
	for _, name := range slices.Sorted(maps.Keys(rep.Faults)) {
		fmt.Fprintf(&b, "  %-34s %d\n", name, rep.Faults[name])
	}
	for _, v := range rep.Violations {
		fmt.Fprintf(&b, "VIOLATION: %v\n", v)
	}
	fmt.Fprintf(&b, "%d violations, seed %d\n", rep.ViolationCount, rep.Seed)
	return b.String()
}
