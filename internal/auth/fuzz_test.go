package auth_test

import (
	"crypto/ecdh"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/auth"
)

// A key is rejected without being shown, or it signs tokens with its own method. An ed25519 key also agrees on secrets.
func FuzzNew(f *testing.F) {
	pair := unhex(f, testSeed+testPublic)
	small := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(f, 1024)))
	for _, key := range []string{
		testSeed, strings.ToUpper(testSeed), base64.StdEncoding.EncodeToString(pair),
		base64.RawURLEncoding.EncodeToString(pair),
		testSeed[:63], `\n` + testSeed + `\r\n`, small, strings.ReplaceAll(small, "\n", `\n`),
		strings.ReplaceAll(small, "\n", " "),
		small[:len(small)/2], strings.Replace(small, "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
		pemOf("PRIVATE KEY", []byte("no key")), "-----BEGIN", "",
	} {
		f.Add(key)
	}
	other, err := ecdh.X25519().NewPrivateKey(unhex(f, testSeed))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, key string) {
		s, err := auth.New(app, session, key)
		if err != nil {
			require.Nil(t, s)
			if given := strings.TrimSpace(key); len(given) >= 16 {
				require.NotContains(t, err.Error(), given)
			}
			return
		}
		token, id, err := s.Token("GET", "/", nil)
		require.NoError(t, err)
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		require.NoError(t, err)
		require.Equal(t, id, parsed.Claims.(jwt.MapClaims)["jti"])
		secret, err := s.Shared(other.PublicKey())
		if parsed.Method.Alg() == "RS512" {
			require.Error(t, err)
			require.Nil(t, s.Public())
			return
		}
		require.NoError(t, err)
		public, err := ecdh.X25519().NewPublicKey(s.Public())
		require.NoError(t, err)
		same, err := other.ECDH(public)
		require.NoError(t, err)
		require.Equal(t, same, secret)
	})
}
