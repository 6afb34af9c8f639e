package blazetest_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const unauthorized = `{"error":{"status":202,"code":401,"description":"Unauthorized"}}`

func TestHandshakeAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ws, resp, err := handshake(s, http.Header{"Authorization": {"Bearer " + token(t, s, nil)}}, "Mixin-Blaze-1")
		require.NoError(t, err)
		defer func() { _ = ws.Close() }()
		require.Equal(t, "Mixin-Blaze-1", ws.Subprotocol())
		extensions := resp.Header.Get("Sec-Websocket-Extensions")
		require.Empty(t, extensions, "compression was offered and must not be accepted")
		require.Equal(t, strconv.FormatInt(time.Now().UnixNano(), 10), resp.Header.Get("X-Server-Time"))
	})
}

// The Kotlin SDK requests another subprotocol, and Mixin's Android app none.
func TestHandshakeWithAnotherSubprotocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ws, _, err := handshake(s, http.Header{"Authorization": {"Bearer " + token(t, s, nil)}}, "MixinBot-Blaze-1")
		require.NoError(t, err)
		defer func() { _ = ws.Close() }()
		require.Empty(t, ws.Subprotocol())
	})
}

func TestHandshakeRefused(t *testing.T) {
	cases := map[string]func(jwt.MapClaims){
		"uid":         func(c jwt.MapClaims) { c["uid"] = id2 },
		"no uid":      func(c jwt.MapClaims) { delete(c, "uid") },
		"sid":         func(c jwt.MapClaims) { c["sid"] = id2 },
		"scp":         func(c jwt.MapClaims) { c["scp"] = "PROFILE:READ" },
		"jti":         func(c jwt.MapClaims) { c["jti"] = "1" },
		"sig":         func(c jwt.MapClaims) { c["sig"] = strings.Repeat("0", 64) },
		"no iat":      func(c jwt.MapClaims) { delete(c, "iat") },
		"no exp":      func(c jwt.MapClaims) { delete(c, "exp") },
		"early iat":   func(c jwt.MapClaims) { c["iat"] = time.Now().Add(-5*time.Minute - 2*time.Second).Unix() },
		"late iat":    func(c jwt.MapClaims) { c["iat"] = time.Now().Add(5*time.Minute + 2*time.Second).Unix() },
		"expired":     func(c jwt.MapClaims) { c["exp"] = time.Now().Unix() },
		"iat no date": func(c jwt.MapClaims) { c["iat"] = "today" },
	}
	for name, edit := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, f := newServer(t)
				expectUnauthorized(t, s, f, http.Header{"Authorization": {"Bearer " + token(t, s, edit)}})
			})
		})
	}
}

func TestHandshakeRefusedWithoutAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		other := blazetest.NewServer()
		defer other.Close()
		unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"uid": s.Key.AppID}).
			SignedString(jwt.UnsafeAllowNoneSignatureType)
		require.NoError(t, err)
		expectUnauthorized(t, s, f, nil)
		expectUnauthorized(t, s, f, http.Header{"Authorization": {token(t, s, nil)}})
		expectUnauthorized(t, s, f, http.Header{"Authorization": {"Bearer " + token(t, other, nil)}})
		expectUnauthorized(t, s, f, http.Header{"Authorization": {"Bearer " + unsigned}})
		expectUnauthorized(t, s, f, http.Header{"Authorization": {"Bearer garbage"}})
	})
}

// expectUnauthorized expects a websocket with a 401 as its first frame, as on the service, which answers no request. It
// also expects exactly one fault, which does not contain the token.
func expectUnauthorized(t *testing.T, s *blazetest.Server, f *faults, h http.Header) {
	t.Helper()
	ws, resp, err := handshake(s, h, "Mixin-Blaze-1")
	require.NoError(t, err)
	require.NotEmpty(t, resp.Header.Get("X-Server-Time"))
	c := &raw{t: t, ws: ws, d: new(wire.Deflater)}
	require.Equal(t, wire.Frame{
		Action: "ERROR", Error: &wire.Error{Status: 202, Code: 401, Description: "Unauthorized"},
	}, c.read())
	c.write(wire.ActionListPending, nil)
	alice := blazetest.UserID("alice")
	s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("not for you")})
	ended := make(chan error, 1)
	go func() {
		_, _, err := ws.ReadMessage()
		ended <- err
	}()
	synctest.Wait()
	require.Empty(t, ended)
	require.NoError(t, ws.Close())
	require.Error(t, <-ended, "no frame")
	reported := f.take()
	require.Len(t, reported, 1)
	if auth := h.Get("Authorization"); len(auth) > 20 {
		require.NotContains(t, reported[0], auth[len(auth)-20:])
	}
}

func TestHandshakeIntercepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		header := http.Header{"Authorization": {"Bearer " + token(t, s, nil)}}
		for code, status := range map[blaze.Code]int{401: 401, 403: 403, 429: 429, 500: 500, 7000: 500, 10006: 202} {
			s.Intercept("GET /", func(req blazetest.Frame) blazetest.Answer {
				require.Equal(t, blazetest.Frame{Action: "GET /"}, req)
				return blazetest.Refuse(code)
			})
			_, resp, err := handshake(s, header, "Mixin-Blaze-1")
			require.Error(t, err)
			require.Equal(t, status, resp.StatusCode)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Contains(t, string(body), `"code":`+strconv.Itoa(int(code)))
		}
		s.Intercept("GET /", answer(blazetest.Answer{Cut: true}))
		_, resp, err := handshake(s, header, "Mixin-Blaze-1")
		require.Error(t, err)
		require.Nil(t, resp)
		redirect := []byte("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n")
		s.Intercept("GET /", answer(blazetest.Answer{Bytes: redirect}))
		_, resp, err = handshake(s, header, "Mixin-Blaze-1")
		require.Error(t, err)
		require.Equal(t, http.StatusFound, resp.StatusCode)
		s.Intercept("GET /", answer(blazetest.Answer{Reply: &blazetest.Frame{}}))
		connect(t, s)
		require.Len(t, f.take(), 1, "a handshake has no reply but a refusal")
	})
}

func TestHandshakeHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		s.Intercept("GET /", answer(blazetest.Answer{Hang: true}))
		failed := make(chan error)
		go func() {
			_, _, err := handshake(s, nil, "Mixin-Blaze-1")
			failed <- err
		}()
		synctest.Wait()
		select {
		case err := <-failed:
			t.Fatal("not silent:", err)
		default:
		}
		s.Close()
		require.Error(t, <-failed)
	})
}

// GET /me shows whether a session is valid. A 401 on the websocket does not.
func TestMe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		client := &http.Client{Transport: &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true}}
		get := func(edit func(jwt.MapClaims)) (int, map[string]any) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Config.API+"/me", nil)
			require.NoError(t, err)
			sum := sha256.Sum256([]byte("GET/me"))
			req.Header.Set("Authorization", "Bearer "+token(t, s, func(c jwt.MapClaims) {
				c["sig"] = hex.EncodeToString(sum[:])
				if edit != nil {
					edit(c)
				}
			}))
			resp, err := client.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			require.Equal(t, strconv.FormatInt(time.Now().UnixNano(), 10), resp.Header.Get("X-Server-Time"))
			var body map[string]map[string]any
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
			return resp.StatusCode, body["data"]
		}
		status, data := get(nil)
		require.Equal(t, 200, status)
		require.Equal(t, s.Key.AppID, data["user_id"])
		require.Equal(t, s.Key.SessionID, data["session_id"])
		for _, field := range []string{"identity_number", "full_name", "avatar_url", "created_at"} {
			require.Contains(t, data, field)
		}
		for _, edit := range []func(jwt.MapClaims){
			func(c jwt.MapClaims) { c["sid"] = id1 },
			func(c jwt.MapClaims) { c["iat"] = time.Now().Add(-6 * time.Minute).Unix() },
		} {
			status, data = get(edit)
			require.Equal(t, 202, status)
			require.Nil(t, data)
			require.Len(t, f.take(), 1)
		}
	})
}

func TestOtherHTTPRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		client := &http.Client{Transport: &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true}}
		get := func() (status int, body string) {
			resp, err := client.Get(s.Config.API + "/me")
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			p, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, string(p)
		}
		status, body := get()
		require.Equal(t, 202, status)
		require.JSONEq(t, unauthorized, body)
		require.Len(t, f.take(), 1)
		s.Intercept("GET /me", answer(blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`{"type":"user"}`)}}))
		status, body = get()
		require.Equal(t, 200, status)
		require.JSONEq(t, `{"data":{"type":"user"}}`, body)
	})
}

func TestKey(t *testing.T) {
	a, b := blazetest.NewServer(), blazetest.NewServer()
	defer a.Close()
	defer b.Close()
	require.Equal(t, "b1a2e000-0000-4000-8000-000000000001", a.Key.AppID)
	require.Equal(t, "b1a2e000-0000-4000-8000-000000000002", a.Key.SessionID)
	require.Equal(t, a.Key.AppID, b.Key.AppID)
	require.NotEqual(t, a.Key.SessionPrivateKey, b.Key.SessionPrivateKey)
	seed, err := hex.DecodeString(a.Key.SessionPrivateKey)
	require.NoError(t, err)
	require.Len(t, seed, 32)
	require.NotNil(t, a.Config.Logger)
}

func TestServerOnListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := blazetest.NewServerOn(ln)
	defer s.Close()
	require.Equal(t, []string{"ws://" + ln.Addr().String() + "/"}, s.Config.Endpoints)
	require.Equal(t, "http://"+ln.Addr().String(), s.Config.API)
	require.Nil(t, s.Config.TLSClientConfig)
	connectAndList(t, s)
}

func TestServerOnUnspecifiedAddress(t *testing.T) {
	ln, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	s := blazetest.NewServerOn(ln)
	defer s.Close()
	require.True(t, strings.HasPrefix(s.Config.Endpoints[0], "ws://localhost:"), s.Config.Endpoints[0])
	connectAndList(t, s)
}

func TestServerOnUnixSocket(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/socket")
	require.NoError(t, err)
	s := blazetest.NewServerOn(ln)
	defer s.Close()
	require.Equal(t, []string{"ws://localhost/"}, s.Config.Endpoints)
	connectAndList(t, s)
}

func TestServerOnTLSListener(t *testing.T) {
	cert := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure := tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}})
	// A wrapped listener can be recognized as TLS only by a connection.
	s := blazetest.NewServerOn(struct{ net.Listener }{secure})
	defer s.Close()
	require.Equal(t, []string{"wss://" + ln.Addr().String() + "/"}, s.Config.Endpoints)
	require.Equal(t, "https://"+ln.Addr().String(), s.Config.API)
	c := connectAndList(t, s)
	s.Cut()
	require.Error(t, c.ended())
}

// certificate returns a certificate for 127.0.0.1 that no system trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	ts := httptest.NewTLSServer(nil)
	defer ts.Close()
	cert := ts.TLS.Certificates[0]
	_, err := x509.ParseCertificate(cert.Certificate[0])
	require.NoError(t, err)
	return cert
}

func answer(a blazetest.Answer) func(blazetest.Frame) blazetest.Answer {
	return func(blazetest.Frame) blazetest.Answer { return a }
}
