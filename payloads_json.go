package blaze

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// What apps put into the lists of payloads, and more. A longer list makes its message a Raw: it has an author who wants
// the memory of others.
const (
	mostTranscript = 300
	mostPinned     = 300
	mostFields     = 64 // of one object; a TranscriptMessage has 27
)

// listCost is how many bytes the objects of a list may take for each byte of its JSON, beside listSlack. A list of {}
// would else take a hundred times as much as its message.
const (
	listCost  = 4
	listSlack = 2 << 10
)

// fields reads one JSON object of a payload, name by name, and keeps the first thing that does not fit. A payload needs
// only a few of its fields; one beside them that is odd is read as what it most likely means, or as its zero value: see
// package lenient. A field that is null counts as absent, names are compared exactly, of equal names the last counts,
// and a name nobody asks for is ignored. The errors say which field and what is wrong with it, never what it holds:
// messages are private, and errors end up in logs.
//
// A payload may be hostile: reading one allocates at most eight times its size, and a few kilobytes. Each value is read
// where it is in the data, and copied once.
type fields struct {
	path    string // of the object within the payload, "" or ending in a dot; of a list, its path
	element int    // of the list, from 1; 0: the object is in no list
	members []member
	err     error
}

// member is one field of an object, within the data.
type member struct{ name, value []byte }

// object makes a decoder of a function that reads one object.
func object[P Payload](read func(*fields) P) decoder {
	return func(_ string, data []byte) (Payload, error) {
		f := new(fields)
		if f.err = check(data, '{', "a JSON object"); f.err == nil {
			f.read(data)
		}
		p := read(f)
		return p, f.err
	}
}

// check reports why data is not JSON of the kind that is wanted.
func check(data []byte, kind byte, want string) error {
	if err := lenient.Check(data); err != nil {
		return jsonFault(err)
	}
	switch lenient.Kind(data) {
	case kind:
		return nil
	case 'n':
		return errors.New("null where " + want + " should be")
	}
	return errors.New("not " + want)
}

// read takes the fields of an object in place of those of f.
func (f *fields) read(raw []byte) {
	if f.members == nil {
		f.members = make([]member, 0, 16)
	}
	f.members = f.members[:0]
	for name, value := range lenient.Members(raw) {
		//mutant:most-fields
		if len(f.members) == mostFields {
			f.failObject("more than " + strconv.Itoa(mostFields) + " fields")
			return
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			text, _ := lenient.Text(slices.Concat([]byte(`"`), name, []byte(`"`)))
			name = []byte(text)
		}
		f.members = append(f.members, member{name, value})
	}
}

// nested returns the fields of the object in a field; none where it is no object. What does not fit in there costs f
// nothing.
func (f *fields) nested(name string) *fields {
	in := &fields{path: f.path + name + "."}
	in.read(f.raw(name))
	return in
}

// readObjects reads an array of objects with at most so many elements. It stops at the first one that does not fit.
// raw is part of data that was checked.
func readObjects[T any](path string, raw []byte, most int, read func(*fields) T) ([]T, error) {
	n, err := countObjects(path, raw, most)
	if err != nil {
		return nil, err
	}
	var t T
	//mutant:list-cost
	if n*int(unsafe.Sizeof(t)) > listCost*len(raw)+listSlack {
		return nil, errors.New(at(path) + "a list of objects that say next to nothing")
	}
	out := make([]T, 0, n)
	f := &fields{path: path}
	for element := range lenient.Elements(raw) {
		f.element++
		f.read(element)
		out = append(out, read(f))
		if f.err != nil {
			return nil, f.err
		}
	}
	return out, nil
}

// errLong is the error of a list that is longer than any app makes it.
var errLong = errors.New("too many elements")

// countObjects returns how many elements an array has, and the error of one that is no object, or one too many.
func countObjects(path string, raw []byte, most int) (n int, err error) {
	odd, objects := -1, 0
	for element := range lenient.Elements(raw) {
		//mutant:list-most
		if n == most {
			return 0, fmt.Errorf("%s%w: more than %d", at(path), errLong, most)
		}
		if lenient.Kind(element) == '{' {
			objects++
		} else if odd < 0 {
			odd = n
		}
		n++
	}
	switch {
	//mutant:odd-element
	case odd < 0:
		return n, nil
	case objects == 0:
		return 0, errors.New(at(path) + "an array without any object")
	}
	return 0, errors.New(indexed(path, odd) + ": not a JSON object")
}

// jsonFault keeps of an error of encoding/json what is not content: those errors quote characters and numbers.
func jsonFault(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at byte %d", syntax.Offset)
	}
	return err
}

// at turns the path of an object into the start of a sentence about it.
func at(path string) string {
	if path = strings.TrimSuffix(path, "."); path == "" {
		return ""
	}
	return path + ": "
}

