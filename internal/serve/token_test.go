package serve_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// The session of these tests, and the SHA-256 of "GET/", the request that the websocket's token signs.
const (
	botID      = "b1a2e000-0000-4000-8000-000000000001"
	botSession = "b1a2e000-0000-4000-8000-000000000002"
	getSlash   = "f837ebeb4c2981ad9c64b70d0b0d18724c76c60781b9e4bf7a582510df7ada39"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// claims returns the claims of a valid token with the given changes. A nil value removes its claim.
func claims(with jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"uid": botID, "sid": botSession, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		"jti": "6f1c2b2e-6a0b-4d7c-9c59-0f3b8d7f6a11", "sig": getSlash, "scp": "FULL",
	}
	for k, v := range with {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func bearer(t *testing.T, method jwt.SigningMethod, key any, c jwt.MapClaims) http.Header {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	require.NoError(t, err)
	return http.Header{"Authorization": {"Bearer " + token}}
}

func ed25519Key(t *testing.T) (crypto.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return public, private
}

func TestTokens(t *testing.T) {
	public, private := ed25519Key(t)
	s := serve.Session{AppID: botID, ID: botSession, Key: public}
	for name, test := range map[string]struct {
		with    jwt.MapClaims
		request string
		want    string // part of the error; "" if there is none
	}{
		"good":             {nil, "GET/", ""},
		"a year long":      {jwt.MapClaims{"exp": now.AddDate(1, 0, 0).Unix()}, "GET/", ""},
		"5 minutes old":    {jwt.MapClaims{"iat": now.Add(-5 * time.Minute).Unix()}, "GET/", ""},
		"5 minutes ahead":  {jwt.MapClaims{"iat": now.Add(5 * time.Minute).Unix()}, "GET/", ""},
		"older":            {jwt.MapClaims{"iat": now.Add(-5*time.Minute - time.Second).Unix()}, "GET/", "clock"},
		"further ahead":    {jwt.MapClaims{"iat": now.Add(5*time.Minute + time.Second).Unix()}, "GET/", "clock"},
		"expired":          {jwt.MapClaims{"exp": now.Unix()}, "GET/", "expired"},
		"no iat":           {jwt.MapClaims{"iat": nil}, "GET/", "lacks"},
		"no exp":           {jwt.MapClaims{"exp": nil}, "GET/", "lacks"},
		"another bot":      {jwt.MapClaims{"uid": botSession}, "GET/", "uid"},
		"another session":  {jwt.MapClaims{"sid": botID}, "GET/", "sid"},
		"no session":       {jwt.MapClaims{"sid": nil}, "GET/", "sid"},
		"another scope":    {jwt.MapClaims{"scp": "PROFILE:READ"}, "GET/", "scp"},
		"no scope":         {jwt.MapClaims{"scp": nil}, "GET/", "scp"},
		"no jti":           {jwt.MapClaims{"jti": nil}, "GET/", "jti"},
		"a jti of letters": {jwt.MapClaims{"jti": "once"}, "GET/", "jti"},
		"another request":  {nil, "POST/", "sig"},
		"another path":     {nil, "GET/me", "sig"},
		"a body":           {nil, "GET/{}", "sig"},
		"no sig":           {jwt.MapClaims{"sig": nil}, "GET/", "sig"},
		"a request with a body": { // from the specification
			jwt.MapClaims{"sig": "b8b126d65f8e2516d2b282cd9576852fb543a94bfe7809851f145f5ff68c92f6"},
			`POST/acknowledgements[{"message_id":"928c5c40-769c-3e97-8387-fb1ae0645311","status":"READ"}]`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := bearer(t, jwt.SigningMethodEdDSA, private, claims(test.with))
			err := s.Check(h, test.request, now)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), h.Get("Authorization")[len("Bearer "):])
		})
	}
}

func TestKeysOfTokens(t *testing.T) {
	public, private := ed25519Key(t)
	_, other := ed25519Key(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		key    crypto.PublicKey
		method jwt.SigningMethod
		signer any
		good   bool
	}{
		"EdDSA":                          {public, jwt.SigningMethodEdDSA, private, true},
		"EdDSA with another key":         {public, jwt.SigningMethodEdDSA, other, false},
		"RS512":                          {&rsaKey.PublicKey, jwt.SigningMethodRS512, rsaKey, true},
		"RS256":                          {&rsaKey.PublicKey, jwt.SigningMethodRS256, rsaKey, false},
		"RS512 for a session of Ed25519": {public, jwt.SigningMethodRS512, rsaKey, false},
		"EdDSA for a session of RSA":     {&rsaKey.PublicKey, jwt.SigningMethodEdDSA, private, false},
		// The public key used as a shared secret, which fools a verifier that trusts the token's alg.
		"HS512":                     {public, jwt.SigningMethodHS512, []byte(public.(ed25519.PublicKey)), false},
		"no signature":              {public, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, false},
		"a session without any key": {nil, jwt.SigningMethodEdDSA, private, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve.Session{AppID: botID, ID: botSession, Key: test.key}
			err := s.Check(bearer(t, test.method, test.signer, claims(nil)), "GET/", now)
			assert.Equal(t, test.good, err == nil, err)
		})
	}
}

func TestHeadersOfTokens(t *testing.T) {
	public, private := ed25519Key(t)
	s := serve.Session{AppID: botID, ID: botSession, Key: public}
	good := bearer(t, jwt.SigningMethodEdDSA, private, claims(nil))
	good.Set("X-Request-Id", "c6d0c728-2624-429b-8e0d-d9d19b6592fa") // the official Go SDK does not send the jti
	require.NoError(t, s.Check(good, "GET/", now))

	token := good.Get("Authorization")[len("Bearer "):]
	for _, value := range []string{
		"", token, "Basic " + token, "Bearer", "Bearer ", "Bearer " + token + "x", "Bearer a.b.c",
	} {
		h := http.Header{}
		if value != "" {
			h.Set("Authorization", value)
		}
		assert.Error(t, s.Check(h, "GET/", now), value)
	}
}
