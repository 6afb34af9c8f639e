package blazetest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

const openAPIFile = "../docs/blazetest.openapi.json"

// The documentation has an example of each request.
func TestThePageOfTheControlInterface(t *testing.T) {
	page, err := os.ReadFile("../docs/blazetest-http.md")
	require.NoError(t, err)
	file, err := os.ReadFile(openAPIFile)
	require.NoError(t, err)
	for operation := range operations(t, string(file)) {
		_, path, _ := strings.Cut(operation, " /blazetest")
		shown := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, `\w+`)
		require.Regexp(t, "(\\$B|`/blazetest)"+shown+"[\\s;`]", string(page), path)
	}
}

// operations returns the requests in an OpenAPI document.
func operations(t *testing.T, document string) map[string]bool {
	t.Helper()
	var d struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal([]byte(document), &d))
	all := map[string]bool{}
	for path, methods := range d.Paths {
		for method := range methods {
			all[method+" "+path] = true
		}
	}
	return all
}

// The file is written by make api.
func TestTheOpenAPIFile(t *testing.T) {
	served := request(t, blazetest.NewServer(), http.MethodGet, "/blazetest/openapi.json", "").Body.Bytes()
	var want bytes.Buffer
	require.NoError(t, json.Indent(&want, served, "", "  "))
	want.WriteByte('\n')
	if os.Getenv("BLAZE_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(openAPIFile, want.Bytes(), 0o600))
	}
	got, err := os.ReadFile(openAPIFile)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got), "run make api")

	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID, Summary string
			Parameters           []struct{ In, Name, Description string }
		}
		Components struct{ Schemas map[string]any }
	}
	require.NoError(t, json.Unmarshal(got, &d))
	require.Equal(t, "3.1.0", d.OpenAPI)
	for _, m := range regexp.MustCompile(`"\$ref": "#/components/schemas/(\w+)"`).FindAllSubmatch(got, -1) {
		require.Contains(t, d.Components.Schemas, string(m[1]))
	}
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			require.False(t, ids[op.OperationID], op.OperationID)
			ids[op.OperationID] = true
			require.NotEmpty(t, op.Summary, "%s %s", method, path)
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				require.Len(t, op.Parameters, 1)
				require.Equal(t, m[1], op.Parameters[0].Name)
				require.NotEmpty(t, op.Parameters[0].Description)
			}
		}
	}
	require.Len(t, ids, len(operations(t, string(got))))
}
