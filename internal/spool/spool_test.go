package spool_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/spool"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// names returns the names in a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 1000, 100_000} {
		dir := t.TempDir()
		s := spool.New(dir, 100)
		want := noise(n)
		for b := want; len(b) > 0; {
			k, err := s.Write(b[:min(len(b), 33)])
			require.NoError(t, err)
			b = b[k:]
		}
		if runtime.GOOS != "windows" {
			assert.Empty(t, names(t, dir), "the file has no name")
		}
		require.NoError(t, iotest.TestReader(io.MultiReader(s), want))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		assert.Empty(t, names(t, dir))
	}
}

func TestOnlyWhatDoesNotFitIsInAFile(t *testing.T) {
	s := spool.New(t.TempDir(), 10)
	_, err := s.Write(noise(10))
	require.NoError(t, err)
	require.Nil(t, s.File())
	_, err = s.Write(noise(1))
	require.NoError(t, err)
	info, err := s.File().Stat()
	require.NoError(t, err)
	assert.EqualValues(t, 11, info.Size())
	if runtime.GOOS != "windows" {
		assert.Equal(t, fs.FileMode(0o600), info.Mode(), "nobody else reads it")
	}
	require.NoError(t, s.Close())
}

func TestNothingToWriteTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	s := spool.New(dir, 10)
	_, err := s.Write(noise(11))
	var failed *spool.Error
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, dir, failed.Dir)
	assert.ErrorContains(t, err, dir)
	require.NoError(t, s.Close())

	err = spool.Replace(filepath.Join(dir, "file"), func(io.Writer) error { return nil })
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, dir, failed.Dir)
}

// A full device is an error that names the directory.
func TestFull(t *testing.T) {
	name := filepath.Join(t.TempDir(), "full") // a link, so that the Spool removes the link and not the device
	if os.Symlink("/dev/full", name) != nil {
		t.Skip("no symbolic links here")
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Skip("no device that is always full")
	}
	s := spool.New("/the/directory", 10)
	s.On(f)
	_, err = s.Write(noise(11))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "/the/directory")
	require.NoError(t, s.Close())
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, content := range []string{"first", "", "second"} {
		err := spool.Replace(path, func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return err
		})
		require.NoError(t, err)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, content, string(got))
		info, err := os.Stat(path)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode())
		}
	}
	for _, content := range []string{"", "a part"} {
		err := spool.Replace(path, func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			require.NoError(t, err)
			return assert.AnError
		})
		require.ErrorIs(t, err, assert.AnError)
		require.False(t, errors.As(err, new(*spool.Error)))
	}
	assert.Equal(t, []string{"file"}, names(t, dir))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal([]byte("second"), got), "it stays as it was")

	for _, path := range []string{dir, os.DevNull} {
		if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() {
			continue // the device does not exist
		}
		err = spool.Replace(path, func(io.Writer) error { assert.Fail(t, "it is written"); return assert.AnError })
		require.ErrorContains(t, err, "not a regular file")
	}
}

// The target of a symbolic link is unchanged.
func TestReplaceOfALink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, []byte("x"), 0o600))
	if os.Symlink(target, path) != nil {
		t.Skip("no symbolic links here")
	}
	require.NoError(t, spool.Replace(path, func(w io.Writer) error { _, err := w.Write([]byte("new")); return err }))
	got, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
}
