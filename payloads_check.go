package blaze

import (
	"bytes"
	"encoding/json"
	"time"
)

// validation keeps the first error of an outgoing payload. Errors name the field as in the Go type.
type validation struct{ err error }

// check records an error unless ok.
func (v *validation) check(ok bool, field, format string, args ...any) {
	if !ok && v.err == nil {
		v.err = invalid(field, format, args...)
	}
}

// duration validates a duration that is sent in milliseconds. A value below 1 ms usually lacks a unit.
func (v *validation) duration(field string, d time.Duration) {
	v.check(d >= 0, field, "must not be negative")
	v.check(d == 0 || d >= time.Millisecond, field, "%v is less than a millisecond: multiply by time.Second", d)
}

// id validates a required UUID and returns it in lower case.
func (v *validation) id(field, s string) string {
	v.check(s != "", field, "missing")
	return v.optionalID(field, s)
}

// optionalID validates a UUID or "" and returns it in lower case.
func (v *validation) optionalID(field, s string) string {
	if s == "" {
		return ""
	}
	id, ok := canonicalUUID(s)
	v.check(ok, field, "%s", notUUID(s))
	return id
}

// dimensions validates a width and a height in pixels. Messenger's apps do not show a picture without them.
func (v *validation) dimensions(kind string, width, height int) {
	v.check(width > 0, kind+".Width", "must be above 0")
	v.check(height > 0, kind+".Height", "must be above 0")
}

// time formats t for the wire, in UTC. It returns "" for the zero time.
func (v *validation) time(field string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	v.check(t.Year() >= 0 && t.Year() <= 9999, field, "must be within the years 0 to 9999")
	return t.Format(time.RFC3339Nano)
}

// marshal returns w as compact JSON unless validation failed. It does not escape & in addresses.
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
