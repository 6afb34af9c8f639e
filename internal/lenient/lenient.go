// Package lenient decodes JSON values of an unexpected type. Clients of the service write numbers as integers, as
// floats, with an exponent, or in strings, and omit the zone of a time. An invalid value is the zero value of its type,
// so that one odd field does not invalidate its object. Null counts as absent.
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

// Kind returns the first byte of a JSON value, 0 if there is none.
func Kind(raw []byte) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

func isNumber(first byte) bool { return first == '-' || first >= '0' && first <= '9' }

// Text returns a string, or the unchanged characters of a number. ok is false, and s is empty, for any other value. ok
// is also false for a string with more than 32 bytes that are not valid UTF-8.
func Text(raw []byte) (s string, ok bool) {
	switch first := Kind(raw); {
	case first == '"':
		s, ok = unquote(bytes.TrimSpace(raw))
	case isNumber(first):
		s, ok = string(bytes.TrimSpace(raw)), true
	}
	return s, ok
}

// mostDigits is the maximum length of a number. An error of package strconv contains a copy of its input.
const mostDigits = 1 << 10

// number returns the characters of a number, or of a string that may be one; otherwise nil.
func number(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || len(raw) > mostDigits:
		return nil
	case isNumber(raw[0]):
		return raw
	case raw[0] != '"':
		return nil
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		s, _ := unquote(raw)
		raw = []byte(s)
	} else {
		raw = bytes.Trim(raw, `"`)
	}
	return bytes.TrimSpace(raw)
}

// whole reports whether strconv.ParseInt accepts text, without the allocation of an error.
func whole(text []byte) bool {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// Int returns a whole number between least and most. It rounds a fraction, half away from zero, and clamps a number out
// of range. For a value that is not a number, ok is false and n is the number of the range nearest to 0. ok is also
// false for a number of more than 1,024 characters.
func Int(raw []byte, least, most int64) (n int64, ok bool) {
	text := number(raw)
	if whole(text) {
		n, _ = strconv.ParseInt(string(text), 10, 64) // clamped if it is out of range
		return min(max(n, least), most), true
	}
	//mutant:fractions
	f, ok := float(text)
	switch f = math.Round(f); {
	case f >= math.MaxInt64: // a float64 rounds it up by one
		n = math.MaxInt64
	case f <= math.MinInt64:
		n = math.MinInt64
	default:
		n = int64(f)
	}
	return min(max(n, least), most), ok
}

// Float returns a finite number. ok is false, and f is 0, for anything else and for a number of more than 1,024
// characters.
func Float(raw []byte) (f float64, ok bool) { return float(number(raw)) }

func float(text []byte) (f float64, ok bool) {
	if len(text) == 0 || !isNumber(text[0]) {
		return 0, false
	}
	for _, c := range text { // ParseFloat accepts more than JSON, and its errors allocate
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if errors.Is(err, strconv.ErrRange) {
		f, err = math.Copysign(math.MaxFloat64, f), nil
	}
	if err != nil {
		return 0, false
	}
	return f, true
}

// Bool returns true, false, or one of them in a string. For anything else both results are false.
func Bool(raw []byte) (b, ok bool) {
	text := string(bytes.TrimSpace(raw))
	if s, isText := Text(raw); isText {
		text = strings.ToLower(strings.TrimSpace(s))
	}
	return text == "true", text == "true" || text == "false"
}

// mostTime is the maximum length of a time. With nine digits of a second it has 35.
const mostTime = 64

// Time returns a time in UTC. It accepts RFC 3339, the same with a space for the T, without the colon in the zone, or
// without the zone, which means UTC. ok is false, and t is zero, for any other text.
func Time(s string) (t time.Time, ok bool) {
	const date = len("2006-01-02")
	if len(s) <= date || len(s) > mostTime {
		return time.Time{}, false
	}
	// Only one layout is used, because each mismatch allocates an error with copies of the text. Package time accepts a
	// fraction that is not in the layout.
	t, err := time.Time{}, error(nil)
	switch rest, offset, zone := cutZone(s); {
	case s[date] == 'T' && zone == 'Z': // the service's form, parsed in a third of the time
		t, err = time.Parse(time.RFC3339, s)
	case s[date] == 'T':
		t, err = time.Parse("2006-01-02T15:04:05", rest)
		t = t.Add(-offset)
	default:
		t, err = time.Parse("2006-01-02 15:04:05", rest)
		t = t.Add(-offset)
	}
	if err != nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// cutZone removes Z, +08:00 or +0800 from the end of a time. zone is its first character, or 0 if there is none. It is
// used because package time allocates for a zone.
func cutZone(s string) (rest string, offset time.Duration, zone byte) {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		return rest, 0, 'Z'
	}
	i := strings.LastIndexAny(s, "+-")
	if i <= len("2006-01-02") {
		return s, 0, 0
	}
	digits := s[i+1:]
	if len(digits) == len("08:00") && digits[2] == ':' {
		digits = digits[:2] + digits[3:]
	}
	if len(digits) != len("0800") || !whole([]byte(digits)) {
		return s, 0, 0
	}
	n, _ := strconv.Atoi(digits)
	hours, minutes := n/100, n%100
	if hours > 24 || minutes > 60 { // as in package time
		return s, 0, 0
	}
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[i] == '-' {
		offset = -offset
	}
	return s[:i], offset, s[i]
}

// String is a field decoded by [Text].
type String string

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. An invalid value changes nothing.
func (s *String) UnmarshalJSON(raw []byte) error {
	if text, ok := Text(raw); ok {
		*s = String(text)
	}
	return nil
}

// Number is a field decoded by [Int].
type Number int64

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. An invalid value changes nothing.
func (n *Number) UnmarshalJSON(raw []byte) error {
	if v, ok := Int(raw, math.MinInt64, math.MaxInt64); ok {
		*n = Number(v)
	}
	return nil
}

// Flag is a field decoded by [Bool].
type Flag bool

// UnmarshalJSON implements [json.Unmarshaler]. Its error is always nil. An invalid value changes nothing.
func (f *Flag) UnmarshalJSON(raw []byte) error {
	if v, ok := Bool(raw); ok {
		*f = Flag(v)
	}
	return nil
}

// List is an array without its invalid elements. Null is an empty list, as written by some encoders. Any other value is
// an error, because an empty list would be a wrong answer.
type List[T any] struct {
	All []T
	Odd bool // an element is invalid
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	*l = List[T]{}
	switch Kind(raw) {
	case '[':
	case 'n':
		return nil
	default:
		return errNoArray
	}
	for element := range Elements(raw) {
		var v T
		if Kind(element) == 'n' || json.Unmarshal(element, &v) != nil {
			l.Odd = true
			continue
		}
		l.All = append(l.All, v)
	}
	return nil
}

var errNoArray = errors.New("not a JSON array")
