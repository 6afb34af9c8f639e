package mutants

import (
	"go/format"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mutant whose code has changed is noticed here, not only when all of them are run.
func TestEachReplacesOnePlace(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range All {
		t.Run(m.Name, func(t *testing.T) {
			assert.False(t, seen[m.Name], "two have this name")
			seen[m.Name] = true
			text, err := m.Apply("../..")
			require.NoError(t, err)
			_, err = format.Source(text)
			require.NoError(t, err)
			assert.NotEqual(t, m.Old, m.New)
			_, err = regexp.Compile(m.By.Run)
			assert.NoError(t, err)
		})
	}
	assert.GreaterOrEqual(t, len(All), 11)
}

func TestApplyWantsExactlyOnePlace(t *testing.T) {
	for _, old := range []string{"this is nowhere", "err"} {
		m := Mutant{Name: "x", File: "internal/mutants/mutants.go", Old: old}
		_, err := m.Apply("../..")
		assert.ErrorContains(t, err, "not once", old)
	}
	_, err := Mutant{File: "nowhere.go"}.Apply("../..")
	assert.Error(t, err)
}
