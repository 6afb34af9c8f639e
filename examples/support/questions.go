package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// questions has who wrote the messages in the staff group, in a file with a line for each: the id of the message and
// that of the person. The file grows by 75 bytes a message. A busy bot uses a database.
type questions struct {
	path string
	mu   sync.Mutex
}

// add notes a message. When it returns, the note is on the disk. A second note of a message does no harm.
func (q *questions) add(message, person string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	file, err := os.OpenFile(q.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	// A crash may leave a part of a line. It then ends here.
	_, err = fmt.Fprintf(file, "\n%s %s\n", message, person)
	return errors.Join(err, file.Sync(), file.Close())
}

// by returns the person who wrote a message, or "".
func (q *questions) by(message string) (person string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	data, err := os.ReadFile(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for line := range bytes.Lines(data) {
		if id, who, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok && id == message {
			person = who
		}
	}
	return person, err
}
