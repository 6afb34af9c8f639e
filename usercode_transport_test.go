package blaze_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// brokenWrites is a connection that does not return from Write.
type brokenWrites struct {
	net.Conn
	end func()
}

func (b brokenWrites) Write([]byte) (int, error) {
	b.end()
	return 0, nil
}

// Callbacks of a user's transport run on goroutines of net/http.
func TestHooksOfATransportOfTheUsers(t *testing.T) {
	for how, no := range noReturns {
		for name, transport := range map[string]*http.Transport{
			"DialContext": {
				DialContext: func(context.Context, string, string) (net.Conn, error) { no.end(); return nil, nil },
			},
			"DialTLSContext": {DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				no.end()
				return nil, nil
			}},
			"Proxy": {Proxy: func(*http.Request) (*url.URL, error) { no.end(); return nil, nil }},
			"TLSClientConfig": {TLSClientConfig: &tls.Config{
				InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { no.end(); return nil },
			}},
			"a connection": {DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return brokenWrites{conn, no.end}, err
			}},
		} {
			t.Run(how+" "+name, func(t *testing.T) {
				s := httptest.NewUnstartedServer(http.NotFoundHandler())
				s.Config.ErrorLog = log.New(io.Discard, "", 0)
				s.StartTLS()
				defer s.Close()
				c := newClient(t, keyOf(botID), blaze.Config{
					API: s.URL, SendAttempts: 1, HTTPClient: &http.Client{Transport: transport},
				}, nil)
				defer c.CloseIdleConnections()
				_, err := c.Upload(t.Context(), bytes.NewReader(nil), 0)
				require.ErrorContains(t, err, no.contains)
			})
		}
	}
}

// A user's connection inside a TLS connection counts as the user's.
func TestAConnectionWithinTLSOfTheUsers(t *testing.T) {
	for how, no := range noReturns {
		t.Run(how, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			defer s.Close()
			c := newClient(t, keyOf(botID), blaze.Config{
				API: "http" + s.URL[len("https"):], SendAttempts: 1,
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					return tls.Client(brokenWrites{conn, no.end}, &tls.Config{InsecureSkipVerify: true}), err
				},
			}, nil)
			defer c.CloseIdleConnections()
			_, err := c.OpenConversation(t.Context(), userA)
			require.ErrorContains(t, err, no.contains)
		})
	}
}

// emptyCache returns an empty session.
type emptyCache struct{}

func (emptyCache) Get(string) (*tls.ClientSessionState, bool) {
	return new(tls.ClientSessionState), true
}
func (emptyCache) Put(string, *tls.ClientSessionState) {}

// Callbacks that return neither a result nor an error make package tls panic.
func TestTLSCallbacksThatReturnNothing(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	for name, tt := range map[string]struct {
		conf     *tls.Config
		contains string
	}{
		"GetClientCertificate": {&tls.Config{
			InsecureSkipVerify:   true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return nil, nil },
		}, "no certificate and no error"},
		"ClientSessionCache": {&tls.Config{InsecureSkipVerify: true, ClientSessionCache: emptyCache{}}, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, keyOf(botID), blaze.Config{API: s.URL, SendAttempts: 1, TLSClientConfig: tt.conf}, nil)
			defer c.CloseIdleConnections()
			_, err := c.OpenConversation(t.Context(), userA)
			require.ErrorContains(t, err, tt.contains)
		})
	}
}

// An error of url.Parse quotes the URL, and the URL of a proxy may have a password. The same goes for errors that quote
// such an error.
func TestThePasswordOfAProxyIsNotLogged(t *testing.T) {
	const password = "correcthorsebattery"
	parse := func(address string) func(*http.Request) (*url.URL, error) {
		return func(*http.Request) (*url.URL, error) { return url.Parse(address) }
	}
	for name, choose := range map[string]func(*http.Request) (*url.URL, error){
		"an escape": parse("http://user:" + password + "%2@10.0.0.1:3128"),
		"a slash":   parse("http://user:" + password + "/staple@10.0.0.1:3128"),
		"retold": func(*http.Request) (*url.URL, error) {
			_, err := parse("http://user:" + password + "%2@10.0.0.1:3128")(nil)
			return nil, fmt.Errorf("%v", err) //nolint:errorlint // as net/http does for HTTPS_PROXY
		},
		"told": func(*http.Request) (*url.URL, error) {
			return nil, errors.New("no scheme in user:" + password + "@10.0.0.1:3128")
		},
		"a panic": func(*http.Request) (*url.URL, error) { panic("bad user:" + password + "@10.0.0.1:3128") },
		"by hand": func(*http.Request) (*url.URL, error) {
			return &url.URL{Scheme: "http", Host: "user:" + password + "@10.0.0.1:3128"}, nil
		},
	} {
		for what, edit := range map[string]func(*blaze.Config){
			"": func(cfg *blaze.Config) { cfg.Proxy = choose },
			"of a transport": func(cfg *blaze.Config) {
				cfg.Proxy, cfg.HTTPClient = choose, &http.Client{Transport: &http.Transport{Proxy: choose}}
			},
		} {
			bubble(t, name+" "+what, func(t *testing.T) {
				r := prepare(t, func(cfg *blaze.Config) {
					cfg.Endpoints, cfg.API, cfg.SendAttempts = []string{"wss://localhost/"}, "https://localhost", 1
					cfg.DialContext = func(_ context.Context, _, addr string) (net.Conn, error) {
						return nil, errors.New("no way to " + addr)
					}
					edit(cfg)
				})
				r.start(t.Context(), nil)
				_, err := r.OpenConversation(t.Context(), userA)
				require.Error(t, err)
				synctest.Wait()
				if name != "by hand" || what == "" {
					assertSilent(t, "the client", r.reported(err), password)
				}
				if name != "by hand" {
					require.ErrorContains(t, err, "the proxy's URL")
				}
				assert.NotEmpty(t, r.disconnects.all())
			})
		}
	}
}

// Without TLS, a token goes to this machine directly, not through a proxy.
func TestAProxyForPlainLoopbackIsRejected(t *testing.T) {
	for _, own := range []bool{true, false} {
		bubble(t, fmt.Sprint("our HTTP client: ", own), func(t *testing.T) {
			dialled := 0
			choose := func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test:3128") }
			r := prepare(t, func(cfg *blaze.Config) {
				cfg.SendAttempts, cfg.Proxy = 1, choose
				cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
					dialled++
					return nil, errAny
				}
				if !own {
					cfg.HTTPClient = &http.Client{
						Transport: &http.Transport{Proxy: choose, DialContext: cfg.DialContext},
					}
				}
			})
			r.start(t.Context(), nil)
			_, err := r.OpenConversation(t.Context(), userA)
			require.ErrorContains(t, err, "return nil for loopback hosts")
			synctest.Wait()
			assert.Contains(t, r.disconnects.String(), "return nil for loopback hosts")
			assert.Zero(t, dialled)
		})
	}
}
