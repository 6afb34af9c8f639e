//go:build unix

package blaze_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Opening a pipe without a writer blocks. This one has a writer, so that a broken UploadFile ends.
func TestUploadFileOfAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { _ = writer.Close() }()
	_, err = writer.Write(make([]byte, 1000))
	require.NoError(t, err)
	_, err = prepare(t, nil).UploadFile(t.Context(), path)
	var invalid *blaze.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "path", invalid.Field)
}
