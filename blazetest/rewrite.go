package blazetest

import (
	"bytes"
	"encoding/json"
)

const (
	// mostRecorded is how deep the objects and arrays of a recorded frame may be nested: far deeper than those of the
	// service.
	maxRecordedDepth = 100
	// mostNested is how deep encoding/json reads, and so the deepest that valid JSON is here.
	maxJSONDepth = 10_000
)

// change returns what replaces a value, nil if it stays. name is the JSON of the field's name, for an element of an
// array that of the array, and nil for the whole. value is the JSON of a string, a number, true, false or null; it is
// nil for an object or an array.
type change func(name, value []byte) []byte

// rewrite returns the valid JSON p with some values replaced. Order, names and numbers stay as they are. It reads p
// once and allocates only its result. False means that p is nested deeper than most.
func rewrite(p []byte, maxDepth int, change change) (json.RawMessage, bool) {
	w := rewriter{left: p, out: make([]byte, 0, len(p)), depthLeft: maxDepth, change: change}
	ok := w.value(nil)
	return w.out, ok
}

// rewriter is one pass over valid JSON: it looks for the ends of things, and for no mistakes.
type rewriter struct {
	left      []byte // what was not looked at yet
	out       []byte
	depthLeft int // for objects and arrays within each other
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

// scalar takes a string, a number, true, false or null.
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

// skip takes an object or an array, however deep.
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

// textLen returns how long the string is that p begins with.
func textLen(p []byte) int {
	n := 1
	for ; p[n] != '"'; n++ {
		if p[n] == '\\' {
			n++
		}
	}
	return n + 1
}
