package blaze_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// A keystore on a read-only mount cannot be given another mode, so there is no warning. The kernel's mount table lists
// the read-only mounts.
func TestReadOnlyMounts(t *testing.T) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	readOnly := map[string]bool{} // by mount point
	for line := range strings.Lines(string(table)) {
		mount, super, ok := strings.Cut(line, " - ")
		at, sb := strings.Fields(mount), strings.Fields(super)
		require.True(t, ok && len(at) >= 6 && len(sb) >= 3, line)
		for below := range readOnly {
			if below == at[4] || strings.HasPrefix(below, strings.TrimSuffix(at[4], "/")+"/") {
				delete(readOnly, below) // hidden by this mount
			}
		}
		readOnly[at[4]] = slices.Contains(strings.Split(at[5], ","), "ro") ||
			slices.Contains(strings.Split(sb[2], ","), "ro")
	}
	for path, want := range readOnly {
		if _, err := os.Stat(path); err == nil {
			assert.Equal(t, want, blaze.ReadOnly(path), path)
		}
	}
	assert.False(t, blaze.ReadOnly(t.TempDir()))
	assert.False(t, blaze.ReadOnly("/no/such/file"))
}
