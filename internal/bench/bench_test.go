package bench

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/report"
)

// Runs every contender in every scenario, in this process and with few messages, to check that each works with the
// server.
func TestEveryContenderInEveryScenario(t *testing.T) {
	scripts := make(map[string]Script)
	rows := plan(0.002)
	for _, row := range rows {
		for _, c := range row {
			scripts[c.name()] = c.script
		}
	}
	s, err := Serve(scripts)
	require.NoError(t, err)
	defer s.Close()
	for _, row := range rows {
		for _, c := range row {
			t.Run(c.name(), func(t *testing.T) {
				task := c.task
				task.Address, task.Roots = s.Addresses[c.name()], s.Roots
				r, err := task.Run(t.Context())
				require.NoError(t, err)
				assert.Equal(t, task.Scenario, r.Scenario)
				assert.Equal(t, task.Contender, r.Contender)
				if task.Scenario == Idle {
					assert.Positive(t, r.IdleKB)
					return
				}
				assert.Positive(t, r.Messages)
				assert.Positive(t, r.PerSecond)
				assert.Positive(t, r.Allocs)
			})
		}
	}
}

// sample returns the report of a run of two rounds. In the first round, counted from 0, ours is four times as fast as
// naive, in the second five times. All values are multiples that can be checked by mental arithmetic.
func sample() *Report {
	r := &Report{
		Machine: report.Machine{
			Date: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), GoVersion: "go1.26.8",
			OS: "linux", Arch: "amd64", CPUs: 2,
		},
		CPU: "Fast", Rounds: 2, Scale: 1,
	}
	for round := range 2 {
		for _, s := range scenarios() {
			for _, c := range s.contests {
				times := map[string]float64{Ours: float64(4 + round), Naive: 1, Inflate: 5, Frames: 100}[c.contender]
				machine := float64(1000 * (1 + round)) // the machine of the second round is twice as fast
				r.Results = append(r.Results, Result{
					Round: round, Scenario: s.name, Contender: c.contender,
					PerSecond: times * machine, CPUMicros: 8 / times, Allocs: 7, Bytes: 1000,
					P50Micros: 10 / times, P99Micros: 400 / times / times, IdleKB: 40, Goroutines: 3, HeapMiB: 95,
				})
			}
		}
	}
	return r
}

func TestRatiosAreThoseWithinARound(t *testing.T) {
	r := sample()
	assert.InDelta(t, 4.5, r.timesNaive(Receive80), 1e-9)
	assert.InDelta(t, 0.9, r.ofInflate(Receive1K), 1e-9)
	assert.InDelta(t, 1, r.withAcks(), 1e-9)
	assert.InDelta(t, 1, r.timesSingle(), 1e-9)
	assert.InDelta(t, (1./16+1./25)/2, r.latency(), 1e-9)
	assert.InDelta(t, 7000, r.median(Send1, Ours, perSecond), 1e-9, "of 4,000 and 10,000")
	assert.Zero(t, r.median("nothing", Ours, perSecond))
	assert.Zero(t, r.ratio(key{"nothing", Ours}, key{Idle, Ours}, perSecond))
	assert.InDelta(t, 2, middle([]float64{9, 1, 2}), 0)
	assert.InDelta(t, 3, middle([]float64{9, 1, 2, 4}), 0)
}

func TestMarkdown(t *testing.T) {
	text := sample().Markdown()
	for _, want := range []string{
		"2026-03-04, go1.26.8, linux/amd64, 2 CPUs (Fast): `make bench ROUNDS=2 SCALE=1`. Medians of 2 rounds;",
		"| 80 B | 7,000 / 1,500 | 4.5 | 7,500 | 90 % | 150,000 | 1.8 / 8.0 | 7.0 / 7.0 | 1,000 / 1,000 | – / – |\n",
		"| 256 callers | 7,000 / 1,500 | 4.5 |",
		"| one of 1,000 idle clients, heap and stack KB | 40 / 40 |\n",
		"| receive 80 B, 1 KB, 100 KB: at least 4, 4, 3.5 × naive | 4.5, 4.5, 4.5 | ✓ |\n",
		"| send, 1, 16, 256 callers: at least 3, 12, 25 × naive | 4.5, 4.5, 4.5 | no |\n",
		"| p99 of 256 callers: at most a tenth of naive's | 5 % | ✓ |\n",
		"| SendBatch: at least 3 × 256 callers | 1.0 | no |\n",
		"| 100,000 pending, without and with work: at most 96 MiB above idle | 95, 95 | ✓ |\n",
	} {
		assert.Contains(t, text, want)
	}
	for table := range strings.SplitSeq(text, "\n\n") {
		columns := 0
		for line := range strings.Lines(table) {
			if strings.HasPrefix(line, "|") {
				n := strings.Count(line, "|")
				assert.True(t, columns == 0 || columns == n, line)
				columns = n
			}
		}
	}
	details := sample().Details()
	assert.Contains(t, details, "| receive/80 | ours | 7,000 | 4.5 | 0.9 |")
	assert.Equal(t, 26, strings.Count(details, "\n"))
}

