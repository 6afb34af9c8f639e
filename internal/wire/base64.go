package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
)

var errBase64 = errors.New("wire: invalid base64")

// AppendBase64 appends the decoded text to dst. It accepts the standard and the URL alphabet, padded or not, and skips
// line breaks, because all of these occur. The error contains no part of text.
func AppendBase64(dst, text []byte) ([]byte, error) {
	padded := bytes.HasSuffix(bytes.TrimRight(text, "\r\n"), []byte("="))
	url := bytes.IndexByte(text, '-') >= 0 || bytes.IndexByte(text, '_') >= 0
	enc := base64.RawStdEncoding
	switch {
	case padded && url:
		enc = base64.URLEncoding
	case padded:
		enc = base64.StdEncoding
	case url:
		enc = base64.RawURLEncoding
	}
	dst, err := enc.AppendDecode(dst, text)
	if err != nil {
		return nil, errBase64
	}
	return dst, nil
}
