package arch

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// known are the packages that the Go code of the documents may use without an import declaration, by name.
var known = map[string]string{
	"blaze": "github.com/mixin-blaze/blaze", "blazetest": "github.com/mixin-blaze/blaze/blazetest",
	"dialog": "github.com/mixin-blaze/blaze/dialog", "ledger": "github.com/mixin-blaze/blaze/ledger",
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "iter": "iter", "os": "os",
	"slog": "log/slog", "strconv": "strconv", "strings": "strings", "sync": "sync",
	"synctest": "testing/synctest", "testing": "testing", "time": "time", "url": "net/url",
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// goFile returns a block of Go code as a whole file. A block without declarations is the body of a handler.
func goFile(block string) string {
	if strings.HasPrefix(block, "package ") {
		return block
	}
	if !regexp.MustCompile(`(?m)^(func|type|var|const) `).MatchString(block) {
		block = "func _(ctx context.Context, c *blaze.Client, m *blaze.Message) error {\n" + block + "return nil\n}\n"
	}
	var b strings.Builder
	b.WriteString("package main\n")
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(block) {
			fmt.Fprintf(&b, "import %q\n", known[name])
		}
	}
	return b.String() + block
}

// The Go code in the documents compiles. The tests of the README and of docs/testing.md pass with the README's bot.
func TestGoInDocuments(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	documents = append(documents, filepath.Join(root, "README.md"))
	module, err := filepath.Abs(root)
	require.NoError(t, err)
	dir := documentsModule(t, module)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(document), ".md")
		for i, block := range goBlock.FindAllStringSubmatch(string(text), -1) {
			pkg := fmt.Sprint(name, i)
			if name == "README" || name == "testing" {
				pkg = "bot"
			}
			file := fmt.Sprint(name, i, ".go")
			if strings.Contains(block[1], "testing.T") {
				file = fmt.Sprint(name, i, "_test.go")
			}
			require.NoError(t, os.MkdirAll(filepath.Join(dir, pkg), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, pkg, file), []byte(goFile(block[1])), 0o600))
		}
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "-count=1", "./bot"}} {
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod")
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// documentsModule returns the directory of a module that uses this one, as that of a bot does.
func documentsModule(t *testing.T, module string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	require.NoError(t, err)
	_, requirements, _ := strings.Cut(string(mod), "\n") // behind the name of the module
	text := fmt.Sprintf("module documents\n%s\nrequire %[2]s v0.0.0\nreplace %[2]s => %[3]s\n",
		requirements, known["blaze"], module)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600))
	sum, err := os.ReadFile(filepath.Join(module, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
	return dir
}

// The Chinese README has the same Go code as the README. Both are short.
func TestTheChineseREADME(t *testing.T) {
	var blocks [2][]string
	for i, document := range []struct {
		name  string
		lines int
	}{{"README.md", 200}, {"README.zh-CN.md", 150}} {
		text, err := os.ReadFile(filepath.Join(root, document.name))
		require.NoError(t, err)
		blocks[i] = goBlock.FindAllString(string(text), -1)
		require.LessOrEqual(t, strings.Count(string(text), "\n"), document.lines, document.name)
	}
	require.NotEmpty(t, blocks[0])
	require.Equal(t, blocks[0], blocks[1])
}
