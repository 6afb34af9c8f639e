package arch

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake type-checks a package with two or more files, given by name and text.
func fake(t *testing.T, texts map[string]string) (*Checked, error) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for name, text := range texts {
		f, err := parser.ParseFile(fset, "some/dir/"+name, "package fake\n"+text, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	return check(fset, "fake", files, importer.Default())
}

func TestReferences(t *testing.T) {
	for _, test := range []struct {
		name, a, b string
		want       Graph
	}{
		{"nothing", "var x int", "var y int", graph("")},
		{"own names", "var x int; var z = x", "var y int", graph("")},
		{"local names", "func f(x int) int { return x }", "func g(x int) int { return x }", graph("")},
		{"a variable", "var x = y", "var y int", graph("a.go>b.go")},
		{"a type", "type X struct{ y Y }", "type Y int", graph("a.go>b.go")},
		{"both ways", "type X struct{ y *Y }", "type Y struct{ x *X }", graph("a.go>b.go b.go>a.go")},
		{
			"a method in another file", "type X int; func f(x X) { x.m() }", "func (x X) m() {}",
			graph("a.go>b.go b.go>a.go"),
		},
		{
			"a field", "func f() int { return y().n }",
			"type Y struct{ n int }; func y() Y { return Y{} }", graph("a.go>b.go"),
		},
		{"a field of a generic type", "var x = y.n", "type Y[T any] struct{ n T }; var y Y[int]", graph("a.go>b.go")},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := fake(t, map[string]string{"a.go": test.a, "b.go": test.b})
			require.NoError(t, err)
			assert.Equal(t, []string{"a.go", "b.go"}, c.Files())
			assert.Equal(t, test.want, c.References())
		})
	}
}

// Only the members make this edge: a.go uses no package-level name of b.go.
func TestMembersAreReferences(t *testing.T) {
	c, err := fake(t, map[string]string{
		"a.go": "func f() { x.m() }",
		"b.go": "func (X) m() {}",
		"c.go": "type X int; var x X",
	})
	require.NoError(t, err)
	assert.Equal(t, graph("a.go>b.go a.go>c.go b.go>c.go"), c.References())
}

func TestStruct(t *testing.T) {
	c, err := fake(t, map[string]string{
		"a.go": "type X struct{ a, b int; Y }; func (X) n() {}; func (*X) m() {}; func f() {}",
		"b.go": "type Y struct{ c int }; func (Y) o() {}; func (*X) k() {}; type Z int",
	})
	require.NoError(t, err)
	s, err := c.Struct("X")
	require.NoError(t, err)
	assert.Equal(t, Struct{
		Fields:      []string{"a", "b", "Y"},
		Methods:     []string{"k", "m", "n"},
		MethodFiles: []string{"a.go", "b.go"},
	}, s)
	for _, name := range []string{"f", "Z", "Nothing"} {
		_, err = c.Struct(name)
		assert.Error(t, err, name)
	}
}

func TestCheckReportsMistakes(t *testing.T) {
	_, err := fake(t, map[string]string{"a.go": "var x = y"})
	assert.ErrorContains(t, err, "type-check fake")
}
