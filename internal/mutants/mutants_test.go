package mutants

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mutant that does not fit the code any more fails here, before anyone runs all mutants.
func TestEachMutantAppliesToTheCode(t *testing.T) {
	markers, err := scan("../..")
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, m := range All {
		t.Run(m.Name, func(t *testing.T) {
			assert.False(t, seen[m.Name], "two have this name")
			seen[m.Name] = true
			path, text, err := m.applyTo("../..", markers)
			require.NoError(t, err)
			_, err = format.Source(text)
			require.NoError(t, err)
			sound, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.NotEqual(t, string(sound), string(text))
			_, err = regexp.Compile(m.By.Run)
			assert.NoError(t, err)
		})
	}
	assert.GreaterOrEqual(t, len(All), 80)
}

func TestEachMarkerHasAMutant(t *testing.T) {
	markers, err := scan("../..")
	require.NoError(t, err)
	for _, err := range unused(markers, All) {
		t.Error(err)
	}
}

// code has a marker above each kind of code.
const code = `package p

// f is documented.
//
//mutant:func
func f() int { return 1 }

var (
	//mutant:spec
	a = 1
	//mutant:elements
	b = []int{
		1,
		//mutant:element
		f(),
		3,
	}
	c = map[string]int{
		//mutant:pair
		"x": 1, "y": 2,
	}
)

func g(x int, ch chan int) int {
	//mutant:if
	if x > 0 {
		//mutant:upper
		//mutant:lower
		x++ // counts
	}
	switch {
	//mutant:case
	case x == 1:
		x = 2
	//mutant:next
	case x == 3:
		//mutant:inside
		x = 4
	}
	select {
	//mutant:comm
	case <-ch:
		return 5
	default:
	}
	//mutant:return
	return x +
		x
}
`

// module writes files into a directory and returns its path.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

func TestApplyChangesTheCodeBelowTheMarker(t *testing.T) {
	root := module(t, map[string]string{"go.mod": "module p\n", "in/p.go": code})
	for _, tt := range []struct {
		what     string
		m        Mutant
		from, to string // the change to the file
	}{
		{"function", Mutant{Marker: "func", New: "func f() int { return 2 }"}, "{ return 1 }", "{ return 2 }"},
		{"specification", Mutant{Marker: "spec", New: "a = 2"}, "a = 1", "a = 2"},
		{"specification over several lines", Mutant{Marker: "elements", Old: "3", New: "4"}, "3,\n", "4,\n"},
		{"element", Mutant{Marker: "element", New: "2 * {{.}}"}, "\tf(),", "\t2 * f(),"},
		{"deleted element", Mutant{Marker: "element"}, "\tf(),", "\t"},
		{"the first of two elements", Mutant{Marker: "pair", Old: "1", New: "3"}, `"x": 1`, `"x": 3`},
		{"deleted pair", Mutant{Marker: "pair"}, `"x": 1,`, ""},
		{"statement with a body", Mutant{Marker: "if", Old: "> 0", New: "> 1"}, "x > 0", "x > 1"},
		{"stacked markers", Mutant{Marker: "upper", New: "x--"}, "x++", "x--"},
		{"deleted statement", Mutant{Marker: "lower"}, "x++ //", " //"},
		{"something before", Mutant{Marker: "lower", New: "f()\n{{.}}"}, "x++", "f()\nx++"},
		{"something before and after", Mutant{Marker: "lower", New: "f()\n{{.}}\n{{.}}"}, "x++", "f()\nx++\nx++"},
		{"case with its body", Mutant{Marker: "case"}, "case x == 1:\n\t\tx = 2", ""},
		{"part of a case", Mutant{Marker: "next", Old: "x == 3", New: "{{.}} || x == 6"}, "x == 3", "x == 3 || x == 6"},
		{"statement in a case", Mutant{Marker: "inside"}, "x = 4", ""},
		{"case of a select", Mutant{Marker: "comm", Old: "return 5", New: ""}, "return 5", ""},
		{"statement over two lines", Mutant{Marker: "return", New: "return 0"}, "return x +\n\t\tx", "return 0"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(code, tt.from))
			path, text, err := tt.m.Apply(root)
			require.NoError(t, err)
			assert.Equal(t, filepath.Join(root, "in", "p.go"), path)
			assert.Equal(t, strings.Replace(code, tt.from, tt.to, 1), string(text))
		})
	}
}

