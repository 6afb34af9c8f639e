package wire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Any error ends its request, whatever its form.
func TestOddErrors(t *testing.T) {
	for in, want := range map[string]wire.Error{
		`{"code":403,"status":202}`:         {Code: 403, Status: 202},
		`{"code":"403","status":"202"}`:     {Code: 403, Status: 202},
		`{"code":403.0,"status":2.02e2}`:    {Code: 403, Status: 202},
		`{"code":{},"status":[403]}`:        {},
		`{"code":"forbidden","status":503}`: {Status: 503},
		// as in the Chinese guide
		`{"status":202,"code":20121,"status":"SENT"}`:               {Code: 20121, Status: 202},
		`{"code":403,"description":{"en":"no"},"extra":{"a":1}}`:    {Code: 403, Extra: json.RawMessage(`{"a":1}`)},
		`{"code":403,"description":7}`:                              {Code: 403, Description: "7"},
		`{"code":20121,"desciption":"Authorization code expired."}`: {Code: 20121},
		`{"code":18446744073709551616,"status":-1e30}`:              {Code: math.MaxInt32, Status: math.MinInt32},
		`"forbidden"`: {}, `[403]`: {}, `true`: {}, `{}`: {}, `403`: {},
	} {
		r := decode(t, `{"id":"i","action":"CREATE_MESSAGE","error":`+in+`}`)
		require.NotNil(t, r.Error, in)
		assert.Equal(t, want, *r.Error, in)
	}
}

// oddText, oddNumber and oddFlag decode a value according to its type in encoding/json. A value of another type changes
// nothing.
type (
	oddText   string
	oddNumber float64
	oddFlag   bool
)

type oddError struct {
	Status, Code oddNumber
	Description  oddText
	Extra        json.RawMessage
}

// UnmarshalJSON decodes an object. Any other value is an error without contents.
func (e *oddError) UnmarshalJSON(p []byte) error {
	type plain oddError
	v := plain(*e)
	if json.Unmarshal(p, &v) == nil {
		*e = oddError(v)
	}
	return nil
}

func (e *oddError) wire() wire.Error {
	code := func(n oddNumber) int { return int(max(math.MinInt32, min(n, math.MaxInt32))) }
	return wire.Error{Status: code(e.Status), Code: code(e.Code), Description: string(e.Description), Extra: e.Extra}
}

func scalar(p []byte) any {
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	var v any
	_ = d.Decode(&v)
	return v
}

// UnmarshalJSON decodes a string, or the characters of a number.
func (s *oddText) UnmarshalJSON(p []byte) error {
	switch v := scalar(p).(type) {
	case string:
		*s = oddText(v)
	case json.Number:
		*s = oddText(v)
	}
	return nil
}

var digits = regexp.MustCompile(`^([+-]?[0-9]+|-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?)$`)

// UnmarshalJSON decodes a number, or a string with one.
func (n *oddNumber) UnmarshalJSON(p []byte) error {
	var text oddText
	_ = text.UnmarshalJSON(p)
	if s := strings.TrimSpace(string(text)); digits.MatchString(s) {
		f, _ := strconv.ParseFloat(s, 64)
		*n = oddNumber(math.Round(f))
	}
	return nil
}

type moment struct{ time.Time }

var (
	zone = regexp.MustCompile(`(Z|[+-][0-9]{2}:[0-9]{2})$`)
	bare = regexp.MustCompile(`^(.{19,}[+-][0-9]{2})([0-9]{2})$`) // a zone without its colon
)

// UnmarshalJSON decodes an RFC 3339 time, with a T or a space, in UTC if it has no zone.
func (m *moment) UnmarshalJSON(p []byte) error {
	if len(p) < 13 || p[0] != '"' { // with its quotes
		return nil
	}
	s := bytes.Clone(p[1 : len(p)-1])
	if s[10] == ' ' {
		s[10] = 'T'
	}
	s = bare.ReplaceAll(s, []byte("$1:$2"))
	if !zone.Match(s) {
		s = append(s, 'Z')
	}
	if at, err := time.Parse(time.RFC3339Nano, string(s)); err == nil {
		m.Time = at.UTC()
	}
	return nil
}

// UnmarshalJSON decodes true or false, or a string with one.
func (f *oddFlag) UnmarshalJSON(p []byte) error {
	switch v := scalar(p).(type) {
	case bool:
		*f = oddFlag(v)
	case string:
		if s := strings.ToLower(strings.TrimSpace(v)); s == "true" || s == "false" {
			*f = s == "true"
		}
	}
	return nil
}
