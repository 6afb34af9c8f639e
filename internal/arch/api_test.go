package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A change of the public API is visible in the diff of the golden files. They contain the output of go doc -all.
func TestPublicAPI(t *testing.T) {
	require.NoError(t, readTree())
	for pattern, name := range map[string]string{
		".": "blaze.txt", "./blazetest": "blazetest.txt", "./dialog": "dialog.txt", "./ledger": "ledger.txt",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := goTool(t.Context(), root, "doc", "-all", pattern)
			require.NoError(t, err)
			want, err := os.ReadFile(filepath.Join(root, "testdata", "api", name))
			require.NoError(t, err, "run make api")
			if diff := firstDifference(string(want), string(got)); diff != "" {
				t.Errorf("the public API differs from testdata/api/%s, first in %s\nIf that is intended, run make "+
					"api and commit the file.", name, diff)
			}
		})
	}
}

// firstDifference describes the first line that differs in two texts. It returns an empty string if there is none.
func firstDifference(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			return fmt.Sprintf("line %d:\n  file: (end)\n  code: %s", i+1, g[i])
		case i >= len(g):
			return fmt.Sprintf("line %d:\n  file: %s\n  code: (end)", i+1, w[i])
		case withoutLinks(w[i]) != withoutLinks(g[i]):
			return fmt.Sprintf("line %d:\n  file: %s\n  code: %s", i+1, w[i], g[i])
		}
	}
	return ""
}

var docLink = regexp.MustCompile(`\[([A-Z][\w.]*)\]`)

// withoutLinks removes the brackets of doc links from the text of a comment, which go doc indents by four spaces. Go
// 1.25 prints the brackets of a link to a field; Go 1.26 omits them.
func withoutLinks(line string) string {
	if !strings.HasPrefix(line, "    ") {
		return line
	}
	return docLink.ReplaceAllString(line, "$1")
}

func TestFirstDifference(t *testing.T) {
	for _, test := range []struct{ name, want, got, diff string }{
		{"same", "a\nb\n", "a\nb\n", ""},
		{"changed", "a\nb\nc\n", "a\nB\nC\n", "line 2:\n  file: b\n  code: B"},
		{"added at the end", "a\n", "a\nb\n", "line 2:\n  file: \n  code: b"},
		{"only in the code", "a", "a\nb", "line 2:\n  file: (end)\n  code: b"},
		{"only in the file", "a\nb", "a", "line 2:\n  file: b\n  code: (end)"},
		{"a doc link", "    see X.Y: text", "    see [X.Y]: text", ""},
		{"a type parameter", "func On[T any](x X)", "func On[T any](x [X])", "line 1:\n  file: func On[T any](x X)\n" +
			"  code: func On[T any](x [X])"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.diff, firstDifference(test.want, test.got))
		})
	}
}
