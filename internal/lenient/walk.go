package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// MostDepth is how many arrays and objects may be within each other. The decoder of the standard library keeps eight
// bytes for each of them, which would make a multiple of data that consists of brackets.
const MostDepth = 64

// ErrDepth is the error of JSON with too many arrays and objects within each other.
var ErrDepth = fmt.Errorf("more than %d arrays and objects within each other", MostDepth)

// Check reports why data is not one JSON value that the other functions of this package can read: a
// *[json.SyntaxError] or [ErrDepth]. It allocates nothing that grows with data.
func Check(data []byte) error {
	if deep(data) {
		return ErrDepth
	}
	if json.Valid(data) {
		return nil
	}
	var none json.RawMessage
	if err := json.Unmarshal(data, &none); err != nil { // says where
		return err
	}
	return errors.New("not JSON")
}

// deep reports whether data has more than MostDepth brackets open at once.
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

// Members yields the names, as they are between their quotes, and the values of the object raw, in order. Equal names
// are yielded each. Nothing else than an object has members. raw is part of data that [Check] has passed.
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

// Elements yields the elements of the array raw, in order. Nothing else than an array has elements. raw is part of data
// that [Check] has passed.
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

// next returns where the next name, value or closing bracket begins.
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

// valueEnd returns where the value ends that begins at i.
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
				return i + depth + 1 // without a bracket that is not the value's own
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// textEnd returns where the string ends that begins at i, behind its quote, or else where raw ends.
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
