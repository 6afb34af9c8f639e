package tame

import (
	"bytes"
	"encoding/json"
)

// JSON returns a copy of raw in which possible keys and tokens are hidden. It is nil if raw has more than most bytes,
// is not JSON, or is not JSON or not safe after the replacement.
func JSON(raw []byte, most int) []byte {
	if len(raw) == 0 || len(raw) > most {
		return nil
	}
	tamed := []byte(Hide(string(raw)))
	if !json.Valid(tamed) || hides(tamed) { // a long number, or a word with escapes
		return nil
	}
	return tamed
}

// hides reports whether a decoded string of JSON contains a possible key or token.
func hides(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return false // only at the end, because raw is valid
		}
		if s, ok := token.(string); ok && Hide(s) != s {
			return true
		}
	}
}
