// Package mutants has mutations of the library, to test its tests: a suite that passes with one of them misses a bug.
// Each mutant changes one piece of code, below a marker in the code, and is built with go test -overlay. cmd/mutants
// runs them.
//
// A marker is a comment on a line of its own, directly above a statement, a case, a declaration or an element of a
// composite literal:
//
//	//mutant:retry-after
//	d += answer.RetryAfter
//
// A name consists of lower-case letters, digits and hyphens, and occurs once in the module. Several mutants may share a
// marker, and several markers may belong to the same code. A marker moves with its code, also to another file.
package mutants

import (
	"bytes"
	"fmt"
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Mutant is one mutation.
type Mutant struct {
	Name   string // the bug
	Marker string // the name in the marker above the code
	Old    string // the part of that code to replace, which occurs in it exactly once; empty: all of it
	New    string // the replacement, with {{.}} for the replaced text; empty: the text is deleted
	By     Test   // must fail
}

// Test is a test that must fail with a mutant, and pass without it.
type Test struct {
	Package string // relative to the root of the module
	Run     string // a regular expression for go test -run
	Tags    string
	Timeout time.Duration // several times the normal duration, because a mutant may hang
}

func (t Test) String() string { return t.Run }

// The short soak, in both forms.
var (
	soak = Test{Package: "./internal/soak", Run: "^TestSoak$", Tags: "soak", Timeout: 3 * time.Minute}
)

// fault returns the test of one row of the fault suite.
func fault(row int) Test {
	return Test{Package: "./internal/faults", Run: fmt.Sprintf("^TestFault%02d", row), Timeout: time.Minute}
}

// unit returns a test of the package blaze.
func unit(name string) Test {
	return Test{Package: ".", Run: "^" + name + "$", Timeout: time.Minute}
}

// in returns a test of the internal package with that name.
func in(name, test string) Test {
	return Test{Package: "./internal/" + name, Run: "^" + test + "$", Timeout: time.Minute}
}

// Apply returns the path of the file with the mutant's marker, and its text with the change. root is the directory of
// the module; the path begins with it.
func (m Mutant) Apply(root string) (path string, text []byte, err error) {
	markers, err := scan(root)
	if err != nil {
		return "", nil, err
	}
	return m.applyTo(root, markers)
}

// applyTo is like Apply, with the markers of the module given.
func (m Mutant) applyTo(root string, markers []marker) (path string, text []byte, err error) {
	mk, err := m.marker(markers)
	if err != nil {
		return "", nil, err
	}
	if text, err = m.change(mk); err != nil {
		return "", nil, err
	}
	return filepath.Join(root, filepath.FromSlash(mk.in.path)), text, nil
}

// marker returns the marker of m.
func (m Mutant) marker(markers []marker) (marker, error) {
	var found []marker
	for _, mk := range markers {
		if mk.name == m.Marker {
			found = append(found, mk)
		}
	}
	switch len(found) {
	case 0:
		return marker{}, fmt.Errorf("mutant %q has no marker: write %s%s above the code to change, "+
			"or delete the mutant", m.Name, prefix, m.Marker)
	case 1:
		return found[0], nil
	}
	return marker{}, fmt.Errorf("%v: %s%s is also at %v: rename one of them, and give it a mutant, or delete it",
		found[0], prefix, m.Marker, found[1])
}

// change returns the text of the marker's file with the mutation.
func (m Mutant) change(mk marker) ([]byte, error) {
	from, to, err := m.span(mk)
	if err != nil {
		return nil, err
	}
	text := mk.in.text
	replacement := strings.ReplaceAll(m.New, "{{.}}", string(text[from:to]))
	return slices.Concat(text[:from], []byte(replacement), text[to:]), nil
}

// span returns the range of the text to replace.
func (m Mutant) span(mk marker) (from, to int, err error) {
	node := mk.node()
	if node == nil {
		return 0, 0, fmt.Errorf("%v: no statement, case, declaration or element of a literal begins below %s%s: "+
			"move it directly above one", mk, prefix, mk.name)
	}
	from, to = mk.in.offset(node.Pos()), mk.in.offset(node.End())
	code, rest := mk.in.text[from:to], mk.in.text[to:]
	if m.Old != "" {
		if n := bytes.Count(code, []byte(m.Old)); n != 1 {
			return 0, 0, fmt.Errorf("%v: %q of mutant %q occurs %d times in the code below %s%s, not once: "+
				"adapt the mutant's Old to the code", mk, m.Old, m.Name, n, prefix, mk.name)
		}
		from += bytes.Index(code, []byte(m.Old))
		return from, from + len(m.Old), nil
	}
	if _, element := node.(ast.Expr); element && m.New == "" && bytes.HasPrefix(rest, []byte(",")) {
		to++ // the comma of a deleted element
	}
	return from, to, nil
}

// unused returns an error for each marker without a mutant.
func unused(markers []marker, list []Mutant) (errs []error) {
	for _, mk := range markers {
		if !slices.ContainsFunc(list, func(m Mutant) bool { return m.Marker == mk.name }) {
			errs = append(errs, fmt.Errorf("%v: %s%s has no mutant: add one to list.go, or delete the marker",
				mk, prefix, mk.name))
		}
	}
	return errs
}
