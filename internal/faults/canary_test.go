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

// tokenHead is the start of every token of an ed25519 key: {"alg":"EdDSA","typ":"JWT"} in base64. The tests check each
// token on the wire for it.
const tokenHead = "eyJhbGciOiJFZERTQSIs"

// scanned counts the searched texts by kind.
var scanned = struct {
	sync.Mutex
	texts map[string]int
}{texts: make(map[string]int)}

// canary holds the forms in which the secrets of one session may leak.
type canary []string

// newCanary returns the forms of a session's key and of the start of any token.
func newCanary(key blaze.Keystore) canary {
	seed, err := hex.DecodeString(key.SessionPrivateKey)
	if err != nil {
		panic(err) // the test server generates its keys in hex
	}
	c := canary{tokenHead, key.SessionPrivateKey}
	for _, secret := range [][]byte{seed, []byte(key.SessionPrivateKey), []byte(tokenHead)} {
		c = append(c, forms(secret)...)
	}
	return c
}

// forms returns a secret as it is and in several encodings. Of base64 it returns the part that does not depend on
// adjacent bytes.
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

// found reports whether text contains a secret.
func (c canary) found(text string) bool {
	for _, form := range c {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// look fails the test if text contains a secret. It does not print the text.
func (c canary) look(t testing.TB, kind, text string) {
	scanned.Lock()
	scanned.texts[kind]++
	scanned.Unlock()
	if c.found(text) {
		t.Errorf("a secret is in one of the %s", kind)
	}
}

// lookAt prints a value with every verb and searches the results.
func (c canary) lookAt(t testing.TB, kind string, v any) {
	asJSON, _ := json.Marshal(v)
	c.look(t, kind, fmt.Sprintf("%v\n%+v\n%#v\n%q\n%x\n%s", v, v, v, v, v, asJSON))
}
