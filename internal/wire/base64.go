package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
)

var errBase64 = errors.New("wire: invalid base64")

// AppendBase64 appends what text says to dst. It reads the standard and the URL alphabet, padded or not, and skips line
// breaks: all of these are in use. The error holds no part of text.
func AppendBase64(dst, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		text = slices.DeleteFunc(bytes.Clone(text), func(c byte) bool { return c == '\n' || c == '\r' })
	}
	body := bytes.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if bytes.IndexByte(body, '-') >= 0 || bytes.IndexByte(body, '_') >= 0 {
		enc = base64.RawURLEncoding
	}
	dst, err := enc.AppendDecode(dst, body)
	if padding := len(text) - len(body); err != nil || padding > 2 || padding > 0 && len(text)%4 != 0 {
		return nil, errBase64
	}
	return dst, nil
}
