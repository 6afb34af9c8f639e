package blaze_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// resolving makes a hostile name server resolve every name that is not in this machine's hosts file to 127.0.0.1.
// Source of the layout: RFC 1035, section 4.
func resolving(t *testing.T) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(dnsAnswer(buf[:n]), from)
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Close()
		<-done
	})
}

func dnsAnswer(query []byte) []byte {
	const header, typeA = 12, 1
	end := header + strings.IndexByte(string(query[header:]), 0) + 1 // the end of the name
	question := query[header : end+4]
	a := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if binary.BigEndian.Uint16(question[len(question)-4:]) == typeA {
		a[7] = 1
		a = append(a, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return a
}

// named returns a server with a host name for its API and its files. The name resolves to this machine.
func named(t *testing.T) *blazetest.Server {
	t.Helper()
	resolving(t)
	s := secureServer(t)
	u, err := url.Parse(s.Config.API)
	require.NoError(t, err)
	s.Config.API = "https://example.com:" + u.Port()
	s.Config.Endpoints = []string{"wss://example.com:" + u.Port()}
	s.Config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	return s
}

// A storage host must not resolve to this machine, not even if the API has an open connection to the same host.
func TestANameThatResolvesToThisMachine(t *testing.T) {
	s := named(t)
	files := 0
	count := func(blazetest.Frame) blazetest.Answer { files++; return blazetest.Answer{} }
	s.Intercept("PUT /files", count)
	c := newClient(t, s.Key, s.Config, nil)
	for _, upload := range []func() error{
		func() error { _, err := c.Upload(t.Context(), strings.NewReader("x"), 1); return err },
		func() error { _, err := c.UploadEncrypted(t.Context(), strings.NewReader("x"), 1); return err },
	} {
		err := upload()
		require.ErrorIs(t, err, blaze.ErrNoAnswer)
		require.ErrorContains(t, err, "a loopback address")
		require.ErrorContains(t, err, "Config.AllowPrivateStorage")
	}
	assert.Zero(t, files)

	permitted := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) { cfg.AllowPrivateStorage = true })
	a, err := permitted.Upload(t.Context(), strings.NewReader("hello"), 5)
	require.NoError(t, err)
	assert.Equal(t, 1, files)
	got, err := download(t, permitted, a)
	require.NoError(t, err)
	assert.Equal(t, "hello", got)

	s.Intercept("GET /files", count)
	for name, get := range ways {
		got, err := get(t, c, a)
		require.ErrorContains(t, err, "Config.AllowPrivateStorage", name)
		assert.Empty(t, got)
	}
	assert.Equal(t, 1, files)
	permitted.CloseIdleConnections()
	c.CloseIdleConnections()
}

// Connections through a proxy and connections of the user's dialer or HTTP client are not checked.
func TestFilesThroughAProxyOnThisMachine(t *testing.T) {
	s := named(t)
	p := newTunnels(t, false)
	proxy, err := url.Parse(p.URL)
	require.NoError(t, err)
	for name, edit := range map[string]func(*blaze.Config){
		"proxy": func(cfg *blaze.Config) { cfg.Proxy = http.ProxyURL(proxy) },
		"dialer": func(cfg *blaze.Config) {
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
		},
		"HTTPClient": func(cfg *blaze.Config) {
			cfg.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: cfg.TLSClientConfig}}
		},
	} {
		c := newClient(t, s.Key, s.Config, edit)
		a, err := c.Upload(t.Context(), strings.NewReader("hello"), 5)
		require.NoError(t, err, name)
		got, err := download(t, c, a)
		require.NoError(t, err, name)
		assert.Equal(t, "hello", got)
		c.CloseIdleConnections()

		// The host in the URL is always checked.
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:169.254.169.254]", "0x7f.1", "2130706433"} {
			s.Intercept("GET /attachments/"+a.ID, func(blazetest.Frame) blazetest.Answer {
				at := `{"attachment_id":"` + a.ID + `","view_url":"https://` + host + `/file?signature=secret"}`
				return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(at)}}
			})
			_, err := c.Download(t.Context(), a)
			require.ErrorIs(t, err, blaze.ErrNoAnswer, host)
			require.ErrorContains(t, err, "Config.AllowPrivateStorage", host)
			assert.NotContains(t, err.Error(), "secret")
		}
		c.CloseIdleConnections()
	}
	assert.NotEmpty(t, p.queried)
}
