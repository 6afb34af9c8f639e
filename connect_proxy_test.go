package blaze_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// secureServer returns a TLS server on the loopback interface that negotiates HTTP/2 if a client offers it.
func secureServer(t *testing.T) *blazetest.Server {
	t.Helper()
	ts := httptest.NewTLSServer(nil) // provides the certificate
	t.Cleanup(ts.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newServerOn(tls.NewListener(ln, &tls.Config{
		Certificates: ts.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"},
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.NegotiatedProtocol == "h2" { // the rest would be HTTP/2
				return errAny
			}
			return nil
		},
	}))
	t.Cleanup(s.Close)
	s.Errorf = t.Errorf
	return s
}

// tunnels is an HTTP proxy that records its CONNECT requests.
type tunnels struct {
	*httptest.Server
	reject  int // the status; 0: it does not
	mu      sync.Mutex
	queried []*http.Request
	wg      sync.WaitGroup
}

func newTunnels(t *testing.T, secure bool) *tunnels {
	t.Helper()
	p := new(tunnels)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(func() {
		p.Close()
		p.wg.Wait()
	})
	return p
}

func (p *tunnels) serve(w http.ResponseWriter, r *http.Request) {
	p.wg.Add(1)
	defer p.wg.Done()
	p.mu.Lock()
	p.queried = append(p.queried, r)
	p.mu.Unlock()
	if p.reject != 0 || r.Method != http.MethodConnect {
		http.Error(w, "no", max(p.reject, http.StatusForbidden))
		return
	}
	to, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	join(from, to)
}

// join copies in both directions until either side ends.
func join(a, b net.Conn) {
	var wg sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		wg.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
			_ = from.Close()
		})
	}
	wg.Wait()
}

// newSOCKS returns the address of a SOCKS5 proxy, written from RFC 1928, for names and IPv4 addresses.
func newSOCKS(t *testing.T) string {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		if to := socksTarget(c); to != nil {
			join(c, to)
		}
	})
}

// accepting returns the address of a server that runs serve for each connection on its own goroutine and then closes
// it.
func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				serve(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func socksTarget(c net.Conn) net.Conn {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil
	}
	_, _ = io.ReadFull(c, make([]byte, head[1]))
	_, _ = c.Write([]byte{5, 0})
	request := make([]byte, 4)
	if _, err := io.ReadFull(c, request); err != nil {
		return nil
	}
	size := 4
	if request[3] == 3 {
		_, _ = io.ReadFull(c, head[:1])
		size = int(head[0])
	}
	rest := make([]byte, size+2)
	_, _ = io.ReadFull(c, rest)
	host := string(rest[:size])
	if request[3] == 1 {
		host = net.IP(rest[:size]).String()
	}
	port := int(rest[size])<<8 | int(rest[size+1])
	to, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return to
}

