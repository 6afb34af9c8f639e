package mutants

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// prefix begins a marker: like a directive, without a space, so that gofmt and go doc treat it as one.
const prefix = "//mutant:"

var wellFormed = regexp.MustCompile("^" + prefix + "[a-z0-9-]+$")

// source is a file with markers.
type source struct {
	path string // relative to the root of the module, with slashes
	text []byte
	file *token.File
	tree *ast.File
}

func (s *source) offset(p token.Pos) int { return s.file.Offset(p) }

// marker is a marker in the code.
type marker struct {
	name string
	in   *source
	line int // line of the marker
	code int // line of the code below it
}

func (mk marker) String() string { return fmt.Sprintf("%s:%d", mk.in.path, mk.line) }

// scan returns the markers in the Go files of the module at root. It skips tests, testdata and nested modules.
func scan(root string) ([]marker, error) {
	var markers []marker
	dir := os.DirFS(root)
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(dir, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil || !bytes.Contains(text, []byte(prefix)) {
			return err
		}
		found, err := scanFile(name, text)
		markers = append(markers, found...)
		return err
	})
	return markers, err
}

// skipped reports whether a directory is not part of the module.
func skipped(dir fs.FS, name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := fs.Stat(dir, path.Join(name, "go.mod"))
	return err == nil
}

// scanFile returns the markers of one file, in order.
func scanFile(name string, text []byte) ([]marker, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{path: name, text: text, file: fset.File(tree.FileStart), tree: tree}
	var markers []marker
	for _, group := range tree.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, prefix) {
				continue
			}
			line := s.file.Line(c.Pos())
			if !wellFormed.MatchString(c.Text) || !s.first(c.Pos()) {
				return nil, fmt.Errorf("%s:%d: %q: write a marker on a line of its own, "+
					"its name in lower-case letters, digits and hyphens", name, line, c.Text)
			}
			markers = append(markers, marker{name: c.Text[len(prefix):], in: s, line: line, code: line + 1})
		}
	}
	// A marker above another one belongs to the same code.
	for i := len(markers) - 2; i >= 0; i-- {
		if markers[i].code == markers[i+1].line {
			markers[i].code = markers[i+1].code
		}
	}
	return markers, nil
}

// first reports whether p is the first in its line.
func (s *source) first(p token.Pos) bool {
	before := s.text[s.offset(s.file.LineStart(s.file.Line(p))):s.offset(p)]
	return len(bytes.TrimSpace(before)) == 0
}

// node returns the outermost node of the marked code, or nil if no node begins in the line below the marker.
func (mk marker) node() ast.Node {
	var found ast.Node
	var elements []ast.Expr
	ast.Inspect(mk.in.tree, func(n ast.Node) bool {
		if n == nil || found != nil {
			return false
		}
		begins := mk.in.file.Line(n.Pos()) == mk.code && mk.in.first(n.Pos())
		switch n := n.(type) {
		case ast.Stmt, ast.Decl, ast.Spec:
			if begins {
				found = n
			}
		case ast.Expr:
			if begins && slices.Contains(elements, n) {
				found = n
			}
			if literal, ok := n.(*ast.CompositeLit); ok {
				elements = append(elements, literal.Elts...)
			}
		}
		return found == nil
	})
	return found
}
