package hostile

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// window is how much of a secret is a part of it that must not come out, in characters.
const window = 16

// canary holds the windows of all forms of the secrets, in lower case.
type canary map[string]bool

// add adds a secret as it is.
func (c canary) add(text string) {
	text = strings.ToLower(text)
	for i := 0; i+window <= len(text); i++ {
		c[text[i:i+window]] = true
	}
}

// found returns whether a part of a secret is in text.
func (c canary) found(text string) bool {
	text = strings.ToLower(text)
	for i := 0; i+window <= len(text); i++ {
		if c[text[i:i+window]] {
			return true
		}
	}
	return false
}

// forms are the ways in which a server may write a secret.
var forms = []struct {
	name string
	of   func(secret string) string
}{
	{"as it is", func(s string) string { return s }},
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"percent", func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		return b.String()
	}},
	{"capitals", strings.ToUpper},
	{"pieces", func(s string) string {
		var b strings.Builder
		for len(s) > 40 {
			b.WriteString(s[:40] + " ")
			s = s[40:]
		}
		return b.String() + s
	}},
	{"backwards", func(s string) string {
		b := []byte(s)
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return string(b)
	}},
}

// secrets returns the canary of a run: the tokens that the server has seen, but for their public head, and the key.
func (r *run) secrets() canary {
	c := make(canary)
	key, _ := hex.DecodeString(seed)
	c.add(seed)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		c.add(enc.EncodeToString(key))
		c.add(enc.EncodeToString([]byte(seed)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for token := range r.tokens {
		if n++; n > 64 {
			break // an attack may take thousands of requests
		}
		_, secret, _ := strings.Cut(token, ".") // what stands before is the same in every token of anybody
		for _, form := range forms {
			c.add(form.of(secret))
		}
		for shift := range 3 { // of the header as a whole, in base64
			c.add(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))[4:])
		}
		c.add(url.QueryEscape(secret))
	}
	return c
}

// look fails the test if a secret is in an error or in the log, or if one of them could mislead its reader.
func (r *run) look() {
	r.t.Helper()
	c := r.secrets()
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, err := range r.errors {
		c.lookAt(r.t, err)
	}
	if c.found(r.book.String()) {
		r.t.Errorf("a secret is in the log")
	}
	if r.book.odd != "" {
		r.t.Errorf("the attribute %q of a log record is not printable", r.book.odd)
	}
}

// mostError is how long the text of an error may be, in bytes. It may join a few.
const mostError = 4 * kib

// lookAt prints an error in every way.
func (c canary) lookAt(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprint(err)
	if len(text) > mostError {
		t.Errorf("an error of %d bytes", len(text))
	}
	if !printable(text) {
		t.Errorf("an error that is not printable: %q", text[:min(len(text), 300)])
	}
	asJSON, _ := json.Marshal(err)
	if c.within(err, asJSON) {
		t.Errorf("a secret is in an error")
	}
}

// within reports whether a secret is in an error, in what it wraps, or in asJSON.
func (c canary) within(err error, asJSON []byte) bool {
	if err == nil {
		return false
	}
	if c.found(fmt.Sprintf("%v\n%+v\n%#v\n%q\n%s", err, err, err, err, asJSON)) {
		return true
	}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		return slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return c.within(e, nil) })
	}
	return c.within(errors.Unwrap(err), nil)
}

// hidden is an error that does not show what it wraps.
type hidden struct{ wrapped []error }

func (hidden) Error() string              { return "hidden" }
func (hidden) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "hidden") }
func (h hidden) Unwrap() []error          { return h.wrapped }

// TestCanary has the canary look into all that an error wraps.
func TestCanary(t *testing.T) {
	const secret = "a secret of many characters"
	c := make(canary)
	c.add(secret)
	told := hidden{[]error{errors.New(secret)}}
	for name, err := range map[string]error{
		"alone":             errors.New(secret),
		"the second of two": hidden{[]error{io.EOF, errors.New(secret)}},
		"below one":         fmt.Errorf("outer: %w", told),
		"below two":         fmt.Errorf("outer: %w: %w", io.EOF, told),
		"joined":            errors.Join(io.EOF, told),
	} {
		if !c.within(err, nil) {
			t.Errorf("%s: not found", name)
		}
	}
	if c.within(errors.Join(io.EOF, hidden{[]error{io.ErrUnexpectedEOF}}), nil) {
		t.Errorf("found where there is none")
	}
}
