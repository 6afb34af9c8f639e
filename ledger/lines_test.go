package ledger_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/ledger"
)

// A crash may cut the file at every byte, and leave zero bytes at its end.
func TestATornLastLineIsDropped(t *testing.T) {
	content := text(1, 3)
	line := len(content) / 3
	for n := range len(content) + 1 {
		for _, zeros := range []int{0, 1, 30, 5000} {
			if whole := n%line == 0; whole && zeros == 0 {
				continue
			}
			if n > 0 && n <= 8 {
				continue // too short to be told from another file
			}
			path := fileWith(t, content[:n]+strings.Repeat("\x00", zeros))
			f := open(t, path, 0)
			has(t, f, 1, n/line)
			record(t, f, 4, 4)
			require.NoError(t, f.Close())
			assert.Equal(t, content[:n-n%line]+text(4, 4), read(t, path))
		}
	}
}

// The file of a key has one line, and often no line break.
func TestAnotherFileIsNotEmptied(t *testing.T) {
	for _, content := range []string{
		strings.Repeat("5a", 32), strings.Repeat("5a", 16), "token", "5a5a5a5a5",
		"12345678-1234-1234-1234-12345678901g",
		"12345678-1234-1234-1234-1234567890123", "123456", "{\n  \"app_id\": \"x\"\n}", "USER=bot\nPIN_TOKEN=0123",
		"-----BEGIN KEY-----\n5a5a\n-----END KEY-----",
	} {
		path := fileWith(t, content)
		_, err := ledger.OpenFile(path, 0)
		require.ErrorContains(t, err, "is not a message id", content)
		assert.NotContains(t, err.Error(), content)
		assert.Equal(t, content, read(t, path))
	}
}

func TestLinesThatAreNoIDs(t *testing.T) {
	long := strings.Repeat("secret", 11)
	for name, line := range map[string]string{
		"empty": "\n", "too long": long + "\n", "a carriage return": "secret\r\n", "a zero byte": "secret\x00\n",
		"a control character": "sec\x7fret\n", "zero bytes": "\x00\x00\n", "long and torn": long,
		"control characters, torn": "secret\x01", "text behind zero bytes": "secret\x00secret",
		"text behind many zero bytes": strings.Repeat("\x00", 5000) + "secret",
		"very long":                   strings.Repeat("secret", 1000), "JSON": "\t{}\n",
	} {
		for _, before := range []int{0, 2} {
			content := text(1, before) + line
			path := fileWith(t, content)
			_, err := ledger.OpenFile(path, 0)
			require.Error(t, err, name)
			assert.ErrorContains(t, err,
				fmt.Sprintf("ledger: read %q: line %d is not a message id", path, before+1), name)
			assert.NotContains(t, err.Error(), "secret", name)
			assert.Equal(t, content, read(t, path), name)
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.NoError(t, open(t, path, 0).Close(), "the lock is released")
		}
	}
}

// All complete lines are ids, or the error names the first that is not.
func FuzzReadIDs(f *testing.F) {
	f.Add([]byte(text(1, 3)))
	f.Fuzz(func(t *testing.T, content []byte) {
		lines := strings.Split(string(content), "\n")
		last := len(lines) - 1
		bad := slices.IndexFunc(lines[:last], func(line string) bool { return line == "" || !plain(line) })
		if bad < 0 && !plain(strings.TrimRight(lines[last], "\x00")) {
			bad = last
		}
		var ids []string
		n, size, err := ledger.ReadIDs(content, func(id string) { ids = append(ids, id) })
		if bad >= 0 {
			require.ErrorContains(t, err, fmt.Sprintf("line %d is not", bad+1))
			last = bad
		} else {
			require.NoError(t, err)
		}
		assert.Equal(t, last, n)
		assert.Equal(t, strings.Join(lines[:last], "\n"), strings.Join(ids, "\n"))
		assert.EqualValues(t, len(strings.Join(lines[:last], "\n"))+min(last, 1), size)
	})
}

// plain reports whether a line may be a part of an id.
func plain(line string) bool {
	for _, b := range []byte(line) {
		if b <= 31 || b == 127 {
			return false
		}
	}
	return len(line) <= 64
}
