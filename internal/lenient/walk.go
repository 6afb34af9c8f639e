package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// MostDepth is the maximum nesting of arrays and objects. The decoder of the standard library needs eight bytes for
// each level, a multiple of the size of data that consists of brackets.
const MostDepth = 64

// ErrDepth is the error of JSON that is nested too deeply.
var ErrDepth = fmt.Errorf("more than %d levels of arrays and objects", MostDepth)

// Check returns an error unless data is one JSON value that the other functions of this package can read: a
// *[json.SyntaxError] or [ErrDepth]. Its memory does not depend on the size of data.
func Check(data []byte) error {
	if deep(data) {
		return ErrDepth
	}
	if json.Valid(data) {
		return nil
	}
	var none json.RawMessage
	if err := json.Unmarshal(data, &none); err != nil { // for its position
		return err
	}
	return errors.New("not JSON")
}

// deep reports whether the nesting of data exceeds MostDepth.
func deep(data []byte) bool {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = textEnd(data, i) - 1
		case '{', '[':
			//mutant:json-depth
			if depth++; depth > MostDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// Members yields the names and the values of the object raw, in order and including duplicates. Names are not decoded.
// A value that is not an object has no members. raw must be part of data that passed [Check].
func Members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if Kind(raw) != '{' {
			return
		}
		for i := next(raw, bytes.IndexByte(raw, '{')+1); i < len(raw) && raw[i] == '"'; {
			end := textEnd(raw, i)
			name := raw[i+1 : max(end-1, i+1)]
			i = next(raw, end)
			end = valueEnd(raw, i)
			if !yield(name, raw[i:end]) {
				return
			}
			i = next(raw, end)
		}
	}
}

// Elements yields the elements of the array raw, in order. A value that is not an array has no elements. raw must be
// part of data that passed [Check].
func Elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func(element []byte) bool) {
		if Kind(raw) != '[' {
			return
		}
		for i := next(raw, bytes.IndexByte(raw, '[')+1); i < len(raw) && raw[i] != ']'; {
			end := valueEnd(raw, i)
			if end == i || !yield(raw[i:end]) {
				return
			}
			i = next(raw, end)
		}
	}
}

// next returns the index of the next name, value or closing bracket.
func next(raw []byte, i int) int {
	for ; i < len(raw); i++ {
		switch raw[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
	return i
}

// valueEnd returns the end of the value that begins at i.
func valueEnd(raw []byte, i int) int {
	depth := 0
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i = textEnd(raw, i) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return i + depth + 1 // excludes a bracket of the enclosing value
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// textEnd returns the index after the closing quote of the string that begins at i, or the length of raw.
func textEnd(raw []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		first := i
		i += n
		escapes := 0
		for i-escapes > first && raw[i-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}
