package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/golang-jwt/jwt/v5"

	"github.com/mixin-blaze/blaze/internal/auth"
)

const (
	app     = "89e0bdee-c355-47f2-945a-be48be875606"
	session = "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"

	// The first test key of RFC 8032, section 7.1. The public key is from the RFC, not computed by this code.
	testSeed   = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	testPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newSigner(t *testing.T, key string) *auth.Signer {
	t.Helper()
	s, err := auth.New(app, session, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// verify checks a token's signature with a key that does not come from the Signer, and returns its claims.
func verify(t *testing.T, token, alg string, public any) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	parsed, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return public, nil },
		jwt.WithValidMethods([]string{alg}), jwt.WithJSONNumber(), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(parsed.Header); got != fmt.Sprintf("map[alg:%s typ:JWT]", alg) {
		t.Errorf("header is %s", got)
	}
	return claims
}

func TestTokenOfEachKey(t *testing.T) {
	pair := unhex(t, testSeed+testPublic)
	ed := ed25519.PublicKey(unhex(t, testPublic))
	small, large := rsaKey(t, 1024), rsaKey(t, 2048)
	small1 := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small))
	for name, c := range map[string]struct {
		key, alg string
		public   any
	}{
		"hex seed":          {testSeed, "EdDSA", ed},
		"upper case":        {strings.ToUpper(testSeed), "EdDSA", ed},
		"white space":       {" \t" + testSeed + "\r\n", "EdDSA", ed},
		"base64 raw URL":    {base64.RawURLEncoding.EncodeToString(pair), "EdDSA", ed},
		"base64 URL":        {base64.URLEncoding.EncodeToString(pair), "EdDSA", ed},
		"base64 raw std":    {base64.RawStdEncoding.EncodeToString(pair), "EdDSA", ed},
		"base64 std":        {base64.StdEncoding.EncodeToString(pair), "EdDSA", ed},
		"PKCS#1, 1024 bits": {small1, "RS512", small.Public()},
		"PKCS#1, CRLF":      {strings.ReplaceAll(small1, "\n", "\r\n"), "RS512", small.Public()},
		"one line":          {strings.ReplaceAll(small1, "\n", ""), "RS512", small.Public()},
		"spaces for lines":  {strings.ReplaceAll(small1, "\n", " "), "RS512", small.Public()},
		"literal \\n":       {strings.ReplaceAll(small1, "\n", `\n`), "RS512", small.Public()},
		"literal \\r\\n":    {strings.ReplaceAll(small1, "\n", `\r\n`) + `\n`, "RS512", small.Public()},
		"indented":          {strings.ReplaceAll(small1, "\n", "\n\t    "), "RS512", small.Public()},
		"blank lines":       {strings.ReplaceAll(small1, "\n", "\n\n"), "RS512", small.Public()},
		"seed, literal \\n": {testSeed + `\n`, "EdDSA", ed},
		"PKCS#8, one line": {
			strings.ReplaceAll(pemOf("PRIVATE KEY", pkcs8(t, small)), "\n", ""), "RS512", small.Public(),
		},
		"PKCS#8, 1024 bits": {pemOf("PRIVATE KEY", pkcs8(t, small)), "RS512", small.Public()},
		"PKCS#8, 2048 bits": {pemOf("PRIVATE KEY", pkcs8(t, large)), "RS512", large.Public()},
	} {
		t.Run(name, func(t *testing.T) {
			token, _, err := newSigner(t, c.key).Token("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, token, c.alg, c.public)
			if _, err := jwt.Parse(token+"A", func(*jwt.Token) (any, error) { return c.public, nil }); err == nil {
				t.Error("the check of the signature lets anything pass")
			}
		})
	}
}

