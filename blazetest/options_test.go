package blazetest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// The first test key of RFC 8032, section 7.1.
const (
	seedHex   = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	publicHex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)

// keys returns one keystore in each form.
func keys(t *testing.T) map[string]blaze.Keystore {
	t.Helper()
	pair, err := hex.DecodeString(seedHex + publicHex)
	require.NoError(t, err)
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}
	all := map[string]blaze.Keystore{}
	for form, key := range map[string]string{
		"seed": seedHex, "pair": base64.RawURLEncoding.EncodeToString(pair), "RSA": string(pem.EncodeToMemory(block)),
	} {
		all[form] = blaze.Keystore{AppID: strings.ToUpper(id1), SessionID: id2, SessionPrivateKey: key}
	}
	return all
}

func TestAGivenKey(t *testing.T) {
	for form, key := range keys(t) {
		t.Run(form, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := blazetest.NewServerWith(blazetest.Options{Key: key})
				t.Cleanup(s.Close)
				require.Equal(t, key, s.Key)
				blazetest.Run(t, s, echo, nil)
				alice := blazetest.UserID("alice")
				s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hello")})
				out, err := s.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, blaze.ConversationID(id1, alice), out.ConversationID)
			})
		})
	}
}

// Only a session with an Ed25519 key can receive encrypted messages.
func TestSealingForAGivenKey(t *testing.T) {
	for form, key := range keys(t) {
		t.Run(form, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, f := newServerWith(t, blazetest.Options{Key: key})
				blazetest.Run(t, s, echo, nil)
				id := s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("psst"), Encrypted: true})
				if form == "RSA" {
					require.Empty(t, id)
					require.Contains(t, strings.Join(f.take(), ""), "RSA")
					return
				}
				out, err := s.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, blaze.Text("echo: psst"), out.Payload)
				require.True(t, out.Encrypted)
			})
		})
	}
}

// The token of another session is rejected.
func TestAGivenKeyIsTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := blazetest.NewServer()
		other.Close()
		s, f := newServerWith(t, blazetest.Options{Key: keys(t)["seed"]})
		c, err := blaze.New(other.Key, &s.Config)
		require.NoError(t, err)
		require.ErrorIs(t, c.Run(t.Context(), nil), blaze.CodeUnauthorized)
		synctest.Wait() // the server may still check the client's request for its profile
		require.NotEmpty(t, f.take())
	})
}

func TestWhatAKeyLacksIsMadeUp(t *testing.T) {
	s := blazetest.NewServerWith(blazetest.Options{Key: blaze.Keystore{AppID: id3}})
	defer s.Close()
	require.Equal(t, id3, s.Key.AppID)
	require.Equal(t, "b1a2e000-0000-4000-8000-000000000002", s.Key.SessionID)
	require.Len(t, s.Key.SessionPrivateKey, 64)
}

func TestAnInvalidKeyIsMisuse(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	s := blazetest.NewServerWith(blazetest.Options{Key: blaze.Keystore{SessionPrivateKey: "s3cret"}})
	os.Stderr = stderr
	defer s.Close()
	require.NoError(t, w.Close())
	p := make([]byte, 1000)
	n, err := r.Read(p)
	require.NoError(t, err)
	require.Contains(t, string(p[:n]), "blazetest: Options.Key: ")
	require.NotContains(t, string(p[:n]), "s3cret")
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		s.Clock(time.Hour)
		c := connectSigned(t, s, time.Hour)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		require.Equal(t, time.Now().UTC().Add(time.Hour), c.pushed().CreatedAt)
		s.Clock(-time.Hour)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		require.Equal(t, time.Now().UTC().Add(-time.Hour), c.pushed().CreatedAt)
		require.Empty(t, f.take())
		_, resp, err := handshake(s, signed(t, s, 0), "Mixin-Blaze-1")
		require.NoError(t, err)
		require.Equal(t, nanoseconds(time.Now().Add(-time.Hour)), resp.Header.Get("X-Server-Time"))
		require.Contains(t, strings.Join(f.take(), ""), "iat differs")
		s.Clock(0)
		_, _, err = handshake(s, signed(t, s, 4*time.Minute), "Mixin-Blaze-1")
		require.NoError(t, err)
	})
}

// A client adapts to the server's clock.
func TestAClientFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		s.Clock(24 * time.Hour)
		blazetest.Run(t, s, echo, nil)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		require.NoError(t, s.Idle(t.Context()))
		for _, report := range f.take() {
			require.Contains(t, report, "iat differs")
		}
	})
}