func (f *fields) fail(name, reason string) {
	if f.err == nil {
		f.err = errors.New(f.where() + name + ": " + reason)
	}
}

// failObject is fail for the object as a whole.
func (f *fields) failObject(reason string) {
	if f.err == nil {
		f.err = errors.New(at(f.where()) + reason)
	}
}

// where returns the path of the object, "" or ending in a dot.
func (f *fields) where() string {
	if f.element > 0 {
		return indexed(f.path, f.element-1) + "."
	}
	return f.path
}

// raw returns the field's JSON, nil if the field is absent.
func (f *fields) raw(name string) []byte {
	for i := len(f.members) - 1; i >= 0; i-- {
		if string(f.members[i].name) == name {
			return f.members[i].value
		}
	}
	return nil
}

// value is raw, and nil for null as well.
func (f *fields) value(name string) []byte {
	if raw := f.raw(name); string(raw) != "null" {
		return raw
	}
	return nil
}

// str reads a string, or a number as its characters; "" for anything else.
func (f *fields) str(name string) string {
	s, _ := lenient.Text(f.raw(name))
	return s
}

// need reads a string without which the payload means nothing.
func (f *fields) need(name string) string {
	s := f.str(name)
	if s == "" {
		f.fail(name, "missing")
	}
	return s
}

// exact reads a string that must not be guessed: another kind of value, and text that lenient.Text does not read, are
// faults. Absent is "".
func (f *fields) exact(name string) string {
	raw := f.value(name)
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		f.fail(name, "not a string")
		return ""
	}
	s, ok := lenient.Text(raw)
	if !ok {
		f.fail(name, "not UTF-8")
	}
	return s
}

// amount reads an amount of money, a number as the very characters of the wire. Another kind of value is a fault.
// Absent is "".
func (f *fields) amount(name string) string {
	s, ok := lenient.Text(f.raw(name))
	//mutant:odd-amount
	if !ok && f.value(name) != nil {
		f.fail(name, "neither a string nor a number")
	}
	return s
}

// int64 reads a size or a count, which is not negative.
func (f *fields) int64(name string) int64 {
	n, _ := lenient.Int(f.raw(name), 0, math.MaxInt64)
	return n
}

func (f *fields) int(name string) int {
	n, _ := lenient.Int(f.raw(name), 0, math.MaxInt)
	return int(n)
}

// duration reads a whole number of units.
func (f *fields) duration(name string, unit time.Duration) time.Duration {
	n, _ := lenient.Int(f.raw(name), 0, math.MaxInt64/int64(unit))
	return time.Duration(n) * unit
}

// number reads a number. ok is false if there is none.
func (f *fields) number(name string) (n float64, ok bool) { return lenient.Float(f.raw(name)) }

// boolean reads true or false; nil for anything else.
func (f *fields) boolean(name string) *bool {
	b, ok := lenient.Bool(f.raw(name))
	if !ok {
		return nil
	}
	return &b
}

// bytes reads base64 of any alphabet; nil for anything else.
func (f *fields) bytes(name string) []byte {
	b, _ := f.base64(name)
	return b
}

// secret reads base64 without which an encrypted file cannot be opened, or a damaged one not be told. Anything else is
// a fault. Absent and empty are nil.
func (f *fields) secret(name string) []byte {
	raw := f.value(name)
	if raw == nil {
		return nil
	}
	if raw[0] != '"' {
		f.fail(name, "not a string")
		return nil
	}
	b, ok := f.base64(name)
	if !ok {
		//mutant:odd-secret
		f.fail(name, "not base64")
	}
	return b
}

// base64 reads base64 of any alphabet from where it is. Empty text is nil.
func (f *fields) base64(name string) (b []byte, ok bool) {
	raw := f.raw(name)
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') >= 0 { // some encoders write \/
		s, ok := lenient.Text(raw)
		if !ok {
			return nil, false
		}
		text = []byte(s)
	}
	if len(text) == 0 {
		return nil, true
	}
	b, err := wire.AppendBase64(nil, text)
	return b, err == nil
}

// time reads a time into UTC; the zero time for anything else.
func (f *fields) time(name string) time.Time {
	t, _ := lenient.Time(f.str(name))
	return t
}

// strs reads an array of at most so many strings. An element that is neither a string nor a number is a fault.
func (f *fields) strs(name string, most int) (out []string) {
	for element := range lenient.Elements(f.raw(name)) {
		//mutant:strs-most
		if len(out) == most {
			f.fail(name, errLong.Error()+": more than "+strconv.Itoa(most))
			return nil
		}
		s, ok := lenient.Text(element)
		if !ok {
			f.fail(indexed(name, len(out)), "not a string")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// decoder makes a payload of a message's data, which it may get as text, too: that one needs no copy. Its errors name
// fields and positions, never content.
type decoder func(text string, data []byte) (Payload, error)
