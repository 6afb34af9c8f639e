package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/mixin-blaze/blaze/internal/wire"
)

var errInvalid = fmt.Errorf("not a message id: 1 to %d bytes without control characters", wire.MaxID)

// valid reports whether a line may contain id.
func valid(id []byte) bool {
	return len(id) > 0 && len(id) <= wire.MaxID && bytes.IndexFunc(id, isControl) < 0
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// readIDs calls add for the id in each line and returns the number and the size of the complete lines. It ignores an
// incomplete last line. Any other invalid line is an error.
func readIDs(r *bufio.Reader, add func(id string)) (lines int, size int64, err error) {
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err == nil && valid(line[:len(line)-1]):
			add(string(line[:len(line)-1]))
			lines++
			size += int64(len(line))
		case err == nil:
			return lines, size, invalidLine(lines + 1)
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			ok, err := torn(r, line)
			//mutant:ledger-foreign
			if text := bytes.TrimRight(line, "\x00"); ok && len(text) > 0 && !beginsUUID(text, lines == 0) {
				ok = false // it may be another file, such as a key
			}
			if err == nil && !ok {
				err = invalidLine(lines + 1)
			}
			return lines, size, err
		default:
			return lines, size, err
		}
	}
}

func invalidLine(n int) error { return fmt.Errorf("line %d is %w", n, errInvalid) }

// beginsUUID reports whether text is the beginning of a UUID, as all ids of the service are. If it is the only line of
// a file, it must reach the first dash: a file with a number may be another file.
func beginsUUID(text []byte, only bool) bool {
	const form, dash = "00000000-0000-0000-0000-000000000000", 8
	if len(text) > len(form) || only && len(text) <= dash {
		return false
	}
	for i, b := range text {
		isHex := b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
		if form[i] == '-' && b != '-' || form[i] == '0' && !isHex {
			return false
		}
	}
	return true
}

// torn reports whether a crash may have left line and all that follows in r: a part of a line, and zero bytes behind
// it, which some file systems have where data was not written. Anything else is not truncated: it may be another file.
func torn(r *bufio.Reader, line []byte) (bool, error) {
	text := bytes.TrimRight(line, "\x00")
	if len(text) > 0 && !valid(text) {
		return false, nil
	}
	for {
		b, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil || b != 0:
			return false, err
		}
	}
}

// copyLines copies all but the first skip lines and returns their size.
func copyLines(w io.Writer, r io.Reader, skip int) (int64, error) {
	lines := bufio.NewReader(r)
	for range skip {
		if _, err := lines.ReadSlice('\n'); err != nil {
			return 0, err
		}
	}
	return io.Copy(w, lines)
}