// through makes a client use a proxy for everything.
func through(cfg *blaze.Config, proxy *url.URL) {
	cfg.Proxy = func(*http.Request) (*url.URL, error) { return proxy, nil }
	cfg.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

// The websocket and HTTP go through proxies of each kind, with a TLS configuration that net/http has used before.
func TestProxiesOfEachKind(t *testing.T) {
	plain, secure := newTunnels(t, false), newTunnels(t, true)
	withUser := func(text, user string) string { return strings.Replace(text, "://", "://"+user+"@", 1) }
	for name, tt := range map[string]struct {
		proxy       string // none, if empty
		tunnels     *tunnels
		credentials string
	}{
		"no proxy":               {},
		"http":                   {proxy: plain.URL, tunnels: plain},
		"http with a password":   {proxy: withUser(plain.URL, "me:secret"), tunnels: plain, credentials: "me:secret"},
		"http with a user":       {proxy: withUser(plain.URL, "me"), tunnels: plain, credentials: "me:"},
		"https":                  {proxy: secure.URL, tunnels: secure},
		"https with a password":  {proxy: withUser(secure.URL, "me:secret"), tunnels: secure, credentials: "me:secret"},
		"socks5":                 {proxy: "socks5://" + newSOCKS(t)},
		"socks5, names resolved": {proxy: "socks5h://" + newSOCKS(t)},
	} {
		t.Run(name, func(t *testing.T) {
			s := secureServer(t)
			r := prepareFor(t, s, func(cfg *blaze.Config) {
				through(cfg, nil)
				if tt.proxy != "" {
					through(cfg, mustURL(t, tt.proxy))
				}
				cfg.UserAgent, cfg.SendAttempts = "bot/1", 1
			})
			_, err := r.Upload(t.Context(), strings.NewReader("hello"), 5)
			require.NoError(t, err)
			r.CloseIdleConnections()
			r.start(t.Context(), nil)
			_, err = r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
			require.NoError(t, err)
			require.NoError(t, r.stop())
			if tt.tunnels == nil {
				return
			}
			tt.tunnels.mu.Lock()
			defer tt.tunnels.mu.Unlock()
			assert.GreaterOrEqual(t, len(tt.tunnels.queried), 2, "one for the websocket, one for HTTP")
			for _, queried := range tt.tunnels.queried {
				assert.Equal(t, "bot/1", queried.UserAgent())
				want := ""
				if tt.credentials != "" {
					want = "Basic " + base64.StdEncoding.EncodeToString([]byte(tt.credentials))
				}
				assert.Equal(t, want, queried.Header.Get("Proxy-Authorization"))
			}
			tt.tunnels.queried = nil
		})
	}
}

// answering returns the address of a server that writes a text in response to the first bytes of a connection and
// closes it.
func answering(t *testing.T, text string) string {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, text)
	})
}

// An error caused by the proxy names it, for the websocket and for HTTP, without its password.
func TestAProxyThatIsTheCause(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	rejecting := func(secure bool, status int) string {
		p := newTunnels(t, secure)
		p.reject = status
		return p.URL
	}
	plain := newTunnels(t, false)
	for name, tt := range map[string]struct{ proxy, contains string }{
		"403":          {rejecting(false, 403), "status 403"},
		"407":          {rejecting(false, 407), "status 407"},
		"502 over TLS": {rejecting(true, 502), "status 502"},
		"unreachable":  {gone.URL, "refused"},
		"SOCKS, gone":  {strings.Replace(gone.URL, "http", "socks5", 1), "refused"},
		"no TLS":       {strings.Replace(plain.URL, "http", "https", 1), "TLS"},
		"unknown kind": {"gopher://127.0.0.1:70", "gopher"},
		// A hostile proxy's text is short and printable.
		"garbage": {"http://" + answering(t, "garbage \x1b[31m"+strings.Repeat("x", 100_000)+"\r\n\r\n"), ""},
		"a long status": {
			"http://" + answering(t, "HTTP/1.1 403 \x1b[31m"+strings.Repeat("x", 100_000)+"\r\n\r\n"), "403",
		},
		"nothing":  {"http://" + answering(t, ""), ""},
		"no SOCKS": {"socks5://" + answering(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := secureServer(t)
			proxy := mustURL(t, strings.Replace(tt.proxy, "://", "://me:secret@", 1))
			lost := make(chan error, 1)
			r := prepareFor(t, s, func(cfg *blaze.Config) {
				through(cfg, proxy)
				cfg.SendAttempts = 1
				cfg.Trace.Disconnected = func(err error, _ time.Duration) {
					select {
					case lost <- err:
					default:
					}
				}
			})
			_, err := r.OpenConversation(t.Context(), userID("alice"))
			errs := map[string]error{"HTTP": err}
			r.start(t.Context(), nil)
			errs["websocket"] = <-lost
			for half, err := range errs {
				require.ErrorContains(t, err, "proxy", half)
				require.ErrorContains(t, err, tt.contains, half)
				assert.Contains(t, err.Error(), proxy.Host, half)
				assert.Less(t, len(err.Error()), 700, half)
				assert.NotContains(t, err.Error(), "\x1b", half)
				assert.NotContains(t, err.Error(), "secret", half)
			}
		})
	}
}

