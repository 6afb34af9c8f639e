package tame_test

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/tame"
)

const id = "89e0bdee-c355-47f2-945a-be48be875606"

// Ordinary texts of the service, gateways, proxies and package net are unchanged.
func TestOrdinaryTextStays(t *testing.T) {
	for _, s := range []string{
		"", "Unauthorized, maybe invalid token.", "The request body can't be parsed as valid data.", "Forbidden",
		"Invalid field conversation_id.", `the field "participants" is not valid`, "GET /attachments/" + id,
		"of message " + id + " in " + strings.ToUpper(id), "CREATE_PLAIN_MESSAGES", "ACKNOWLEDGE_MESSAGE_RECEIPTS",
		"dial tcp: lookup mixin-blaze.zeromesh.net on 10.96.0.10:53: read udp " +
			"10.244.1.7:51234->10.96.0.10:53: i/o timeout",
		"dial tcp [2001:db8::8a2e:370:7334]:443: connect: connection refused", "2026-11-27T01:38:50.123456789Z",
		"tls: failed to verify certificate: x509: certificate is valid for *.mixin.one, not api.mixin.one",
		"502 Bad Gateway", "407 Proxy Authentication Required", "用户不存在", "naïve – text",
		"https://ec2-203-0-113-25.compute-1.amazonaws.com/", "NoSuchBucketException",
		strings.Repeat("x", 120), "a-name-of-a-machine-that-is-longer-than-usual.example",
	} {
		assert.Equal(t, s, tame.Text(s))
	}
}

func TestTextIsShortAndPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"a\nb\r\n\tc\x00\x1b[31m\u202e\xff": `a\nb\r\n\tc\x00\x1b[31m\u202e\xff`,
		strings.Repeat("long ", 1_000_000):  strings.Repeat("long ", 40)[:197] + "...",
		strings.Repeat("é ", 1000):          strings.Repeat("é ", 98) + "é...",
		strings.Repeat("é ", 100):           strings.Repeat("é ", 100),
		strings.Repeat("\n", 101):           strings.Repeat(`\n`, 98) + `\...`,
	} {
		got := tame.Text(s)
		assert.Equal(t, want, got)
		assert.Equal(t, got, tame.Text(got), "once is enough")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := make([]byte, r.IntN(600))
		for i := range p {
			p[i] = "aB3 \n\x00\xc3\xa9-\\\".="[r.IntN(13)]
		}
		got := tame.Text(string(p))
		assert.LessOrEqual(t, utf8.RuneCountInString(got), 200)
		assert.Equal(t, -1,
			strings.IndexFunc(got, func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }))
		assert.Equal(t, got, tame.Text(got), "%q", p)
	}
}

// random returns n random bytes.
func random(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

// percent encodes each byte.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString("%" + hex.EncodeToString([]byte{s[i]}))
	}
	return b.String()
}

// lines cuts s into lines.
func lines(s string, n int, end string) string {
	var all []string
	for ; len(s) > n; s = s[n:] {
		all = append(all, s[:n])
	}
	return strings.Join(append(all, s), end)
}

// A token, its parts and keys are hidden in any encoding: no 16 bytes of one are left.
func TestKeysAndTokensAreHidden(t *testing.T) {
	forms := map[string]func(string) string{
		"raw": func(s string) string { return s }, "upper": strings.ToUpper, "lower": strings.ToLower,
		"base64":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"percent": percent, "query": url.QueryEscape,
		"hex":           func(s string) string { return hex.EncodeToString([]byte(s)) },
		"lines of 64":   func(s string) string { return lines(s, 64, "\n") },
		"lines of 40":   func(s string) string { return lines(s, 40, "\r\n") },
		"lines in JSON": func(s string) string { return lines(s, 76, `\n`) },
		"cut":           func(s string) string { return s[:len(s)-len(s)/3] },
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		b64 := func(n int) string { return base64.RawURLEncoding.EncodeToString(random(r, n)) }
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"JWT"}`))
		token := header + "." + b64(280) + "." + b64(64)
		for _, secret := range []string{
			token, token[strings.LastIndex(token, ".")+1:], hex.EncodeToString(random(r, 32)), b64(64),
		} {
			for name, form := range forms {
				shown := form(secret)
				for _, around := range []string{
					"%", "Authorization: Bearer %", "<p>you sent %, and it is wrong</p>", `{"token":"%"}`,
				} {
					got := tame.Text(strings.Replace(around, "%", shown, 1))
					for _, window := range windows(shown, 16) {
						if !assert.False(t, strings.Contains(got, window), "%s: %s in %s", name, window, got) {
							return
						}
					}
				}
			}
		}
	}
}

// A word that is long enough is hidden even without digits.
func TestALongWordIsHidden(t *testing.T) {
	got := tame.Text("you sent kJhgfdsaqwertyuiopzxcvbnmkJhgfdsaqwertyuiopzxcvbnm today")
	assert.Equal(t, "you sent [...] today", got)
}

func windows(s string, n int) (all []string) {
	for i := 0; i+n <= len(s); i++ {
		all = append(all, s[i:i+n])
	}
	return all
}

func TestJSON(t *testing.T) {
	secret := strings.Repeat("S3cret", 10)
	for raw, want := range map[string]string{
		``: ``, `{"field":"data","reason":"too long"}`: `{"field":"data","reason":"too long"}`,
		`{"a":["` + secret + `"]}`: `{"a":["[...]"]}`, `{"` + secret + `":1}`: `{"[...]":1}`,
		`{"id":"` + id + `"}`: `{"id":"` + id + `"}`,
		`{"a":"` + strings.ReplaceAll(secret, "S", `\u0053`) + `"}`: ``, // hidden by escapes
		`[` + strings.Repeat("1", 40) + `]`:                         ``,
		`"` + strings.Repeat("a ", 49) + `"`:                        `"` + strings.Repeat("a ", 49) + `"`,
		`"` + strings.Repeat("a ", 50) + `"`:                        ``, // longer than 100 bytes
		`{`:                                                         ``,
	} {
		assert.Equal(t, want, string(tame.JSON([]byte(raw), 100)), raw)
	}
}

func FuzzText(f *testing.F) {
	f.Add("you sent eyJhbGciOiJFZERTQSJ9." + strings.Repeat("aB3-", 30))
	f.Fuzz(func(t *testing.T, s string) {
		got := tame.Text(s)
		assert.LessOrEqual(t, utf8.RuneCountInString(got), 200)
		assert.Equal(t, got, tame.Text(got))
	})
}
