package faults_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mixin-blaze/blaze"
)

// tokenHead is how every token of an ed25519 key begins: {"alg":"EdDSA","typ":"JWT"} as base64. The signer's tests do
// not matter here; that real tokens begin like this is checked on each one that goes over the wire.
const tokenHead = "eyJhbGciOiJFZERTQSIs"

// scanned counts what was looked at, by kind.
var scanned = struct {
	sync.Mutex
	texts map[string]int
}{texts: make(map[string]int)}

// canary knows the forms in which the secrets of one session may leak.
type canary []string

// newCanary returns the forms of a session's key, and of any token.
func newCanary(key blaze.Keystore) canary {
	seed, err := hex.DecodeString(key.SessionPrivateKey)
	if err != nil {
		panic(err) // the test server makes its keys in this form
	}
	c := canary{tokenHead, key.SessionPrivateKey}
	for _, secret := range [][]byte{seed, []byte(key.SessionPrivateKey), []byte(tokenHead)} {
		c = append(c, forms(secret)...)
	}
	return c
}

// forms returns a secret as it is, and as it looks when something encodes or prints it. Of base64 it takes what does
// not depend on what stands before or behind.
func forms(secret []byte) []string {
	out := []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret))}
	for shift := range 3 {
		p := append(make([]byte, shift), secret...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(p)
			out = append(out, s[4:len(s)-4])
		}
	}
	var decimals []string
	for _, b := range secret {
		decimals = append(decimals, strconv.Itoa(int(b)))
	}
	return append(out, strings.Join(decimals, " "), strings.Join(decimals, ","), strings.Join(decimals, ", "))
}

// found returns whether a secret is in text.
func (c canary) found(text string) bool {
	for _, form := range c {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// look fails the test if a secret is in text. It does not repeat it.
func (c canary) look(t testing.TB, kind, text string) {
	scanned.Lock()
	scanned.texts[kind]++
	scanned.Unlock()
	if c.found(text) {
		t.Errorf("a secret is in one of the %s", kind)
	}
}

// lookAt prints a value, such as an error, in every way there is, and looks at that.
func (c canary) lookAt(t testing.TB, kind string, v any) {
	asJSON, _ := json.Marshal(v)
	c.look(t, kind, fmt.Sprintf("%v\n%+v\n%#v\n%q\n%x\n%s", v, v, v, v, v, asJSON))
}
