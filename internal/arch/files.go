package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
)

// Checked is a type-checked package.
type Checked struct {
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	info  types.Info
}

// Files returns the base names of the package's files, sorted.
func (c *Checked) Files() []string {
	var names []string
	for _, f := range c.files {
		names = append(names, c.file(f.Pos()))
	}
	slices.Sort(names)
	return names
}

// References returns the graph of the package's files: a file refers to another one if it uses an object, a method or a
// struct field declared there.
func (c *Checked) References() Graph {
	g := make(Graph)
	for id, o := range c.info.Uses {
		// Local names are used only in their own file, so they add no edge.
		if o.Pkg() == c.pkg && o.Pos().IsValid() {
			g.Add(c.file(id.Pos()), c.file(o.Pos()))
		}
	}
	return g
}

// file returns the base name of the file of a position.
func (c *Checked) file(pos token.Pos) string {
	return filepath.Base(c.fset.Position(pos).Filename)
}

// Struct is the size of one struct type.
type Struct struct {
	Fields      []string // in the order of their declaration
	Methods     []string // sorted
	MethodFiles []string // the files that declare the methods, sorted
}

// Struct measures a struct type of the package, which is not an alias.
func (c *Checked) Struct(name string) (Struct, error) {
	named, ok := c.named(name)
	if !ok {
		return Struct{}, fmt.Errorf("%s declares no type %s", c.pkg.Path(), name)
	}
	fields, ok := named.Underlying().(*types.Struct)
	if !ok {
		return Struct{}, fmt.Errorf("%s.%s is not a struct", c.pkg.Path(), name)
	}
	var s Struct
	for f := range fields.Fields() {
		s.Fields = append(s.Fields, f.Name())
	}
	for m := range named.Methods() {
		s.Methods = append(s.Methods, m.Name())
		s.MethodFiles = append(s.MethodFiles, c.file(m.Pos()))
	}
	slices.Sort(s.Methods)
	slices.Sort(s.MethodFiles)
	s.MethodFiles = slices.Compact(s.MethodFiles)
	return s, nil
}

func (c *Checked) named(name string) (*types.Named, bool) {
	o := c.pkg.Scope().Lookup(name)
	if o == nil {
		return nil, false
	}
	named, ok := o.Type().(*types.Named)
	return named, ok
}
