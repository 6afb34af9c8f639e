package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRulesFindViolations(t *testing.T) {
	rules := Rules{
		Rows:      [][]string{{"."}, {"internal/top"}, {"internal/left", "internal/right"}, {"internal/low"}},
		Forbidden: map[string][]string{"internal/top": {"log", "internal/low"}},
		Tools:     []string{"internal/tool"},
	}
	for _, test := range []struct{ name, path, text, want string }{
		{"downwards", "m", `import "m/internal/left"; import "m/internal/low"; import "log"`, ""},
		{"over a row", "m/internal/left", `import "m/internal/low"`, ""},
		{"another module", "m/internal/low", `import "mm"; import "other/m/internal/top"`, ""},
		{"a tool", "m/internal/tool", `import "m"; import "m/internal/top"`, ""},
		{"below a tool", "m/internal/tool/cmd/x", `import "m/internal/tool"`, ""},
		{
			"upwards", "m/internal/low", `import "m/internal/left"`,
			"internal/low imports internal/left, which is not in a",
		},
		{
			"sideways", "m/internal/left", `import "m/internal/right"`,
			"internal/left imports internal/right, which is not in",
		},
		{"the root", "m/internal/top", `import . "m"`, "internal/top imports ., which is not in a lower row"},
		{"forbidden", "m/internal/top", `import _ "log"`, "internal/top imports log, which the rules forbid"},
		{"forbidden below", "m/internal/top", `import "m/internal/low"`, "internal/top imports internal/low, which"},
		{"to a tool", "m", `import "m/internal/tool/sub"`, "imports the tool internal/tool/sub: move"},
		{"missing", "m/internal/new", "", "internal/new is in no layer: add it to the row"},
		{"missing, of a similar name", "m/internal/tools", "", "internal/tools is in no layer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+test.text, parser.ImportsOnly)
			require.NoError(t, err)
			found := rules.Check("m", map[string][]string{test.path: importsOf([]*ast.File{f})})
			if test.want == "" {
				assert.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			assert.Contains(t, found[0], test.want)
		})
	}
}

// A package that is missing from the table is reported once, as the package, not again as an import.
func TestRulesReportMissingPackageOnce(t *testing.T) {
	found := Rules{Rows: [][]string{{"."}}}.Check("m", map[string][]string{"m": {"m/new"}, "m/new": {"fmt"}})
	require.Len(t, found, 1)
	assert.Contains(t, found[0], "new is in no layer")
}
