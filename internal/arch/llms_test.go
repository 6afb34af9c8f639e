package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// llmsHead is the beginning of llms.txt.
const llmsHead = `# Blaze SDK for Go

> A client for Blaze, the websocket of Mixin Messenger, for bots written in Go. README.md has a whole bot and its test.

- [Delivery](docs/delivery.md): at least once, restarts, errors
- [Testing](docs/testing.md): a server in memory, scripts, faults
- [Files](docs/files.md), [encryption](docs/encryption.md), [limits](docs/limits.md)

The exported names follow, one line each, with the first sentence of their documentation.
`

// llms.txt is the API for a reader with little space.
func TestLLMsText(t *testing.T) {
	var b strings.Builder
	b.WriteString(llmsHead)
	goldens, err := filepath.Glob(filepath.Join(root, "testdata", "api", "*.txt"))
	require.NoError(t, err)
	for _, golden := range goldens {
		dir := strings.TrimSuffix(filepath.Base(golden), ".txt")
		if dir == "blaze" {
			dir = "."
		}
		writeAPI(t, &b, dir)
	}
	path := filepath.Join(root, "llms.txt")
	if os.Getenv("BLAZE_UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run make api")
	if diff := firstDifference(string(want), b.String()); diff != "" {
		t.Errorf("llms.txt differs from the code, first in %s\nRun make api and commit the file.", diff)
	}
}

// standard are methods of interfaces of the standard library, and Category, which every payload has.
var standard = map[string]bool{
	"Category": true, "Error": true, "Format": true, "GoString": true, "GobEncode": true, "LogValue": true,
	"MarshalJSON": true, "MarshalText": true, "String": true, "UnmarshalJSON": true, "Unwrap": true,
}

// apiWriter writes the exported declarations of a package, one line each.
type apiWriter struct {
	b    *strings.Builder
	fset *token.FileSet
	pkg  *doc.Package
}

func writeAPI(t *testing.T, b *strings.Builder, dir string) {
	t.Helper()
	fset := token.NewFileSet()
	paths, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(fset, files, filepath.ToSlash(filepath.Join("github.com/mixin-blaze/blaze", dir)))
	require.NoError(t, err)
	w := &apiWriter{b, fset, pkg}
	fmt.Fprintf(b, "\n## package %s\n\n", pkg.Name)
	w.values(pkg.Consts, pkg.Vars)
	w.funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		w.line(typ.Decl, typ.Doc)
		w.values(typ.Consts, typ.Vars)
		w.funcs(typ.Funcs, typ.Methods)
	}
}

func (w *apiWriter) values(lists ...[]*doc.Value) {
	for _, list := range lists {
		for _, v := range list {
			fmt.Fprintf(w.b, "- %s %s\n", v.Decl.Tok, strings.Join(v.Names, ", "))
		}
	}
}

func (w *apiWriter) funcs(lists ...[]*doc.Func) {
	for _, list := range lists {
		for _, f := range list {
			if standard[f.Name] {
				continue
			}
			f.Decl.Body = nil
			w.line(f.Decl, f.Doc)
		}
	}
}

var spaces = regexp.MustCompile(`\s*\n\s*|\s+`)

func (w *apiWriter) line(decl ast.Node, text string) {
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
	var code bytes.Buffer
	_ = printer.Fprint(&code, w.fset, decl) // a bytes.Buffer returns no error
	one := strings.NewReplacer(
		"// contains filtered or unexported fields", "", "{\n", "{ ", "\n}", " }", "\n\n", "; ", "\n", "; ",
	).Replace(code.String())
	fmt.Fprintf(w.b, "- `%s`", spaces.ReplaceAllString(one, " "))
	if s := docLink.ReplaceAllString(w.pkg.Synopsis(text), "$1"); s != "" {
		fmt.Fprintf(w.b, ": %s", s)
	}
	w.b.WriteString("\n")
}