func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := auth.New(strings.ToUpper(app), session, testSeed)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, offset := range []time.Duration{0, 7 * time.Minute, -time.Hour + time.Second} {
			s.SetOffset(offset)
			if s.Offset() != offset {
				t.Errorf("offset is %v, want %v", s.Offset(), offset)
			}
			token, id, err := s.Token("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().Add(offset).Unix()
			parser := jwt.NewParser(jwt.WithJSONNumber(), jwt.WithoutClaimsValidation())
			claims := jwt.MapClaims{}
			if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
				return ed25519.PublicKey(unhex(t, testPublic)), nil
			}); err != nil {
				t.Fatal(err)
			}
			want := jwt.MapClaims{
				"uid": app,
				"sid": session,
				"iat": json.Number(fmt.Sprint(now)),
				"exp": json.Number(fmt.Sprint(now + 3600)),
				"jti": id,
				"sig": "f837ebeb4c2981ad9c64b70d0b0d18724c76c60781b9e4bf7a582510df7ada39",
				"scp": "FULL",
			}
			if !maps.Equal(claims, want) {
				t.Errorf("with offset %v the claims are\n%v\nwant\n%v", offset, claims, want)
			}
			u, err := uuid.FromString(id)
			if err != nil || u.Version() != uuid.V4 || u.String() != id {
				t.Errorf("request id %q is no random UUID in lower case", id)
			}
			if ids[id] {
				t.Errorf("request id %q came twice", id)
			}
			ids[id] = true
		}
	})
}

func TestSigBindsTheRequest(t *testing.T) {
	s := newSigner(t, testSeed)
	sig := func(method, uri, body string) any {
		token, _, err := s.Token(method, uri, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return verify(t, token, "EdDSA", ed25519.PublicKey(unhex(t, testPublic)))["sig"]
	}
	const acks = `[{"message_id":"928c5c40-769c-3e97-8387-fb1ae0645311","status":"READ"}]`
	if got := sig("POST", "/acknowledgements", acks); got !=
		"b8b126d65f8e2516d2b282cd9576852fb543a94bfe7809851f145f5ff68c92f6" {
		t.Errorf("sig is %v", got)
	}
	seen := map[any]bool{}
	for _, r := range [][3]string{{"GET", "/", ""}, {"POST", "/", ""}, {"GET", "/?a=1", ""}, {"GET", "/", "{}"}} {
		seen[sig(r[0], r[1], r[2])] = true
	}
	if len(seen) != 4 {
		t.Errorf("4 requests have %d different sigs", len(seen))
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newSigner(t, testSeed)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s.SetOffset(time.Duration(i))
			if _, _, err := s.Token("GET", "/", nil); err != nil {
				t.Error(err)
			}
			if d := s.Offset(); d < 0 || d > 7 {
				t.Errorf("offset is %d", d)
			}
		})
	}
	wg.Wait()
}