// A goal without a measurement is not met.
func TestNothingMeasuredMeetsNoGoal(t *testing.T) {
	assert.NotContains(t, (&Report{Rounds: 1}).goals(), "✓")
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "–", -1: "–", 0.012: "0.012", 0.25: "0.2", 4.44: "4.4", 9.96: "10",
		99.5: "100", 999: "999", 1234: "1,230", 99_999: "100,000", 3_040_000: "3,040,000",
	} {
		assert.Equal(t, want, number(v))
	}
}

func TestChart(t *testing.T) {
	chart := sample().Chart()
	d := xml.NewDecoder(strings.NewReader(chart))
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	assert.Equal(t, 1+3*3+3*2, bars, "the background, three sizes, three numbers of callers")
	assert.Contains(t, chart, "blaze 4.5 × (7,000/s)")
}

func TestReportSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs", "run.json")
	want := sample()
	require.NoError(t, want.Write(path))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	part := sample()
	part.Results = part.Results[1:]
	require.NoError(t, part.Write(path))
	_, err = Read(path)
	require.ErrorContains(t, err, "not the report of a whole run")
	for _, text := range []string{"", "{}", "[]", "text"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Read(path)
		assert.Error(t, err, "%q", text)
	}
	_, err = Newest(nil)
	assert.Error(t, err)
}

func TestWriteTables(t *testing.T) {
	dir := t.TempDir()
	older := sample()
	older.Date = older.Date.AddDate(0, 0, -1)
	older.Rounds = 1
	paths := []string{filepath.Join(dir, "new.json"), filepath.Join(dir, "old.json")}
	require.NoError(t, sample().Write(paths[0]))
	require.NoError(t, older.Write(paths[1]))
	const tableBegin, tableEnd = "<!-- bench:begin, written by make bench-table -->", "<!-- bench:end -->"
	document, chart := filepath.Join(dir, "document.md"), filepath.Join(dir, "chart.svg")
	require.NoError(t, os.WriteFile(document, []byte("# Title\n"+tableBegin+"\nold\n"+tableEnd+"\nmore\n"), 0o600))
	for range 2 { // the second time changes nothing
		require.NoError(t, WriteTables(document, chart, paths))
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		assert.Equal(t, "# Title\n"+tableBegin+"\n"+sample().Block("chart.svg")+tableEnd+"\nmore\n", string(text))
		text, err = os.ReadFile(chart)
		require.NoError(t, err)
		assert.Equal(t, sample().Chart(), string(text))
	}
}

// The document and its chart show the newest report in the repository.
func TestThePublishedTables(t *testing.T) {
	paths, err := filepath.Glob("reports/*.json")
	require.NoError(t, err)
	r, err := Newest(paths)
	require.NoError(t, err)
	document, err := os.ReadFile("../../docs/performance.md")
	require.NoError(t, err)
	want, err := report.Replace(string(document), blockName, r.Block("../internal/bench/chart.svg"))
	require.NoError(t, err)
	assert.Equal(t, want, string(document), "make bench-table")
	chart, err := os.ReadFile("chart.svg")
	require.NoError(t, err)
	assert.Equal(t, r.Chart(), string(chart), "make bench-table")
}

// The messages have the requested size, and ids that contain their number.
func TestMessages(t *testing.T) {
	m := newMaker(1)
	for i := range 100 {
		id := m.messageID(i)
		n, ok := messageNumber([]byte(id))
		assert.True(t, ok)
		assert.Equal(t, i, n, id)
		assert.Len(t, m.text(i), i)
	}
	_, ok := messageNumber([]byte("no id"))
	assert.False(t, ok)
	assert.Equal(t, fmt.Sprint(newMaker(2).text(100)), fmt.Sprint(newMaker(2).text(100)))
}
