package blaze

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// fields reads one JSON object of a payload, name by name, and keeps the first thing that does not fit. A field that is
// null counts as absent, names are compared exactly, and a name nobody asks for is ignored. The errors say which field and
// what is wrong with it, never what it holds: messages are private, and errors end up in logs.
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

// readObjects reads an array of objects. Its errors name the element.
func readObjects[T any](path string, data []byte, read func(*fields) T) ([]T, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, jsonFault(path, err, "a JSON array")
	}
	if list == nil {
		return nil, errors.New(at(path) + "null where a JSON array should be")
	}
	out := make([]T, 0, len(list))
	for i, raw := range list {
		f := readObject(path+"["+strconv.Itoa(i)+"].", raw)
		out = append(out, read(f))
		if f.err != nil {
			return nil, f.err
		}
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

// adopt keeps the fault of something read within the object, which names its own path.
func (f *fields) adopt(err error) {
	if f.err == nil {
		f.err = err
	}
}

// value returns the field's JSON, nil if the field is absent or null.
func (f *fields) value(name string) json.RawMessage {
	if raw := f.values[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// str reads a string; absent is "".
func (f *fields) str(name string) string {
	raw := f.value(name)
	if raw == nil {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		f.fail(name, "not a string")
	}
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

// integer reads a whole number of so many bits, which some clients write as a string; absent is 0.
func (f *fields) integer(name string, bits int) int64 {
	raw := f.value(name)
	if raw == nil {
		return 0
	}
	text := string(raw)
	if raw[0] == '"' {
		text = f.str(name)
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if errors.Is(err, strconv.ErrRange) {
		f.fail(name, "out of range")
	} else if err != nil {
		f.fail(name, "not a whole number")
	}
	return n
}

func (f *fields) int64(name string) int64 { return f.integer(name, 64) }

func (f *fields) int(name string) int { return int(f.integer(name, strconv.IntSize)) }

// duration reads a whole number of units; absent is 0.
func (f *fields) duration(name string, unit time.Duration) time.Duration {
	n := f.int64(name)
	if most := math.MaxInt64 / int64(unit); n > most || n < -most {
		f.fail(name, "out of range")
		return 0
	}
	return time.Duration(n) * unit
}

// number reads a number that must be there, 0 included.
func (f *fields) number(name string) float64 {
	raw := f.value(name)
	if raw == nil {
		f.fail(name, "missing")
		return 0
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil {
		f.fail(name, "not a number")
	}
	return n
}

// boolean reads true, false or, absent, nil.
func (f *fields) boolean(name string) *bool {
	raw := f.value(name)
	if raw == nil {
		return nil
	}
	var b bool
	if json.Unmarshal(raw, &b) != nil {
		f.fail(name, "not true or false")
		return nil
	}
	return &b
}

// bytes reads base64 of any alphabet; absent and empty are nil.
func (f *fields) bytes(name string) []byte {
	s := f.str(name)
	if s == "" {
		return nil
	}
	b, err := wire.AppendBase64(nil, []byte(s))
	if err != nil {
		f.fail(name, "not base64")
	}
	return b
}

// time reads an RFC 3339 time, with or without a fraction, into UTC; absent and empty are the zero time.
func (f *fields) time(name string) time.Time {
	s := f.str(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		f.fail(name, "not an RFC 3339 time")
	}
	return t.UTC()
}

// strs reads an array of strings; absent is nil.
func (f *fields) strs(name string) []string {
	raw := f.value(name)
	if raw == nil {
		return nil
	}
	var list []*string // pointers tell null from ""
	if json.Unmarshal(raw, &list) != nil {
		f.fail(name, "not an array of strings")
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			f.fail(name, "not an array of strings")
			return nil
		}
		out = append(out, *s)
	}
	return out
}

// validation collects the first fault of a payload on its way out. Faults name the field as the Go type does.
type validation struct{ err error }

// check records a fault unless ok.
func (v *validation) check(ok bool, field, format string, args ...any) {
	if !ok && v.err == nil {
		v.err = invalid(field, format, args...)
	}
}

// duration checks what goes out in milliseconds. Less than one is a number that somebody forgot to multiply.
func (v *validation) duration(field string, d time.Duration) {
	v.check(d >= 0, field, "must not be negative")
	v.check(d == 0 || d >= time.Millisecond, field, "%v is less than a millisecond: multiply by time.Second", d)
}

// id returns a UUID that must be there in lower case.
func (v *validation) id(field, s string) string {
	v.check(s != "", field, "missing")
	return v.optionalID(field, s)
}

// optionalID returns a UUID in lower case, or "".
func (v *validation) optionalID(field, s string) string {
	if s == "" {
		return ""
	}
	id, ok := canonicalUUID(s)
	v.check(ok, field, "must be a UUID of 36 characters")
	return id
}

// dimensions checks a width and a height in pixels: Messenger's apps refuse to show a picture without them.
func (v *validation) dimensions(kind string, width, height int) {
	v.check(width > 0, kind+".Width", "must be above 0")
	v.check(height > 0, kind+".Height", "must be above 0")
}

// time returns t as the wire has it, in UTC; the zero time is "".
func (v *validation) time(field string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	v.check(t.Year() >= 0 && t.Year() <= 9999, field, "must be within the years 0 to 9999")
	return t.Format(time.RFC3339Nano)
}

// marshal returns w as compact JSON if everything was in order. Addresses keep their & as it is.
func (v *validation) marshal(w any) ([]byte, error) {
	if v.err != nil {
		return nil, v.err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(w) != nil {
		return nil, invalid("Payload", "cannot be written as JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decoder makes a payload of a message's data, which it gets in two forms, to take the one that needs no copy. Its errors name
// fields and positions, never content.
type decoder func(text string, data []byte) (Payload, error)
