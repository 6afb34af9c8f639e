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

// Bounds of lists in payloads, above what the apps produce. A message with a longer list becomes a Raw, because it may
// be an attempt to exhaust memory.
const (
	maxTranscript = 300
	maxPinned     = 300
	maxFields     = 64 // in one object; a TranscriptMessage has 27
)

// listCost bounds the size of the decoded objects per byte of the list's JSON, in addition to listSlack. Without it, a
// list of {} would take a hundred times the size of its message.
const (
	listCost  = 4
	listSlack = 2 << 10
)

// fields reads one JSON object of a payload and keeps the first error. A payload requires only a few of its fields. An
// odd value in another field is read as its most likely meaning or as its zero value (see package lenient), except in a
// field that is read by secret, exact or amount. null counts as absent, names are compared exactly, the last of equal
// names counts, and unknown names are ignored. Errors name the field and the fault, never the value, because messages
// are private and errors are logged.
//
// Payloads may be hostile: decoding allocates at most eight times the size of the payload plus a few kilobytes. Each
// value is read in place and copied once.
type fields struct {
	path    string // of the object, "" or ending in a dot; for an element of a list, the path of the list
	element int    // index in the list, from 1; 0: not in a list
	members []member
	err     error
}

// member is one field of an object. It refers to the data.
type member struct{ name, value []byte }

// object returns a decoder that reads one object.
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

// check returns an error unless data is valid JSON that begins with kind.
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

// read replaces the fields of f with those of another object.
func (f *fields) read(raw []byte) {
	if f.members == nil {
		f.members = make([]member, 0, 16)
	}
	f.members = f.members[:0]
	for name, value := range lenient.Members(raw) {
		//mutant:max-fields
		if len(f.members) == maxFields {
			f.failObject("more than " + strconv.Itoa(maxFields) + " fields")
			return
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			text, _ := lenient.Text(slices.Concat([]byte(`"`), name, []byte(`"`)))
			name = []byte(text)
		}
		f.members = append(f.members, member{name, value})
	}
}

// nested returns the fields of an object in a field, or no fields if it is not an object. Errors in the object do not
// count as errors of f.
func (f *fields) nested(name string) *fields {
	in := &fields{path: f.path + name + "."}
	in.read(f.raw(name))
	return in
}

// readObjects reads an array of objects; most is their maximum number. It stops at the first error. raw is part of
// validated data.
func readObjects[T any](path string, raw []byte, most int, read func(*fields) T) ([]T, error) {
	n, err := countObjects(path, raw, most)
	if err != nil {
		return nil, err
	}
	var t T
	//mutant:list-cost
	if n*int(unsafe.Sizeof(t)) > listCost*len(raw)+listSlack {
		return nil, errors.New(at(path) + "a list of nearly empty objects")
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

// errLong is the error of a list above its bound.
var errLong = errors.New("too many elements")

// countObjects returns the number of elements of an array. It fails if one is not an object, or if there are too many.
func countObjects(path string, raw []byte, most int) (n int, err error) {
	odd, objects := -1, 0
	for element := range lenient.Elements(raw) {
		//mutant:max-objects
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
	//mutant:element-type
	case odd < 0:
		return n, nil
	case objects == 0:
		return 0, errors.New(at(path) + "an array without any object")
	}
	return 0, errors.New(indexed(path, odd) + ": not a JSON object")
}

// jsonFault removes content from an error of encoding/json, which quotes characters and numbers.
func jsonFault(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at byte %d", syntax.Offset)
	}
	return err
}

// at formats the path of an object for the beginning of an error.
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

// failObject records an error of the object as a whole.
func (f *fields) failObject(reason string) {
	if f.err == nil {
		f.err = errors.New(at(f.where()) + reason)
	}
}

// where returns the path of the object: "", or a path that ends in a dot.
func (f *fields) where() string {
	if f.element > 0 {
		return indexed(f.path, f.element-1) + "."
	}
	return f.path
}

// raw returns the JSON of a field, or nil if it is absent.
func (f *fields) raw(name string) []byte {
	for i := len(f.members) - 1; i >= 0; i-- {
		if string(f.members[i].name) == name {
			return f.members[i].value
		}
	}
	return nil
}

// value is like raw, and returns nil for null.
func (f *fields) value(name string) []byte {
	if raw := f.raw(name); string(raw) != "null" {
		return raw
	}
	return nil
}

// str reads a string, or a number as text. It returns "" for other values.
func (f *fields) str(name string) string {
	s, _ := lenient.Text(f.raw(name))
	return s
}

// need reads a required string.
func (f *fields) need(name string) string {
	s := f.str(name)
	if s == "" {
		f.fail(name, "missing")
	}
	return s
}

// exact reads a string that must not be guessed: another type, or text that lenient.Text rejects, is an error. It
// returns "" for an absent field.
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

// amount reads an amount of money. A number is returned exactly as written. Another type is an error. It returns "" for
// an absent field.
func (f *fields) amount(name string) string {
	s, ok := lenient.Text(f.raw(name))
	//mutant:malformed-amount
	if !ok && f.value(name) != nil {
		f.fail(name, "neither a string nor a number")
	}
	return s
}

// int64 reads a size or count, which must not be negative.
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

// boolean reads true or false. It returns nil for other values.
func (f *fields) boolean(name string) *bool {
	b, ok := lenient.Bool(f.raw(name))
	if !ok {
		return nil
	}
	return &b
}

// bytes reads base64 of any alphabet. It returns nil for other values.
func (f *fields) bytes(name string) []byte {
	b, _ := f.base64(name)
	return b
}

// secret reads a key or digest in base64. Another value is an error, because the file could not be decrypted or
// verified. It returns nil if the field is absent or empty.
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
		//mutant:malformed-secret
		f.fail(name, "not base64")
	}
	return b
}

// base64 decodes base64 of any alphabet in place. It returns nil for empty text.
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

// time reads a time as UTC. It returns the zero time for other values.
func (f *fields) time(name string) time.Time {
	t, _ := lenient.Time(f.str(name))
	return t
}

// strs reads an array of strings; most is their maximum number. An element that is neither a string nor a number is an
// error.
func (f *fields) strs(name string, most int) (out []string) {
	for element := range lenient.Elements(f.raw(name)) {
		//mutant:max-strings
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

// decoder decodes a message's data. text is data as a string, or "" if there is none; using it saves a copy. Errors
// contain field names and positions, never content.
type decoder func(text string, data []byte) (Payload, error)
