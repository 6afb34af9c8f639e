package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// book has every payment once, in a file with one JSON object a line. A bot with more than a few thousand payments uses
// a database, with the snapshot's id as a unique key.
type book struct {
	path string
	mu   sync.Mutex
}

// add books a payment, unless the file has it. When add returns, the payment is on the disk.
func (b *book) add(p payment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.read()
	if err != nil {
		return err
	}
	for _, booked := range all {
		if booked.SnapshotID == p.SnapshotID {
			return nil
		}
	}
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	// A crash may leave a part of a line. It then ends here, and read skips it.
	_, err = file.Write(append(append([]byte("\n"), line...), '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}

// of returns the payments of a user.
func (b *book) of(user string) (paid []payment, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.read()
	for _, p := range all {
		if p.OpponentID == user {
			paid = append(paid, p)
		}
	}
	return paid, err
}

func (b *book) read() (all []payment, err error) {
	file, err := os.Open(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var p payment
		if json.Unmarshal(lines.Bytes(), &p) == nil {
			all = append(all, p)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", b.path, err)
	}
	return all, nil
}
