package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/bounds"
)

// limitName matches the names that constants with limits have by convention.
var limitName = regexp.MustCompile(
	`^([mM]ax|[mM]ost|[lL]east|default|few|spare)[A-Z]|(Len|Bytes|Timeout|Window|Frames|After|Wait|Every|Posts)$`)

// noLimits has constants with such a name that docs/limits.md does not list, with the reasons.
var noLimits = map[string]string{
	"blaze.CodeBlazeTimeout":       "an error code",
	"blaze.envelopeBytes":          "the JSON around the messages of a frame, which batchBytes bounds",
	"blaze.failuresEvery":          "an interval of log records, like thinEvery",
	"internal/engine.runWait":      "after it a request that waits for Run is reported",
	"internal/inbox.fewHeads":      "a step of the search for conversations that give way",
	"internal/inbox.spareLanes":    "empty ones that are used again",
	"internal/link.aheadBytes":     "the size of a read buffer",
	"internal/link.lifeBytes":      "how much of a frame counts as a sign of life",
	"internal/link.helperBytes":    "from this size on a helper decodes",
	"internal/outbox.splitAfter":   "silent attempts until a plural request is split",
	"internal/outbox.suspectAfter": "lost connections until a request is written alone",
	"internal/picture.pieceBytes":  "how much a decoder gets at once",
	"internal/rest.leastWait":      "silence after which the next host is tried",
	"internal/rest.sourceBytes":    "the size of a read buffer",
	"internal/wire.maxDepth":       "from this depth on encoding/json checks what the scanner skips",
	"internal/wire.maxSeconds":     "the range of time.Duration",
	"internal/wire.mostStored":     "the format of gzip",
}

// listedTwice has constants that are the limits of two rows, with the reasons.
var listedTwice = map[string]string{
	"blaze.maxButtons": "bounds groups that are sent, and lists that are received",
}

// Each row of docs/limits.md agrees with the code: the names exist, constants have the documented value, and the tests
// exist.
func TestLimitsAreDocumented(t *testing.T) {
	limits := readLimits(t)
	tests := testNames(t)
	for _, fault := range Repeated(limits, listedTwice) {
		t.Error("docs/limits.md: " + fault)
	}
	listed := make(map[string]bool)
	for _, l := range limits {
		for _, name := range l.Names {
			listed[name] = true
			checkLimit(t, l, name)
		}
		for _, test := range l.Tests {
			assert.True(t, tests[test], "%s: there is no test %s", l.What, test)
		}
	}
	for name, why := range noLimits {
		assert.False(t, listed[name], "%s is documented: remove it from noLimits", name)
		assert.NotEmpty(t, why, name)
	}
	for _, name := range constantsOfLibrary(t) {
		_, excepted := noLimits[name]
		if limitName.MatchString(name[strings.LastIndex(name, ".")+1:]) && !listed[name] && !excepted {
			t.Errorf("docs/limits.md does not list %s", name)
		}
	}
}

func readLimits(t *testing.T) []Limit {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "docs", "limits.md"))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	limits, err := ReadLimits(f)
	require.NoError(t, err)
	require.NotEmpty(t, limits)
	return limits
}

// checkLimit compares the value of a limit with its constant.
func checkLimit(t *testing.T, l Limit, name string) {
	t.Helper()
	dir, constant := splitName(name)
	want, err := Amount(l.Value)
	if !assert.NoError(t, err, l.What) {
		return
	}
	if dir == "internal/bounds" {
		field := reflect.ValueOf(bounds.Default()).FieldByName(constant)
		if assert.True(t, field.IsValid(), "%s: there is no %s", l.What, name) {
			assert.Equal(t, time.Duration(want), field.Interface(), "%s: %s", l.What, name)
		}
		return
	}
	c := checkPackage(t, dir)
	if got, ok := c.Constant(constant); ok {
		assert.Equal(t, want, got, "%s: %s", l.What, name)
		return
	}
	assert.True(t, c.Declares(constant), "%s: there is no %s", l.What, name)
}

// splitName splits the name of a constant in docs/limits.md into the directory of its package and its own name.
func splitName(name string) (dir, constant string) {
	dot := strings.LastIndex(name, ".")
	dir, constant = name[:max(dot, 0)], name[dot+1:]
	if dir == "blaze" {
		dir = "."
	}
	return dir, constant
}

var checked = make(map[string]*Checked)

func checkPackage(t *testing.T, dir string) *Checked {
	t.Helper()
	if c, ok := checked[dir]; ok {
		return c
	}
	m, err := load()
	require.NoError(t, err)
	path := m.Path
	if dir != "." {
		path += "/" + dir
	}
	c, err := m.Check(path)
	require.NoError(t, err)
	checked[dir] = c
	return c
}

// constantsOfLibrary returns the constants of the packages that a bot is linked with.
func constantsOfLibrary(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, row := range layers.Rows {
		for _, dir := range row {
			if dir == "blazetest" || dir == "internal/serve" { // the server, not the client
				continue
			}
			for _, constant := range checkPackage(t, dir).Constants() {
				names = append(names, strings.Replace(dir, ".", "blaze", 1)+"."+constant)
			}
		}
	}
	slices.Sort(names)
	return names
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)

// testNames returns the names of all tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunction.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	return names
}

func TestAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"8 MiB": 8_388_608, "1,024 receipts": 1024, "16": 16, "5 min, then": 300_000_000_000, "200 ms": 200_000_000,
		"512 bytes": 512, "1 TiB": 1_099_511_627_776, "1 h": 3_600_000_000_000, "256 kinds": 256,
	} {
		got, err := Amount(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "none", "9,223,372,036,854,775,807 KiB", "99,999,999,999,999,999,999"} {
		_, err := Amount(text)
		assert.Error(t, err, text)
	}
}

func TestReadLimits(t *testing.T) {
	const table = "text\n\n| what | limit | set by | in the code | proven by |\n|---|---|---|---|---|\n"
	limits, err := ReadLimits(strings.NewReader(table + "| a thing | 1 | – | `x.y`, `blaze.z` | `TestA` |\n"))
	require.NoError(t, err)
	assert.Equal(t,
		[]Limit{{What: "a thing", Value: "1", Names: []string{"x.y", "blaze.z"}, Tests: []string{"TestA"}}}, limits)
	for _, row := range []string{
		"| a | 1 | – | `x.y` |", "| a | 1 | – | x.y | `TestA` |", "| a | 1 | – | `x.y` | none |",
	} {
		_, err := ReadLimits(strings.NewReader(table + row))
		assert.Error(t, err, row)
	}
}

func TestRepeated(t *testing.T) {
	limits := []Limit{
		{What: "a", Names: []string{"x.one", "x.two"}},
		{What: "b", Names: []string{"x.three"}},
		{What: "c", Names: []string{"x.two"}},
		{What: "b", Names: []string{"x.four"}},
	}
	assert.Equal(t, []string{`2 rows list x.two, want 1`, `2 rows are described as "b"`}, Repeated(limits, nil))
	two := map[string]string{"x.two": "why"}
	assert.Equal(t, []string{`2 rows are described as "b"`}, Repeated(limits, two))
	assert.Equal(t, []string{`1 rows list x.two, want 2`}, Repeated(limits[:2], two))
	three := slices.Concat(limits[:3], []Limit{{What: "d", Names: []string{"x.two"}}})
	assert.Equal(t, []string{`3 rows list x.two, want 2`}, Repeated(three, two))
	assert.Equal(t, []string{`0 rows list x.five, want 2`}, Repeated(limits[:1], map[string]string{"x.five": "why"}))
}
