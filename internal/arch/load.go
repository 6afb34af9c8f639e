package arch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Package is a package in the output of go list.
type Package struct {
	ImportPath     string
	Dir            string
	Export         string // the file with its compiled types
	GoFiles        []string
	IgnoredGoFiles []string // files excluded by build constraints, tests included
	DepOnly        bool     // it is a dependency, not a package of the module
}

// Module has the packages of a module and all their dependencies.
type Module struct {
	Path     string
	packages map[string]Package
}

// Load lists the packages of the module in the directory root and compiles the changed ones.
func Load(ctx context.Context, root string) (*Module, error) {
	path, err := goTool(ctx, root, "list", "-m")
	if err != nil {
		return nil, err
	}
	list, err := goTool(ctx, root, "list", "-export", "-deps",
		"-json=ImportPath,Dir,Export,GoFiles,IgnoredGoFiles,DepOnly", "./...")
	if err != nil {
		return nil, err
	}
	m := &Module{Path: strings.TrimSpace(string(path)), packages: make(map[string]Package)}
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return m, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode the output of go list: %w", err)
		}
		m.packages[p.ImportPath] = p
	}
}

// goTool runs the go command in the directory dir, outside any workspace, and returns its standard output.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // G204: the arguments are constants of this package
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return out, nil
}

// Imports returns the imports of each package of the module. It reads all files but tests, whatever their build
// constraints, to include imports on other platforms.
func (m *Module) Imports() (map[string][]string, error) {
	imports := make(map[string][]string)
	for path, p := range m.packages {
		if p.DepOnly {
			continue
		}
		files, err := parse(token.NewFileSet(), p.Dir, slices.Concat(p.GoFiles, p.IgnoredGoFiles), parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		imports[path] = importsOf(files)
	}
	return imports, nil
}

func importsOf(files []*ast.File) []string {
	var imports []string
	for _, f := range files {
		for _, spec := range f.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				imports = append(imports, path)
			}
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports)
}

// Check parses and type-checks one package of the module, without its tests. The types of its imports come from
// compiled packages.
func (m *Module) Check(path string) (*Checked, error) {
	p, ok := m.packages[path]
	if !ok {
		return nil, fmt.Errorf("the module has no package %s", path)
	}
	fset := token.NewFileSet()
	files, err := parse(fset, p.Dir, p.GoFiles, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return check(fset, path, files, importer.ForCompiler(fset, "gc", m.export))
}

// export opens the compiled types of a package.
func (m *Module) export(path string) (io.ReadCloser, error) {
	p, ok := m.packages[path]
	if !ok || p.Export == "" {
		return nil, fmt.Errorf("go list gave no export data for %s", path)
	}
	return os.Open(p.Export)
}

// parse reads the named Go files of a directory and skips tests.
func parse(fset *token.FileSet, dir string, names []string, mode parser.Mode) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || !strings.HasSuffix(name, ".go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, mode)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// check type-checks parsed files.
func check(fset *token.FileSet, path string, files []*ast.File, imports types.Importer) (*Checked, error) {
	c := &Checked{fset: fset, files: files, info: types.Info{Uses: make(map[*ast.Ident]types.Object)}}
	var err error
	c.pkg, err = (&types.Config{Importer: imports}).Check(path, fset, files, &c.info)
	if err != nil {
		return nil, fmt.Errorf("type-check %s: %w", path, err)
	}
	return c, nil
}