func TestNewRefuses(t *testing.T) {
	pair := unhex(t, testSeed+testPublic)
	mismatch := slices.Clone(pair)
	mismatch[63] ^= 1
	rsa1 := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t, 1024)))
	public, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(unhex(t, testPublic)))
	if err != nil {
		t.Fatal(err)
	}
	protected := strings.Replace(rsa1, "KEY-----\n",
		"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
	std := base64.StdEncoding
	for name, c := range map[string]struct{ app, session, key, want string }{
		"no app id":           {"", session, testSeed, "app id: is missing"},
		"app id of 32 digits": {strings.ReplaceAll(app, "-", ""), session, testSeed, "app id: is not a UUID"},
		"app id in braces":    {"{" + app + "}", session, testSeed, "app id: is not a UUID"},
		"no session id":       {app, " ", testSeed, "session id: is missing"},
		"session id":          {app, testSeed, testSeed, "session id: is not a UUID"},
		"no key":              {app, session, " \n", "is missing"},
		"odd hex":             {app, session, testSeed[:63], "has 63 hex digits; an ed25519 seed has 64"},
		"short hex":           {app, session, testSeed[:62], "has 62 hex digits; an ed25519 seed has 64"},
		"long hex":            {app, session, testSeed + testPublic, "has 128 hex digits; an ed25519 seed has 64"},
		"not hex":             {app, session, testSeed[:63] + "g", "is base64 of 48 bytes; an ed25519 key has 64"},
		"seed in base64": {
			app, session, std.EncodeToString(pair[:32]), "is base64 of 32 bytes; an ed25519 key has 64",
		},
		"not base64": {app, session, std.EncodeToString(pair)[:80] + "!", "is none of"},
		"mismatch": {
			app, session, std.EncodeToString(mismatch), "its last 32 bytes are not the public key of its first 32",
		},
		"PEM cut short":       {app, session, rsa1[:len(rsa1)/2], "damaged or truncated"},
		"PEM end missing":     {app, session, strings.TrimSpace(rsa1)[:len(rsa1)-10], "damaged or truncated"},
		"PEM of nothing":      {app, session, pemOf("RSA PRIVATE KEY", []byte("no key")), "without an RSA private key"},
		"PEM of a public key": {app, session, pemOf("PUBLIC KEY", public), "without a private key"},
		"PEM of ed25519": {
			app, session, pemOf("PRIVATE KEY", pkcs8(t, ed25519.NewKeyFromSeed(pair[:32]))), "not RSA",
		},
		"PEM with a password": {app, session, protected, "password"},
		"password, one line":  {app, session, strings.ReplaceAll(protected, "\n", " "), "password"},
		"one line, cut short": {app, session, strings.ReplaceAll(rsa1, "\n", "")[:400], "damaged or truncated"},
		"PEM with PKCS#8's":   {app, session, pemOf("ENCRYPTED PRIVATE KEY", []byte("?")), "password"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := auth.New(c.app, c.session, c.key)
			if err == nil || s != nil {
				t.Fatalf("accepted, error %v", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			for _, given := range []string{c.app, c.session, c.key} {
				if given = strings.TrimSpace(given); len(given) > 0 && strings.Contains(err.Error(), given) {
					t.Errorf("error %q shows what was given", err)
				}
			}
		})
	}
}

// TestShortRSAKey makes a key that crypto/rsa rejects by default. New must reject it, so that Token does not fail
// later.
func TestShortRSAKey(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key := rsaKey(t, 512)
	text := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	t.Setenv("GODEBUG", "")
	if _, err := auth.New(app, session, text); err == nil || !strings.Contains(err.Error(), "512 bits") {
		t.Errorf("error is %v", err)
	}
}

func TestSignerDoesNotPrintItsKey(t *testing.T) {
	seed := unhex(t, testSeed)
	s := newSigner(t, testSeed)
	type holder struct {
		Public  *auth.Signer
		private *auth.Signer
	}
	h := holder{s, s}
	_ = h.private
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%x", "%X", "%s", "%d", "%p", "%w", "%t"} {
		for _, v := range []any{s, h, &h, []any{s}, map[string]*auth.Signer{"k": s}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("canary", "signer", s, "holder", h, "pointer", &h)
	}
	for _, form := range []string{
		string(seed),
		testSeed, strings.ToUpper(testSeed),
		base64.RawStdEncoding.EncodeToString(seed), base64.RawURLEncoding.EncodeToString(seed),
		strings.Trim(fmt.Sprint(seed), "[]"), strings.Trim(strings.ReplaceAll(fmt.Sprint(seed), " ", ","), "[]"),
	} {
		// The first part would be enough to reveal a key, and it is present even if a seed was extended.
		if strings.Contains(out.String(), form[:len(form)*3/4]) {
			t.Errorf("the key is printed as %q", form)
		}
	}
	if !strings.Contains(out.String(), session) {
		t.Error("the session is not printed")
	}
}

// Tokens are dated within a day of this machine's clock and valid for an hour, whatever time a server sends.
func TestOffsetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, testSeed)
		const day, most = 24 * time.Hour, time.Duration(1<<63 - 1)
		for given, want := range map[time.Duration]time.Duration{
			day: day, day + 1: day, 100 * 365 * day: day, most: day,
			-day: -day, -day - 1: -day, -most: -day, -most - 1: -day,
		} {
			s.SetOffset(given)
			if s.Offset() != want {
				t.Errorf("offset %v became %v", given, s.Offset())
			}
			token, _, err := s.Token("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			var claims struct{ jwt.RegisteredClaims }
			if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
				t.Fatal(err)
			}
			if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life != time.Hour {
				t.Errorf("a token for %v", life)
			}
			if off := time.Until(claims.IssuedAt.Time); off != want {
				t.Errorf("dated by %v, want %v", off, want)
			}
		}
	})
}
