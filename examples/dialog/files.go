package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mixin-blaze/blaze/dialog"
)

// files is a dialog.Store with one file for each form. A file that was not changed for nine days may be deleted.
type files struct{ dir string }

// Load returns the state in the file of a form, or the zero State.
func (f files) Load(_ context.Context, key string) (s dialog.State, err error) {
	data, err := os.ReadFile(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// Save replaces the file of a form. A crash of the bot leaves either the old file or the new one.
func (f files) Save(_ context.Context, key string, s dialog.State) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	next := f.path(key) + ".new" // a key is saved by one goroutine at a time
	if err := write(next, data); err != nil {
		return err
	}
	return os.Rename(next, f.path(key))
}

// path returns the file of a form. A key is a UUID.
func (f files) path(key string) string { return filepath.Join(f.dir, key+".json") }

// write writes a file and waits until it is on the disk.
func write(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the key is a UUID
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
