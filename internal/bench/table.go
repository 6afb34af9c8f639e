package bench

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/mixin-blaze/blaze/internal/report"
)

// blockName is the name of the tables in a document.
const blockName = "bench"

// String returns a line of text about one result, to show progress.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %-16s %-8s", r.Round+1, r.Scenario, r.Contender)
	for _, n := range []struct {
		name  string
		value float64
	}{
		{"/s", r.PerSecond},
		{"us cpu", r.CPUMicros},
		{"allocs", r.Allocs},
		{"B", r.Bytes},
		{"us p50", r.P50Micros},
		{"us p99", r.P99Micros},
		{"KB idle", r.IdleKB},
		{"goroutines", r.Goroutines},
		{"MiB heap", r.HeapMiB},
		{"MiB RSS", r.PeakRSSMiB},
		{"redelivered", float64(r.Duplicates)},
	} {
		if n.value > 0 {
			fmt.Fprintf(&b, "  %s %s", number(n.value), n.name)
		}
	}
	return b.String()
}

// Details returns a table of all measurements, medians of all rounds.
func (r *Report) Details() string {
	var b strings.Builder
	b.WriteString("| scenario | contender | messages/s | × naive | of inflate | CPU µs | allocs | bytes | p50 µs " +
		"| p99 µs | idle KB | goroutines | heap MiB | RSS MiB |\n")
	b.WriteString("|---|---|" + strings.Repeat("---:|", 12) + "\n")
	for _, s := range scenarios() {
		for _, c := range s.contests {
			if _, ok := r.find(0, s.name, c.contender); !ok {
				continue
			}
			k := key{s.name, c.contender}
			values := []float64{
				r.median(s.name, c.contender, perSecond), r.ratio(k, key{s.name, Naive}, perSecond),
				r.ratio(k, key{s.name, Inflate}, perSecond),
			}
			for _, m := range []metric{cpuMicros, allocs, bytesEach, p50, p99, idleKB, goroutines, heapMiB, rssMiB} {
				values = append(values, r.median(s.name, c.contender, m))
			}
			cells := []string{s.name, c.contender}
			for _, v := range values {
				cells = append(cells, number(v))
			}
			b.WriteString(row(cells...))
		}
	}
	return b.String()
}

// Markdown returns the tables for docs/performance.md.
func (r *Report) Markdown() string {
	return strings.Join([]string{r.heading(), r.receiving(), r.sending(), r.memory(), r.goals()}, "\n")
}

// heading returns the origin of the numbers.
func (r *Report) heading() string {
	machine := fmt.Sprintf("%s, %s/%s, %d CPUs", r.GoVersion, r.OS, r.Arch, r.CPUs)
	if r.CPU != "" {
		machine += " (" + r.CPU + ")"
	}
	run := "`make bench`"
	if r.Rounds != 5 || r.Scale != 1 {
		run = fmt.Sprintf("`make bench ROUNDS=%d SCALE=%v`", r.Rounds, r.Scale)
	}
	commit := ""
	if r.Commit != "" {
		commit = ", commit " + r.Commit
	}
	return fmt.Sprintf("%s, %s%s: %s. Medians of %d rounds; ratios are those within a round. Where two numbers "+
		"stand, the second is naive's.\n",
		r.Date.Format("2006-01-02"), machine, commit, run, r.Rounds)
}

func (r *Report) receiving() string {
	b := "| receive | messages/s | × naive | inflating only | of that | frames only | CPU µs | allocs | bytes | " +
		"peak RSS MiB |\n|---|" +
		strings.Repeat("---:|", 9) + "\n"
	for _, s := range []struct{ name, label string }{
		{Receive80, "80 B"}, {Receive1K, "1 KB"}, {Receive100K, "100 KB"},
	} {
		b += row(
			s.label, r.both(s.name, perSecond), number(r.timesNaive(s.name)),
			number(r.median(s.name, Inflate, perSecond)), percent(r.ofInflate(s.name)),
			number(r.median(s.name, Frames, perSecond)), r.both(s.name, cpuMicros),
			r.both(s.name, allocs), r.both(s.name, bytesEach), r.both(s.name, rssMiB),
		)
	}
	one := func(m metric) string { return number(r.median(ReceiveNoAck80, Ours, m)) }
	return b + row("80 B, no acks",
		one(perSecond), "", "", "", "", one(cpuMicros), one(allocs), one(bytesEach), one(rssMiB))
}

func (r *Report) sending() string {
	b := "| send 80 B | messages/s | × naive | p50 µs | p99 µs | CPU µs | allocs | bytes |\n|---|" +
		strings.Repeat("---:|", 7) + "\n"
	for _, s := range []struct{ name, label string }{
		{Send1, "1 caller"}, {Send16, "16 callers"}, {Send256, "256 callers"},
	} {
		b += row(s.label, r.both(s.name, perSecond), number(r.timesNaive(s.name)),
			r.both(s.name, p50), r.both(s.name, p99), r.both(s.name, cpuMicros),
			r.both(s.name, allocs), r.both(s.name, bytesEach))
	}
	one := func(m metric) string { return number(r.median(Batch, Ours, m)) }
	return b + row("SendBatch of 10,000", one(perSecond), "", "", "", one(cpuMicros), one(allocs), one(bytesEach))
}

func (r *Report) memory() string {
	b := "| memory | |\n|---|---:|\n"
	b += row("one of 1,000 idle clients, heap and stack KB", r.both(Idle, idleKB))
	b += row("its goroutines", r.both(Idle, goroutines))
	b += row("100,000 pending of 1 KB at connect, heap MiB above idle", number(r.median(Burst, Ours, heapMiB)))
	return b + row("the same, 20 µs of work for each", number(r.median(BurstSlow, Ours, heapMiB)))
}

// both returns a number of ours and of naive.
func (r *Report) both(scenario string, of metric) string {
	return number(r.median(scenario, Ours, of)) + " / " + number(r.median(scenario, Naive, of))
}

func row(cells ...string) string { return report.Row(cells...) }

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }

// number formats about three digits, with commas; zero is a dash.
func number(v float64) string {
	switch {
	case v <= 0:
		return "–"
	case v < 0.1:
		return fmt.Sprintf("%.3f", v)
	case v < 9.95:
		return fmt.Sprintf("%.1f", v)
	case v >= 1000:
		unit := math.Pow(10, math.Floor(math.Log10(v))-2)
		v = math.Round(v/unit) * unit
	}
	return report.Grouped(fmt.Sprintf("%.0f", v))
}

// Block returns the text between the marks of the document: a link to the file of the chart, and the tables.
func (r *Report) Block(chart string) string {
	return fmt.Sprintf("![How fast, relative to naive](%s)\n\n%s", filepath.ToSlash(chart), r.Markdown())
}

// WriteTables writes the newest of some reports into a document, between its marks, and writes its chart.
func WriteTables(document, chart string, paths []string) error {
	r, err := Newest(paths)
	if err != nil {
		return err
	}
	link, err := filepath.Rel(filepath.Dir(document), chart)
	if err != nil {
		return err
	}
	if err := report.Update(document, blockName, r.Block(link)); err != nil {
		return err
	}
	return report.WritePublic(chart, r.Chart())
}
