package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/mixin-blaze/blaze"
)

// chunkLen is the number of messages between two notes in the file. A chunk that is interrupted is sent again, with the
// same ids.
const chunkLen = 1000

// broadcast sends a payload to many people.
type broadcast struct {
	Client   *blaze.Client
	Name     string // part of the ids of the messages
	Users    []string
	Payload  blaze.Payload
	File     string         // has the progress; it belongs to Name and Users
	Progress func(done int) // called at the beginning and after each chunk
}

// progress is a line of the file: how many people were written to so far, and who of the last chunk was not reached.
type progress struct {
	Done   int               `json:"done"`
	Failed map[string]string `json:"failed,omitempty"` // from the user's id to the reason
}

// Run sends to everyone who is not in the file yet. It returns who was not reached, in all runs, and why. An error
// means that Run has to be called again: ctx ended, or messages of a chunk were not confirmed.
func (b *broadcast) Run(ctx context.Context) (failed map[string]string, err error) {
	done, failed, err := b.read()
	if err != nil {
		return nil, err
	}
	b.Progress(done)
	for users := range slices.Chunk(b.Users[min(done, len(b.Users)):], chunkLen) {
		reasons, err := b.send(ctx, users)
		if err != nil {
			return failed, fmt.Errorf("after %d of %d people: %w", done, len(b.Users), err)
		}
		done += len(users)
		maps.Copy(failed, reasons)
		if err := b.note(progress{done, reasons}); err != nil {
			return failed, err
		}
		b.Progress(done)
	}
	return failed, nil
}

// send sends to a chunk of people. It returns who cannot be reached, or an error if another attempt is worth it.
func (b *broadcast) send(ctx context.Context, users []string) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	outs := make([]blaze.Outgoing, len(users))
	for i, user := range users {
		outs[i] = b.Client.ToUser(user, b.Payload)
		outs[i].MessageID = blaze.DeriveID(b.Client.AppID(), b.Name, user)
	}
	_, err := b.Client.SendBatch(ctx, outs...)
	var batch *blaze.BatchError
	if !errors.As(err, &batch) {
		return nil, err
	}
	failed := make(map[string]string)
	for i, err := range batch.Errs {
		switch {
		case err == nil:
		case blaze.Final(err):
			failed[users[i]] = err.Error()
		default:
			return nil, err
		}
	}
	return failed, nil
}

// read reads the file. A crash may have left a part of a line at its end.
func (b *broadcast) read() (done int, failed map[string]string, err error) {
	failed = make(map[string]string)
	file, err := os.Open(b.File)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, failed, nil
	}
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20) // a chunk of rejections
	for lines.Scan() {
		var p progress
		if json.Unmarshal(lines.Bytes(), &p) == nil {
			done = max(done, p.Done)
			maps.Copy(failed, p.Failed)
		}
	}
	return done, failed, lines.Err()
}

// note appends a line to the file.
func (b *broadcast) note(p progress) error {
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(b.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(append([]byte("\n"), line...), '\n'))
	return errors.Join(err, file.Sync(), file.Close())
}
