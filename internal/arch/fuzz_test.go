package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// leastFuzzTargets is the minimum number: one for each kind of bytes that a server, a user, a storage host or a file
// may control.
const leastFuzzTargets = 16

// Each fuzz target has a corpus for go test to replay, and each corpus belongs to a target. Otherwise renaming a target
// would leave files that nothing reads.
func TestFuzzTargetsHaveCorpora(t *testing.T) {
	var targets, corpora []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin"):
			return fs.SkipDir
		case d.IsDir() && filepath.Base(filepath.Dir(path)) == "fuzz":
			files, err := os.ReadDir(path)
			require.NotEmpty(t, files, path)
			corpora = append(corpora, path)
			return err
		case strings.HasSuffix(path, "_test.go"):
			names, err := fuzzTargets(path)
			targets = append(targets, names...)
			return err
		}
		return nil
	})
	require.NoError(t, err)
	slices.Sort(targets)
	slices.Sort(corpora)
	require.Equal(t, targets, corpora)
	require.GreaterOrEqual(t, len(targets), leastFuzzTargets)
}

// fuzzTargets returns the directories of the corpora for the fuzz targets in a file.
func fuzzTargets(path string) (corpora []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
			corpora = append(corpora, filepath.Join(filepath.Dir(path), "testdata", "fuzz", f.Name.Name))
		}
	}
	return corpora, nil
}
