package bench

import (
	"slices"
	"strings"
)

// goal is a target of the library.
type goal struct {
	text  string
	parts []part
}

// part is one number of a goal.
type part struct {
	reached float64
	least   float64 // 0: no bound
	most    float64 // 0: no bound
	show    func(float64) string
}

func (p part) met() bool {
	return p.reached > 0 && p.reached >= p.least && (p.most == 0 || p.reached <= p.most)
}

func atLeast(reached, least float64, show func(float64) string) part {
	return part{reached: reached, least: least, show: show}
}

func atMost(reached, most float64, show func(float64) string) part {
	return part{reached: reached, most: most, show: show}
}

// all returns the goals with the measured values.
func (r *Report) all() []goal {
	ours := func(scenario string, of metric) float64 { return r.median(scenario, Ours, of) }
	return []goal{
		{"receive 80 B, 1 KB, 100 KB: at least 4, 4, 3.5 × naive", []part{
			atLeast(r.timesNaive(Receive80), 4, number), atLeast(r.timesNaive(Receive1K), 4, number),
			atLeast(r.timesNaive(Receive100K), 3.5, number),
		}},
		{"inflating on several cores: beyond 5 × naive", []part{
			atLeast(r.timesNaive(Receive80), 5, number), atLeast(r.timesNaive(Receive1K), 5, number),
			atLeast(r.timesNaive(Receive100K), 5, number),
		}},
		{"at least 80 % of inflating only", []part{
			atLeast(r.ofInflate(Receive80), 0.8, percent), atLeast(r.ofInflate(Receive1K), 0.8, percent),
			atLeast(r.ofInflate(Receive100K), 0.8, percent),
		}},
		{"acknowledgements leave at least 85 % of the rate", []part{atLeast(r.withAcks(), 0.85, percent)}},
		{"a message of 80 B: at most 8 allocations, 1,024 bytes", []part{
			atMost(ours(Receive80, allocs), 8, number), atMost(ours(Receive80, bytesEach), 1024, number),
		}},
		{"send, 1, 16, 256 callers: at least 3, 12, 25 × naive", []part{
			atLeast(r.timesNaive(Send1), 3, number), atLeast(r.timesNaive(Send16), 12, number),
			atLeast(r.timesNaive(Send256), 25, number),
		}},
		{"p99 of 256 callers: at most a tenth of naive's", []part{atMost(r.latency(), 0.1, percent)}},
		{"SendBatch: at least 3 × 256 callers", []part{atLeast(r.timesSingle(), 3, number)}},
		{"an idle client: at most 48 KB, 3 goroutines", []part{
			atMost(ours(Idle, idleKB), 48, number), atMost(ours(Idle, goroutines), 3.005, number),
		}},
		{"100,000 pending, without and with work: at most 96 MiB above idle", []part{
			atMost(ours(Burst, heapMiB), 96, number), atMost(ours(BurstSlow, heapMiB), 96, number),
		}},
	}
}

// goals returns the goals as Markdown.
func (r *Report) goals() string {
	b := "| goal | reached | met |\n|---|---:|:---:|\n"
	for _, g := range r.all() {
		shown := make([]string, len(g.parts))
		for i, p := range g.parts {
			shown[i] = p.show(p.reached)
		}
		met := "✓"
		if slices.ContainsFunc(g.parts, func(p part) bool { return !p.met() }) {
			met = "no"
		}
		b += row(g.text, strings.Join(shown, ", "), met)
	}
	return b
}
