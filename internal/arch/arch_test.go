package arch

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bounds of package blaze. Lower them when the code allows it; do not raise them.
const (
	maxCycle        = 8  // files in the largest cycle of references
	maxMutualPairs  = 5  // pairs of files that refer to each other
	maxClientFields = 10 // fields of the struct Client
)

// root is the directory of the module.
const root = "../.."

// layers is the order of the library's packages, as in ARCHITECTURE.md.
var layers = Rules{
	Rows: [][]string{
		{"blazetest", "dialog", "ledger"},
		{"."},
		{"internal/engine"},
		{
			"internal/link", "internal/outbox", "internal/inbox", "internal/auth", "internal/rest", "internal/seal",
			"internal/picture", "internal/serve",
		},
		{"internal/exif", "internal/header", "internal/wire", "internal/backoff", "internal/bounds", "internal/recent"},
		{
			"internal/address", "internal/fifo", "internal/guard", "internal/lenient", "internal/memnet",
			"internal/proxy", "internal/spool", "internal/words",
		},
		{"internal/tame"},
	},
	// The engine moves messages. The root package logs, encrypts, decodes payloads and uses the HTTP API.
	Forbidden: map[string][]string{
		"internal/engine": {"internal/rest", "internal/seal", "log/slog"},
	},
	Tools: []string{
		"examples",
		"internal/arch",
		"internal/bench",
		"internal/faultproxy",
		"internal/faults",
		"internal/gauge",
		"internal/hostile",
		"internal/leak",
		"internal/model",
		"internal/mutants",
		"internal/peers",
		"internal/report",
		"internal/soak",
		"internal/testkit",
		"internal/wspeer",
	},
}

// load lists the module once for all tests.
var load = sync.OnceValues(func() (*Module, error) {
	m, err := Load(context.Background(), root)
	if err != nil {
		return nil, err
	}
	return m, readTree()
})

// readTree lists the directories of the module. The go command runs a cached test again if a file or directory that the
// test itself opened has changed, but it does not track the reads of commands that the test starts.
func readTree() error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") {
			return fs.SkipDir
		}
		return err
	})
}

func TestFilesOfBlaze(t *testing.T) {
	c := checkBlaze(t)
	g := c.References()
	cycle, pairs := g.LargestCycle(), g.Mutual()
	t.Logf("%d of the %d files form the largest cycle: %s", len(cycle), len(c.Files()), strings.Join(cycle, " "))
	t.Logf("%d pairs of files refer to each other:", len(pairs))
	for _, p := range pairs {
		t.Logf("  %s and %s", p[0], p[1])
	}
	if len(cycle) > maxCycle {
		t.Errorf("%d files form a cycle, more than %d: move a declaration so that files depend one way",
			len(cycle), maxCycle)
	}
	if len(pairs) > maxMutualPairs {
		t.Errorf("%d pairs of files refer to each other, more than %d: move a declaration so that they depend one way",
			len(pairs), maxMutualPairs)
	}
}

func TestSizeOfClient(t *testing.T) {
	s, err := checkBlaze(t).Struct("Client")
	require.NoError(t, err)
	t.Logf("Client has %d fields: %s", len(s.Fields), strings.Join(s.Fields, " "))
	t.Logf("Client has %d methods: %s", len(s.Methods), strings.Join(s.Methods, " "))
	t.Logf("they are in %d files: %s", len(s.MethodFiles), strings.Join(s.MethodFiles, " "))
	if len(s.Fields) > maxClientFields {
		t.Errorf("Client has %d fields, more than %d: give a part of its state a type of its own",
			len(s.Fields), maxClientFields)
	}
}

func TestImportsGoDownwards(t *testing.T) {
	m, err := load()
	require.NoError(t, err)
	imports, err := m.Imports()
	require.NoError(t, err)
	require.Contains(t, imports, m.Path)
	t.Logf("%d packages", len(imports))
	for _, violation := range layers.Check(m.Path, imports) {
		t.Error(violation)
	}
}

func checkBlaze(t *testing.T) *Checked {
	t.Helper()
	m, err := load()
	require.NoError(t, err)
	c, err := m.Check(m.Path)
	require.NoError(t, err)
	return c
}
