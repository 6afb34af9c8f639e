// Package lenient reads JSON values of another kind than expected. Clients of the service write numbers as integers, as
// floats, with an exponent, or in strings, and leave out the zone of a time. A value that cannot be read is the zero
// value of its type, so that one odd field does not cost the object that it is in. Null counts as absent.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// kind is the first byte of a JSON value, 0 if there is none.
func kind(raw []byte) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

func isNumber(first byte) bool { return first == '-' || first >= '0' && first <= '9' }

// Text returns a string, or a number as the very characters of the wire. ok is false for any other value, which is "".
func Text(raw []byte) (s string, ok bool) {
	switch first := kind(raw); {
	case first == '"':
		ok = json.Unmarshal(raw, &s) == nil
	case isNumber(first):
		s, ok = string(bytes.TrimSpace(raw)), true
	}
	return s, ok
}

// Int returns a whole number between least and most. A fraction is rounded, half away from zero; a number out of range
// is the nearest one within. ok is false for what is no number, which is the one of the range that is nearest to 0.
func Int(raw []byte, least, most int64) (n int64, ok bool) {
	text, _ := Text(raw)
	text = strings.TrimSpace(text)
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // then n is the nearest
		return min(max(n, least), most), true
	}
	//mutant:odd-number
	f, ok := Float(raw)
	switch f = math.Round(f); {
	case f >= math.MaxInt64: // as a float it is one more
		n = math.MaxInt64
	case f <= math.MinInt64:
		n = math.MinInt64
	default:
		n = int64(f)
	}
	return min(max(n, least), most), ok
}

// Float returns a finite number. ok is false for anything else, which is 0.
func Float(raw []byte) (f float64, ok bool) {
	text, _ := Text(raw)
	text = strings.TrimSpace(text)
	if text == "" || !isNumber(text[0]) || strings.ContainsAny(text, "xXpP_iInN") {
		return 0, false // ParseFloat reads more than JSON has
	}
	f, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) {
		f, err = math.Copysign(math.MaxFloat64, f), nil
	}
	if err != nil {
		return 0, false
	}
	return f, true
}

// Bool returns true, false, or one of them in a string. ok is false for anything else, which is false.
func Bool(raw []byte) (b, ok bool) {
	text := string(bytes.TrimSpace(raw))
	if s, isText := Text(raw); isText {
		text = strings.ToLower(strings.TrimSpace(s))
	}
	return text == "true", text == "true" || text == "false"
}

// layouts are those of RFC 3339, the same without the colon in the zone, and what is left without the zone. Go reads a
// fraction where none is asked for.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05-0700",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04:05-0700",
}

// Time returns a moment in UTC. Without a zone it is taken as UTC. ok is false for what is none, which is the zero
// time.
func Time(s string) (t time.Time, ok bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// String is a field that is read by [Text].
type String string

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. What cannot be read changes nothing.
func (s *String) UnmarshalJSON(raw []byte) error {
	if text, ok := Text(raw); ok {
		*s = String(text)
	}
	return nil
}

// Number is a field that is read by [Int].
type Number int64

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. What cannot be read changes nothing.
func (n *Number) UnmarshalJSON(raw []byte) error {
	if v, ok := Int(raw, math.MinInt64, math.MaxInt64); ok {
		*n = Number(v)
	}
	return nil
}

// Flag is a field that is read by [Bool].
type Flag bool

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. What cannot be read changes nothing.
func (f *Flag) UnmarshalJSON(raw []byte) error {
	if v, ok := Bool(raw); ok {
		*f = Flag(v)
	}
	return nil
}

// List is an array without the elements that do not fit. Anything else than an array is an error: to take it for an
// empty one would say something that nobody said. Null is an empty list, as some encoders write one.
type List[T any] struct {
	All []T
	Odd bool // an element does not fit
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return err
	}
	*l = List[T]{}
	for _, element := range elements {
		var v T
		if kind(element) == 'n' || json.Unmarshal(element, &v) != nil {
			l.Odd = true
			continue
		}
		l.All = append(l.All, v)
	}
	return nil
}
