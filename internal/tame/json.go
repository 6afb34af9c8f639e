package tame

import (
	"bytes"
	"encoding/json"
)

// JSON returns a copy of raw in which words that may be keys or tokens are hidden; nil where raw is longer than most
// bytes, is not JSON, or cannot be copied so.
func JSON(raw []byte, most int) []byte {
	if len(raw) == 0 || len(raw) > most {
		return nil
	}
	tamed := []byte(Hide(string(raw)))
	if !json.Valid(tamed) || hides(tamed) { // a number of that length, or a word in escapes
		return nil
	}
	return tamed
}

// hides reports whether a string in JSON still says what is to be hidden, once its escapes are gone.
func hides(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return false // the end: raw is valid
		}
		if s, ok := token.(string); ok && Hide(s) != s {
			return true
		}
	}
}
