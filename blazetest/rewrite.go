package blazetest

import (
	"bytes"
	"encoding/json"
)

const (
	// maxRecordedDepth is the maximum nesting of objects and arrays in a recorded frame. Frames of the service are far
	// below it.
	maxRecordedDepth = 100
	// maxJSONDepth is the maximum nesting that encoding/json accepts, and therefore that of valid JSON here.
	maxJSONDepth = 10_000
)

// change returns the replacement of a value, or nil to keep it. name is the JSON of the field's name, for an element of
// an array that of the array, and nil for the top-level value. value is the JSON of a string, number, true, false or
// null, and nil for an object or array.
type change func(name, value []byte) []byte

// rewrite returns the valid JSON p with some values replaced. Order, names and numbers are preserved. It reads p once
// and allocates only its result. It returns false if p is nested deeper than maxDepth.
func rewrite(p []byte, maxDepth int, change change) (json.RawMessage, bool) {
	w := rewriter{left: p, out: make([]byte, 0, len(p)), depthLeft: maxDepth, change: change}
	ok := w.value(nil)
	return w.out, ok
}

// rewriter is one pass over valid JSON. It finds the ends of values and does not validate them.
type rewriter struct {
	left      []byte // the unread rest
	out       []byte
	depthLeft int // levels of nesting that may still be opened
	change    change
}

func (w *rewriter) value(name []byte) bool {
	w.left = bytes.TrimLeft(w.left, " \t\r\n")
	if c := w.left[0]; c == '{' || c == '[' {
		if with := w.change(name, nil); with != nil {
			w.out = append(w.out, with...)
			w.skip()
			return true
		}
		return w.container(name)
	}
	v := w.scalar()
	if with := w.change(name, v); with != nil {
		v = with
	}
	w.out = append(w.out, v...)
	return true
}

// container copies an object or an array.
func (w *rewriter) container(name []byte) bool {
	//mutant:recorder-depth
	if w.depthLeft == 0 {
		return false
	}
	w.depthLeft--
	defer func() { w.depthLeft++ }()
	object := w.punctuation() == '{'
	for {
		switch w.left = bytes.TrimLeft(w.left, " \t\r\n"); w.left[0] {
		case '}', ']':
			w.punctuation()
			return true
		case ',':
			w.punctuation()
			continue
		}
		if object {
			name = w.scalar()
			w.out = append(w.out, name...)
			w.left = bytes.TrimLeft(w.left, " \t\r\n")
			w.punctuation() // the colon
		}
		if !w.value(name) {
			return false
		}
	}
}

func (w *rewriter) punctuation() byte {
	c := w.left[0]
	w.out, w.left = append(w.out, c), w.left[1:]
	return c
}

// scalar reads a string, a number, true, false or null.
func (w *rewriter) scalar() []byte {
	n := bytes.IndexAny(w.left, " \t\r\n,:]}")
	if w.left[0] == '"' {
		n = textLen(w.left)
	}
	if n < 0 {
		n = len(w.left)
	}
	v := w.left[:n:n]
	w.left = w.left[n:]
	return v
}

// skip skips an object or an array of any depth.
func (w *rewriter) skip() {
	for depth := 0; ; {
		switch w.left[0] {
		case '"':
			w.left = w.left[textLen(w.left):]
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if w.left = w.left[1:]; depth == 0 {
			return
		}
	}
}

// textLen returns the length of the JSON string at the start of p.
func textLen(p []byte) int {
	n := 1
	for ; p[n] != '"'; n++ {
		if p[n] == '\\' {
			n++
		}
	}
	return n + 1
}