// The websocket and HTTP have the same User-Agent, which can be changed.
func TestUserAgentOfWebsocketAndHTTP(t *testing.T) {
	for given, want := range map[string]string{
		"": "mixin-blaze/0.1.0 (" + strings.Fields(runtime.Version())[0] + ")", "my-bot/7 (x)": "my-bot/7 (x)",
	} {
		bubble(t, "given "+given, func(t *testing.T) {
			var agents diary
			s := newReplyingServer(t)
			s.handshake = func(_ http.ResponseWriter, r *http.Request) bool {
				agents.add("%s", r.UserAgent())
				return false
			}
			s.me = func(w http.ResponseWriter, r *http.Request) {
				agents.add("%s", r.UserAgent())
				_, _ = io.WriteString(w, `{"data":{}}`)
			}
			var queried atomic.Bool
			s.answer = func(r request) bool {
				first := queried.CompareAndSwap(false, true)
				if first {
					r.reject(blaze.CodeUnauthorized, "") // causes a GET /me
				}
				return first
			}
			s.run(ok, func(cfg *blaze.Config) { cfg.UserAgent = given })
			time.Sleep(time.Minute)
			assert.Equal(t, []string{want, want, want}, agents.all())
		})
	}
}

func TestInvalidUserAgents(t *testing.T) {
	for _, given := range []string{"a\r\nX: y", "a\x00", "ä", " a", "a ", " "} {
		_, err := blaze.New(keyOf(botID), &blaze.Config{UserAgent: given})
		require.ErrorIs(t, err, blaze.ErrInvalid, "%q", given)
		assert.ErrorContains(t, err, "Config.UserAgent")
	}
}

// Without Config.API the Client uses the service's two hosts.
func TestTheHostsOfTheService(t *testing.T) {
	ts := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"conversation_id":"`+blaze.ConversationID(botID, userA)+`"}}`)
	}))
	defer ts.Close()
	var dialled diary
	c, err := blaze.New(keyOf(botID), &blaze.Config{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		Proxy:           func(*http.Request) (*url.URL, error) { return nil, nil },
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled.add("%s", addr)
			if addr == "api.mixin.one:443" {
				return nil, &net.OpError{Op: "dial", Err: errAny}
			}
			return new(net.Dialer).DialContext(ctx, network, ts.Listener.Addr().String())
		},
		SendAttempts: 1,
	})
	require.NoError(t, err)
	defer c.CloseIdleConnections()
	_, err = c.OpenConversation(t.Context(), userA)
	require.ErrorIs(t, err, blaze.ErrNoAnswer)
	for range 2 {
		_, err = c.OpenConversation(t.Context(), userA)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"api.mixin.one:443", "mixin-api.zeromesh.net:443"}, dialled.all())
}

// If the first host does not answer, the client uses the second host to verify that the session was rejected.
func TestTheSecondHostVerifiesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		s.answer = func(r request) bool {
			r.reject(blaze.CodeUnauthorized, "")
			return true
		}
		var queried diary
		r := s.run(ok, func(cfg *blaze.Config) {
			cfg.API = ""
			cfg.HTTPClient = &http.Client{Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				queried.add("%s", req.URL.Host)
				if req.URL.Host == "api.mixin.one" {
					return nil, errAny
				}
				body := `{"error":{"status":202,"code":401,"description":"Unauthorized"}}`
				return &http.Response{
					StatusCode: 202, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
				}, nil
			})}
		})
		require.ErrorIs(t, r.wait(), blaze.CodeUnauthorized)
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.Equal(t, []string{"api.mixin.one", "mixin-api.zeromesh.net"}, queried.all()[:2])
	})
}
