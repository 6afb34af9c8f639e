//go:build unix

package blaze_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Opening a pipe without a writer blocks.
func TestUploadFileOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := prepare(t, nil).UploadFile(t.Context(), path)
	require.ErrorIs(t, err, blaze.ErrInvalid)
}
