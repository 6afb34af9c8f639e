package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// A comment above a transition: "finish: inbox.Box.pop, engine.Engine.settle".
	above = regexp.MustCompile(`(?m)^\t/\* (\w+): \w+\.`)
	// A Go function in any comment.
	function = regexp.MustCompile(`\b(?:inbox|outbox|engine|blaze)(?:\.[A-Za-z]+){1,2}`)
)

func TestEachTransitionNamesItsGoFunctions(t *testing.T) {
	var text strings.Builder
	for _, file := range []string{"delivery.pml", "inbox.pml", "outbox.pml", "server.pml"} {
		part, err := sources.ReadFile(file)
		require.NoError(t, err)
		text.Write(part)
	}
	var commented []string
	for _, m := range above.FindAllStringSubmatch(text.String(), -1) {
		commented = append(commented, m[1])
	}
	all, err := transitions()
	require.NoError(t, err)
	assert.ElementsMatch(t, slices.Collect(maps.Values(all)), commented, "one comment for each T_ in config.pml")
	functions := make(map[string]bool)
	for pkg, dir := range map[string]string{
		"inbox": "../inbox", "outbox": "../outbox", "engine": "../engine", "blaze": "../..",
	} {
		declared(t, functions, pkg, dir)
	}
	for _, name := range function.FindAllString(text.String(), -1) {
		if !strings.HasSuffix(name, ".pml") {
			assert.True(t, functions[name], "the model names %s, which does not exist", name)
		}
	}
}

// declared adds the functions and methods of a package, such as inbox.Box.Offer.
func declared(t *testing.T, all map[string]bool, pkg, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				all[pkg+"."+receiver(f)+f.Name.Name] = true
			}
		}
	}
}

// receiver returns the receiver type of a method, and a dot.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	switch generic := typ.(type) {
	case *ast.IndexExpr:
		typ = generic.X
	case *ast.IndexListExpr:
		typ = generic.X
	}
	return typ.(*ast.Ident).Name + "."
}
