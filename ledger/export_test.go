package ledger

import (
	"bufio"
	"bytes"
)

// Handle is the part of a file that a File uses.
type Handle = handle

// OpenHandle opens the handle of OpenFile.
func OpenHandle(path string) (Handle, error) { return openHandle(path) }

// OpenWith is OpenFile with another function that opens the file.
func OpenWith(path string, keep int, open func(path string) (Handle, error)) (*File, error) {
	return openWith(path, keep, open)
}

// ReadIDs reads the content of a file.
func ReadIDs(content []byte, add func(id string)) (lines int, size int64, err error) {
	return readIDs(bufio.NewReader(bytes.NewReader(content)), add)
}
