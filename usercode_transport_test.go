package blaze_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

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

// What a transport of the user's calls runs on goroutines of net/http.
func TestHooksOfATransportOfTheUsers(t *testing.T) {
	for how, no := range noReturns {
		for name, transport := range map[string]*http.Transport{
			"DialContext": {DialContext: func(context.Context, string, string) (net.Conn, error) { no.end(); return nil, nil }},
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
				require.ErrorContains(t, err, no.says)
			})
		}
	}
}

// A connection of the user's within one of TLS is still the user's.
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
			require.ErrorContains(t, err, no.says)
		})
	}
}

// emptyCache has a session that nobody made.
type emptyCache struct{}

func (emptyCache) Get(string) (*tls.ClientSessionState, bool) {
	return new(tls.ClientSessionState), true
}
func (emptyCache) Put(string, *tls.ClientSessionState) {}

// Callbacks that return nothing, and no error, make package tls panic.
func TestTLSCallbacksThatReturnNothing(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	for name, tt := range map[string]struct {
		conf *tls.Config
		says string
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
			require.ErrorContains(t, err, tt.says)
		})
	}
}

// The error of url.Parse quotes the URL, and that of a proxy has a password.
func TestThePasswordOfAProxyIsNotLogged(t *testing.T) {
	for _, address := range []string{"http://user:correcthorsebattery%2@10.0.0.1:3128", "http://user:correcthorsebattery/staple@10.0.0.1:3128"} {
		bubble(t, address, func(t *testing.T) {
			r := prepare(t, func(cfg *blaze.Config) {
				cfg.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(address) }
			})
			r.start(t.Context(), nil)
			_, err := r.OpenConversation(t.Context(), userA)
			require.ErrorContains(t, err, "the URL of the proxy")
			assertSilent(t, "the client", r.told(err), "correcthorsebattery")
			assert.NotEmpty(t, r.disconnects.all())
		})
	}
}
