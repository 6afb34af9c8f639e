package faults_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is an entry of the list in doc.go.
type entry struct {
	row   int
	tests []string // such as "TestFault01ConnectionRefused" or "blaze.TestSendRejected"
}

var (
	entryHead = regexp.MustCompile(`^\t ?(\d+)  \S`)
	testName  = regexp.MustCompile(`(?:[a-z]+\.)?Test\w+`)
	ownName   = regexp.MustCompile(`^TestFault(\d\d)[A-Z]`)
)

// isLocal reports whether a test of the list is in this package.
func isLocal(test string) bool { return !strings.Contains(test, ".") }

// readList reads the list in doc.go.
func readList() ([]entry, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for line := range strings.Lines(f.Doc.Text()) {
		if m := entryHead.FindStringSubmatch(line); m != nil {
			row, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, fmt.Errorf("an entry of the list: %w", err)
			}
			entries = append(entries, entry{row: row})
		}
		if strings.HasPrefix(line, "\t") && len(entries) > 0 {
			last := &entries[len(entries)-1]
			last.tests = append(last.tests, testName.FindAllString(line, -1)...)
		}
	}
	return entries, nil
}

// testsIn returns the names of the tests in a directory, whatever their build constraints.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var tests []string
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		path := filepath.Join(dir, file.Name())
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				tests = append(tests, fn.Name.Name)
			}
		}
	}
	return tests
}

// Every entry of the list has a number of its own and names its tests. The tests exist, and every TestFaultNN is listed
// in entry NN.
func TestTheListNamesItsTests(t *testing.T) {
	entries, err := readList()
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	var rows []int
	var own []string
	tests := map[string][]string{".": testsIn(t, ".")}
	for _, e := range entries {
		rows = append(rows, e.row)
		assert.NotEmpty(t, e.tests, "entry %d names no test", e.row)
		for _, test := range e.tests {
			dir, name := ".", test
			if isLocal(test) {
				assert.Regexp(t, fmt.Sprintf("^TestFault%02d", e.row), test)
				own = append(own, test)
			} else {
				dir, name, _ = strings.Cut(test, ".")
				if dir == "blaze" {
					dir = ".."
				}
				dir = filepath.Join("..", dir)
			}
			if tests[dir] == nil {
				tests[dir] = testsIn(t, dir)
			}
			assert.True(t, slices.Contains(tests[dir], name), "entry %d: there is no test %s", e.row, test)
		}
	}
	slices.Sort(rows)
	for i, row := range rows {
		require.Equal(t, i+1, row, "the numbers of the entries")
	}
	for _, test := range tests["."] {
		if ownName.MatchString(test) {
			assert.True(t, slices.Contains(own, test), "no entry names %s", test)
		}
	}
}
