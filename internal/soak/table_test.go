package soak

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/report"
)

func sample() *Report {
	return &Report{
		Machine: report.Machine{
			Date: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), GoVersion: "go1.26.8",
			OS: "linux", Arch: "amd64", CPUs: 2,
		},
		Seed:     42,
		Messages: 20_000_000, Stored: 4_712_345, Seconds: 4199.6, PeakHeap: 99 << 20,
		Cuts: 25_000, Duplicates: 999, Rejections: 1000, Resends: 12,
		Faults: map[string]uint64{"reset up": 3, "reset down": 2, "never": 0},
	}
}

const sampleTable = `| date | machine | messages received | sent | connections cut | redelivered | rejections | resends | kinds of fault | maximum heap | time | violations | seed |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| 2026-03-03 | go1.26.8, linux/amd64, 2 CPUs, race detector | 20,000,000 | 4,712,345 | 25,000 | 999 | 1,000 | 12 | 2 | 99 MiB | 4200 s | 3 | 42 |
| 2026-03-04 | go1.26.8, linux/amd64, 2 CPUs | 20,000,000 | 4,712,345 | 25,000 | 999 | 1,000 | 12 | 2 | 99 MiB | 4200 s | 0 | 42 |
`

// The faults of the newest report. The older one has others.
const sampleFaults = `
| fault | times | fault | times | fault | times |
|---|---:|---|---:|---|---:|
| never | 0 | new | 1,234 | reset down | 2 |
| reset up | 3 | | | | |
`

func TestWriteTable(t *testing.T) {
	dir := t.TempDir()
	newer, older := sample(), sample()
	newer.Faults["new"] = 1234
	older.Date, older.Race, older.ViolationCount = older.Date.AddDate(0, 0, -1), true, 3
	paths := []string{filepath.Join(dir, "runs", "new.json"), filepath.Join(dir, "runs", "old.json")}
	require.NoError(t, newer.Write(paths[0]))
	require.NoError(t, older.Write(paths[1]))
	document := filepath.Join(dir, "document.md")
	const tableBegin, tableEnd = "<!-- soak:begin, written by make soak-table -->", "<!-- soak:end -->"
	text := "# Title\n\n" + tableBegin + "\nold\n" + tableEnd + "\n\nmore\n"
	require.NoError(t, os.WriteFile(document, []byte(text), 0o600))

	for range 2 { // the second time changes nothing
		require.NoError(t, WriteTable(document, paths))
		got, err := os.ReadFile(document)
		require.NoError(t, err)
		table := strings.Replace(sampleTable, "| 12 | 2 | 99 MiB | 4200 s | 0 |", "| 12 | 3 | 99 MiB | 4200 s | 0 |", 1)
		assert.Equal(t, "# Title\n\n"+tableBegin+"\n"+table+sampleFaults+tableEnd+"\n\nmore\n", string(got))
	}
}

func TestReportSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	want := sample()
	want.ViolationCount, want.Violations = 1, []*Violation{{Name: NotHandled, Detail: "message 3", Seed: 42}}
	require.NoError(t, want.Write(path))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Contains(t, got.String(), "VIOLATION: message not handled: message 3 (seed 42)")
}

// Each renamed fault has a present name, and Read uses that name.
func TestReadRenamesFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	want, older := sample(), sample()
	older.Faults, want.Faults = make(map[string]uint64), make(map[string]uint64)
	for before, now := range renamedFaults {
		assert.Contains(t, allFaults, now)
		assert.NotContains(t, allFaults, before)
		older.Faults[before], want.Faults[now] = uint64(len(before)), uint64(len(before))
	}
	assert.Len(t, want.Faults, len(renamedFaults))
	require.NoError(t, older.Write(path))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestReadRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for _, text := range []string{"", "{}", "[]", `{"messages":1}`, "text"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := Read(path)
		assert.Error(t, err, "%q", text)
	}
	assert.Error(t, WriteTable(path, nil))
	_, err := Read(path + "x")
	assert.Error(t, err)
}

// The document has the reports of this directory and no others.
func TestThePublishedTables(t *testing.T) {
	paths, err := filepath.Glob("reports/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var reports []*Report
	for _, path := range paths {
		rep, err := Read(path)
		require.NoError(t, err)
		reports = append(reports, rep)
	}
	document, err := os.ReadFile("../../docs/reliability.md")
	require.NoError(t, err)
	want, err := report.Replace(string(document), blockName, Tables(reports))
	require.NoError(t, err)
	assert.Equal(t, want, string(document), "make soak-table")
}
