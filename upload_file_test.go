package blaze_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestUploadFile(t *testing.T) {
	var archive bytes.Buffer
	require.NoError(t, zip.NewWriter(&archive).Close())
	dir := t.TempDir()
	for name, want := range map[string]struct {
		content []byte
		types   []string // the second, where the system does not know the extension
	}{
		"Bericht 1.pdf": {[]byte("%PDF-1.7\n"), []string{"application/pdf"}},
		"style.css":     {[]byte("a{}"), []string{"text/css; charset=utf-8"}},
		"picture.html":  {[]byte("\x89PNG\x0D\x0A\x1A\x0A"), []string{"image/png"}},
		"table.xlsx": {archive.Bytes(), []string{
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/zip",
		}},
		"README":    {[]byte("hello"), []string{"text/plain; charset=utf-8"}},
		"x.nobody":  {[]byte{1, 2, 3}, []string{"application/octet-stream"}},
		"empty.txt": {nil, []string{"text/plain; charset=utf-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, want.content, 0o600))
			synctest.Test(t, func(t *testing.T) {
				s, c := begin(t, nil, nil)
				d, err := c.UploadFile(t.Context(), path)
				require.NoError(t, err)
				assert.Equal(t, name, d.Name)
				assert.EqualValues(t, len(want.content), d.Size)
				assert.Contains(t, want.types, d.MimeType)
				stored, ok := s.File(d.ID)
				assert.True(t, ok)
				assert.Equal(t, string(want.content), string(stored))
			})
		})
	}
}

func TestUploadFileThatIsNone(t *testing.T) {
	c := prepare(t, nil).Client
	_, err := c.UploadFile(t.Context(), filepath.Join(t.TempDir(), "missing"))
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	require.ErrorIs(t, err, fs.ErrNotExist)

	_, err = c.UploadFile(t.Context(), t.TempDir())
	var invalid *blaze.InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Equal(t, "path", invalid.Field)
}
