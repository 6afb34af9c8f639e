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

// window is the length of the shortest part of a secret that must not leak, in characters.
const window = 16

// canary is the set of all parts of window characters of the secrets in all forms, in lower case.
type canary map[string]bool

// add adds a secret in one form.
func (c canary) add(text string) {
	text = strings.ToLower(text)
	for i := 0; i+window <= len(text); i++ {
		c[text[i:i+window]] = true
	}
}

// found reports whether text contains a part of a secret.
func (c canary) found(text string) bool {
	text = strings.ToLower(text)
	for i := 0; i+window <= len(text); i++ {
		if c[text[i:i+window]] {
			return true
		}
	}
	return false
}

// forms lists encodings in which a server may repeat a secret.
var forms = []struct {
	name string
	of   func(secret string) string
}{
	{"unchanged", func(s string) string { return s }},
	{"in base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"in hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"percent-encoded", func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		return b.String()
	}},
	{"in capitals", strings.ToUpper},
	{"in pieces", func(s string) string {
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

// secrets returns the canary of a run: the key, and the tokens that the server has received, without their public
// header.
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
			break // an attack may make thousands of requests
		}
		_, secret, _ := strings.Cut(token, ".") // all tokens have the same header
		for _, form := range forms {
			c.add(form.of(secret))
		}
		for shift := range 3 { // base64 of the Authorization header, at any offset
			c.add(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))[4:])
		}
		c.add(url.QueryEscape(secret))
	}
	return c
}

// look fails the test if an error or the log contains a secret or is not printable.
func (r *run) look() {
	r.t.Helper()
	c := r.secrets()
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, err := range r.errors {
		c.lookAt(r.t, err)
	}
	if c.found(r.book.String()) {
		r.t.Errorf("the log contains a secret")
	}
	if r.book.odd != "" {
		r.t.Errorf("the attribute %q of a log record is not printable", r.book.odd)
	}
}

// mostError is the longest error text in bytes. An error may join a few others.
const mostError = 4 * kib

// lookAt prints an error with every verb and searches the results.
func (c canary) lookAt(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprint(err)
	if len(text) > mostError {
		t.Errorf("an error of %d bytes", len(text))
	}
	if !printable(text) {
		t.Errorf("an error is not printable: %q", text[:min(len(text), 300)])
	}
	asJSON, _ := json.Marshal(err)
	if c.within(err, asJSON) {
		t.Errorf("an error contains a secret")
	}
}

// within reports whether an error, an error that it wraps, or asJSON contains a secret.
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

// hidden is an error that does not print the errors it wraps.
type hidden struct{ wrapped []error }

func (hidden) Error() string              { return "hidden" }
func (hidden) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "hidden") }
func (h hidden) Unwrap() []error          { return h.wrapped }

// TestCanary checks that the canary searches all wrapped errors.
func TestCanary(t *testing.T) {
	const secret = "a secret of many characters"
	c := make(canary)
	c.add(secret)
	inner := hidden{[]error{errors.New(secret)}}
	for name, err := range map[string]error{
		"alone":             errors.New(secret),
		"the second of two": hidden{[]error{io.EOF, errors.New(secret)}},
		"below one":         fmt.Errorf("outer: %w", inner),
		"below two":         fmt.Errorf("outer: %w: %w", io.EOF, inner),
		"joined":            errors.Join(io.EOF, inner),
	} {
		if !c.within(err, nil) {
			t.Errorf("%s: the secret is not found", name)
		}
	}
	if c.within(errors.Join(io.EOF, hidden{[]error{io.ErrUnexpectedEOF}}), nil) {
		t.Errorf("a secret is found in an error without one")
	}
}
