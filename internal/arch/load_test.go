package arch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// write creates a module m with the given files and returns its directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module m\n\ngo 1.25.0\n"
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func TestLoad(t *testing.T) {
	m, err := Load(t.Context(), write(t, map[string]string{
		"a.go":            "package m\n\nimport \"m/internal/x\"\n\nvar a = x.X + b\n",
		"b.go":            "package m\n\nvar b = a2()\n\nfunc a2() int { return 0 }\n",
		"other.go":        "//go:build other\n\npackage m\n\nimport _ \"net\"\n",
		"a_test.go":       "package m\n\nimport _ \"testing\"\n",
		"internal/x/x.go": "package x\n\nimport \"errors\"\n\nvar X = 1\n\nvar E = errors.New(\"\")\n",
	}))
	require.NoError(t, err)
	assert.Equal(t, "m", m.Path)
	imports, err := m.Imports()
	require.NoError(t, err)
	assert.Equal(t, map[string][]string{"m": {"m/internal/x", "net"}, "m/internal/x": {"errors"}}, imports)
	c, err := m.Check("m")
	require.NoError(t, err)
	assert.Equal(t, graph("a.go>b.go"), c.References())
	_, err = m.Check("m/nowhere")
	assert.ErrorContains(t, err, "no package m/nowhere")
}

func TestLoadReportsMistakes(t *testing.T) {
	_, err := Load(t.Context(), write(t, map[string]string{"a.go": "package m\n\nvar a = b\n"}))
	assert.ErrorContains(t, err, "undefined: b")
	_, err = Load(t.Context(), filepath.Join(t.TempDir(), "nowhere"))
	assert.Error(t, err)
}