func TestApplyErrors(t *testing.T) {
	const f = "package p\n\nfunc f() {\n"
	for _, tt := range []struct {
		what, text, old, want string
	}{
		{
			"no marker", f + "}\n", "",
			`mutant "a bug" has no marker: write //mutant:x above the code to change, or delete the mutant`,
		},
		{
			"twice", f + "\t//mutant:x\n\tf()\n\t//mutant:x\n\tf()\n}\n", "",
			"p.go:4: //mutant:x is also at p.go:6: rename one of them, and give it a mutant, or delete it",
		},
		{
			"not in the code", f + "\t//mutant:x\n\tf()\n\tg()\n}\n", "g",
			`p.go:4: "g" of mutant "a bug" occurs 0 times in the code below //mutant:x, not once: adapt`,
		},
		{
			"not unique in the code", f + "\t//mutant:x\n\tf(f())\n}\n", "f",
			`p.go:4: "f" of mutant "a bug" occurs 2 times in the code below //mutant:x, not once`,
		},
		{
			"above an empty line", f + "\t//mutant:x\n\n\tf()\n}\n", "",
			"p.go:4: no statement, case, declaration or element of a literal begins below //mutant:x: move it",
		},
		{"above a comment", f + "\t//mutant:x\n\t// Why.\n\tf()\n}\n", "", "p.go:4: no statement"},
		{"above a brace", f + "\tf()\n\t//mutant:x\n}\n", "", "p.go:5: no statement"},
		{"above an argument", f + "\tf(\n\t\t//mutant:x\n\t\t1)\n}\n", "", "p.go:5: no statement"},
		{
			"behind code", f + "\tf() //mutant:x\n\tf()\n}\n", "",
			`p.go:4: "//mutant:x": write a marker on a line of its own`,
		},
		{
			"malformed", f + "\t//mutant:x because\n\tf()\n}\n", "",
			`p.go:4: "//mutant:x because": write a marker on a line of its own, its name in lower-case letters`,
		},
		{"not Go", "package //mutant:x", "", "expected"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			root := module(t, map[string]string{"p.go": tt.text})
			_, _, err := Mutant{Name: "a bug", Marker: "x", Old: tt.old}.Apply(root)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	_, _, err := Mutant{Name: "x"}.Apply(filepath.Join(t.TempDir(), "nowhere"))
	assert.Error(t, err)
}

func TestUnusedNamesMarkersWithoutAMutant(t *testing.T) {
	files := map[string]string{"p.go": "package p\n\n//mutant:x\n//mutant:y\nvar a int\n"}
	markers, err := scan(module(t, files))
	require.NoError(t, err)
	errs := unused(markers, []Mutant{{Marker: "y"}})
	require.Len(t, errs, 1)
	assert.EqualError(t, errs[0], "p.go:3: //mutant:x has no mutant: add one to list.go, or delete the marker")
}

func TestScanReadsTheModuleOnly(t *testing.T) {
	files := map[string]string{"go.mod": "module p\n", "other/go.mod": "module q\n"}
	for _, name := range []string{
		"a.go", "in/side/b.go", "a_test.go", "other/c.go", "other/in/d.go", "testdata/e.go", "in/testdata/f.go",
		"_g/g.go", ".h/h.go", "text.txt",
	} {
		files[name] = "package p\n\n//mutant:x\nvar a int\n"
	}
	files["string.go"] = "package p\n\nvar a = `\n//mutant:x\n`\n"
	markers, err := scan(module(t, files))
	require.NoError(t, err)
	found := make(map[string]bool)
	for _, mk := range markers {
		found[mk.String()] = true
	}
	assert.Equal(t, map[string]bool{"a.go:3": true, "in/side/b.go:3": true}, found)
}
