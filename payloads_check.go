package blaze

import (
	"bytes"
	"encoding/json"
	"time"
)

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
