package arch

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tables of docs/troubleshooting.md have every log message and every exported error of the library once, and no
// others.
func TestTroubleshootingIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "troubleshooting.md"))
	require.NoError(t, err)
	listed := make(map[string]int)
	for _, name := range FirstColumn(string(text)) {
		listed[name]++
	}
	blaze, ledger := checkPackage(t, "."), checkPackage(t, "ledger")
	want := slices.Concat(blaze.LogMessages("blaze: "), ledger.LogMessages("ledger: "), blaze.Errors())
	for _, name := range ledger.Errors() {
		want = append(want, "ledger."+name)
	}
	require.Contains(t, want, "blaze: disconnected")
	require.Contains(t, want, "CodeForbidden")
	for _, name := range want {
		assert.Equal(t, 1, listed[name], "rows of docs/troubleshooting.md for %q", name)
		delete(listed, name)
	}
	for name := range listed {
		if strings.HasPrefix(name, "blaze: ") || strings.Contains(name, "Err") || strings.HasPrefix(name, "Code") {
			t.Errorf("docs/troubleshooting.md explains %q, which the library does not have", name)
		}
	}
}

func TestTroubles(t *testing.T) {
	const code = `package p

import (
	"errors"
	"fmt"
)

var ErrOne = errors.New("p: one")

var errTwo = fmt.Errorf("p: two: %w", ErrOne)

type Code int

const CodeFive Code = 5

func (Code) Error() string { return log("text", "p: logged") }

type Wrapped struct{}

func (*Wrapped) Error() string { return "p: wrapped" }

type Wrapper interface{ error }

var NoError = log("p: at first", "else")

var Func func() error

func log(texts ...string) string { return texts[0] }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", code, parser.SkipObjectResolution)
	require.NoError(t, err)
	m, err := load()
	require.NoError(t, err)
	c, err := check(fset, "p", []*ast.File{f}, importer.ForCompiler(fset, "gc", m.export))
	require.NoError(t, err)
	assert.Equal(t, []string{"p: at first", "p: logged"}, c.LogMessages("p: "))
	assert.Equal(t, []string{"Code", "CodeFive", "ErrOne", "Wrapped"}, c.Errors())
}

func TestFirstColumn(t *testing.T) {
	const document = "text `a`\n\n| `head` | x |\n|---|---|\n| `b c`, `d` | `e` |\n| none | `f` |\nno | `g` | table |\n"
	assert.Equal(t, []string{"head", "b c", "d"}, FirstColumn(document))
}
