// Package mutants holds builds of the library that are broken on purpose: each is one substitution in one file, made with
// go test -overlay, so that no hook for them stands in the code itself. A suite that lets one of them pass proves less than it
// says. cmd/mutants runs them.
package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Mutant is one broken build.
type Mutant struct {
	Name string // what is wrong with it
	File string // from the root of the module
	Old  string // what is replaced; it occurs in File exactly once
	New  string
	By   Test // what must notice
}

// Test is a test that must fail in a broken build, and pass in the real one.
type Test struct {
	Package string // from the root of the module
	Run     string // a regular expression, as go test -run takes it
	Tags    string
	Timeout time.Duration // several times what it takes: a broken build may never end
}

func (t Test) String() string { return t.Run }

// The short soak, in both forms.
var (
	soak  = Test{Package: "./internal/soak", Run: "^TestSoak$", Tags: "soak", Timeout: 3 * time.Minute}
	plain = Test{Package: "./internal/soak", Run: "^TestSoakWithoutPluralActions$", Tags: "soak", Timeout: time.Minute}
)

// fault is the test of one row of the fault suite.
func fault(row int) Test {
	return Test{Package: "./internal/faults", Run: fmt.Sprintf("^TestFault%02d", row), Timeout: time.Minute}
}

// unit is a test of the package blaze.
func unit(name string) Test {
	return Test{Package: ".", Run: "^" + name + "$", Timeout: time.Minute}
}

// Apply returns the text of the mutant's file with the substitution made. root is the directory of the module.
func (m Mutant) Apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File))) //nolint:gosec // G304: a file of this module, named in the list
	if err != nil {
		return nil, fmt.Errorf("mutant %q: %w", m.Name, err)
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return nil, fmt.Errorf("mutant %q: what it replaces occurs %d times in %s, not once: change the mutant with the code", m.Name, n, m.File)
	}
	return []byte(strings.Replace(string(text), m.Old, m.New, 1)), nil
}
