package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/report"
)

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "report.json")
	type sample struct {
		report.Machine
		Seed int `json:"seed"`
	}
	began := time.Date(2026, 11, 27, 1, 2, 3, 4, time.FixedZone("", 3600))
	want := sample{report.ThisMachine(began), 7}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"date":"2026-11-27T00:02:03Z"`)
	assert.Contains(t, string(text), `"go_version":"`+runtime.Version()+`"`)
	require.NoError(t, report.Write(path, text))
	var got sample
	require.NoError(t, report.Read(path, &got))
	assert.Equal(t, want, got)

	require.NoError(t, report.Write(path, text[:len(text)-1]))
	require.ErrorContains(t, report.Read(path, &got), path)
	require.ErrorIs(t, report.Read(path+".none", &got), os.ErrNotExist)
	require.Error(t, report.Write(filepath.Join(path, "below a file"), text))
}

func TestBlocks(t *testing.T) {
	const begin, end = "<!-- x:begin, written by make x-table -->", "<!-- x:end -->"
	path := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, report.WritePublic(path, "before\n"+begin+"\nold\n"+end+"\nafter\n"))
	for range 2 {
		require.NoError(t, report.Update(path, "x", "new\n"))
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, "before\n"+begin+"\nnew\n"+end+"\nafter\n", string(text))
	}
	require.ErrorContains(t, report.Update(path, "y", "new\n"), "y:begin")
	require.ErrorIs(t, report.Update(path+".none", "x", ""), os.ErrNotExist)
	for name, document := range map[string]string{
		"nothing": "", "no end": begin, "no begin": end, "the wrong order": end + begin,
		"begin twice": begin + begin + end, "end twice": begin + end + end,
	} {
		_, err := report.Replace(document, "x", "new")
		assert.Error(t, err, name)
	}
}

func TestCells(t *testing.T) {
	assert.Equal(t, "| a | b |\n", report.Row("a", "b"))
	for digits, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "999999": "999,999", "1234567": "1,234,567",
	} {
		assert.Equal(t, want, report.Grouped(digits))
	}
	m := report.Machine{GoVersion: "go1.26.8", OS: "linux", Arch: "amd64", CPUs: 2}
	assert.Equal(t, "go1.26.8, linux/amd64, 2 CPUs", m.String())
}
