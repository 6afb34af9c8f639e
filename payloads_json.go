package blaze

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// fields reads one JSON object of a payload, name by name, and keeps the first thing that does not fit. A payload needs
// only a few of its fields; one beside them that is odd is read as what it most likely means, or as its zero value: see
// package lenient. A field that is null counts as absent, names are compared exactly, and a name nobody asks for is
// ignored. The errors say which field and what is wrong with it, never what it holds: messages are private, and errors
// end up in logs.
type fields struct {
	path   string // of the object within the payload, "" or ending in a dot
	values map[string]json.RawMessage
	err    error
}

// object makes a decoder of a function that reads one object.
func object[P Payload](read func(*fields) P) decoder {
	return func(_ string, data []byte) (Payload, error) {
		f := readObject("", data)
		p := read(f)
		return p, f.err
	}
}

func readObject(path string, data []byte) *fields {
	f := &fields{path: path}
	if err := json.Unmarshal(data, &f.values); err != nil {
		f.err = jsonFault(path, err, "a JSON object")
	} else if f.values == nil {
		f.err = errors.New(at(path) + "null where a JSON object should be")
	}
	return f
}

// readObjects reads an array of objects. What is no object is left out; an array that is left without any is a fault,
// because it would say nothing, but an empty one is not.
func readObjects[T any](path string, data []byte, read func(*fields) T) ([]T, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, jsonFault(path, err, "a JSON array")
	}
	if list == nil {
		return nil, errors.New(at(path) + "null where a JSON array should be")
	}
	// It grows with the objects: an element that is left out may have one byte, and a T has up to 500.
	out := make([]T, 0, min(len(list), maxButtons))
	for i, raw := range list {
		//mutant:odd-element
		if raw[0] != '{' {
			continue
		}
		f := readObject(path+"["+strconv.Itoa(i)+"].", raw)
		out = append(out, read(f))
		if f.err != nil {
			return nil, f.err
		}
	}
	//mutant:odd-nothing
	if len(out) == 0 && len(list) > 0 {
		return nil, errors.New(at(path) + "an array without any object")
	}
	return out, nil
}

// jsonFault keeps of an error of encoding/json what is not content: those errors quote characters and numbers.
func jsonFault(path string, err error, want string) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%sbroken JSON at byte %d", at(path), syntax.Offset)
	}
	return errors.New(at(path) + "not " + want)
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
		f.err = errors.New(f.path + name + ": " + reason)
	}
}

// value returns the field's JSON, nil if the field is absent or null.
func (f *fields) value(name string) json.RawMessage {
	if raw := f.values[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// str reads a string, or a number as its characters; "" for anything else.
func (f *fields) str(name string) string {
	s, _ := lenient.Text(f.values[name])
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

// exact reads a string that must not be guessed: another kind of value is a fault. Absent is "".
func (f *fields) exact(name string) string {
	raw := f.value(name)
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		f.fail(name, "not a string")
		return ""
	}
	return f.str(name)
}

// amount reads an amount of money, a number as the very characters of the wire. Another kind of value is a fault.
// Absent is "".
func (f *fields) amount(name string) string {
	s, ok := lenient.Text(f.values[name])
	//mutant:odd-amount
	if !ok && f.value(name) != nil {
		f.fail(name, "neither a string nor a number")
	}
	return s
}

// int64 reads a size or a count, which is not negative.
func (f *fields) int64(name string) int64 {
	n, _ := lenient.Int(f.values[name], 0, math.MaxInt64)
	return n
}

func (f *fields) int(name string) int {
	n, _ := lenient.Int(f.values[name], 0, math.MaxInt)
	return int(n)
}

// duration reads a whole number of units.
func (f *fields) duration(name string, unit time.Duration) time.Duration {
	n, _ := lenient.Int(f.values[name], 0, math.MaxInt64/int64(unit))
	return time.Duration(n) * unit
}

// number reads a number. ok is false if there is none.
func (f *fields) number(name string) (n float64, ok bool) { return lenient.Float(f.values[name]) }

// boolean reads true or false; nil for anything else.
func (f *fields) boolean(name string) *bool {
	b, ok := lenient.Bool(f.values[name])
	if !ok {
		return nil
	}
	return &b
}

// bytes reads base64 of any alphabet; nil for anything else.
func (f *fields) bytes(name string) []byte {
	b, err := decodeBase64(f.str(name))
	if err != nil {
		return nil
	}
	return b
}

// secret reads base64 without which an encrypted file cannot be opened, or a damaged one not be told. Anything else is
// a fault. Absent and empty are nil.
func (f *fields) secret(name string) []byte {
	b, err := decodeBase64(f.exact(name))
	if err != nil {
		//mutant:odd-secret
		f.fail(name, "not base64")
	}
	return b
}

func decodeBase64(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return wire.AppendBase64(nil, []byte(s))
}

// time reads a time into UTC; the zero time for anything else.
func (f *fields) time(name string) time.Time {
	t, _ := lenient.Time(f.str(name))
	return t
}

// strs reads an array of strings. What is neither a string nor a number is left out.
func (f *fields) strs(name string) (out []string) {
	var list []json.RawMessage
	_ = json.Unmarshal(f.values[name], &list)
	for _, raw := range list {
		if s, ok := lenient.Text(raw); ok {
			out = append(out, s)
		}
	}
	return out
}

// decoder makes a payload of a message's data, which it gets in two forms, to take the one that needs no copy. Its
// errors name fields and positions, never content.
type decoder func(text string, data []byte) (Payload, error)
