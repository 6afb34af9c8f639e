// Package proxy connects to servers through HTTP proxies. Its errors name the proxy. It does not interpret the data in
// a tunnel.
package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/mixin-blaze/blaze/internal/tame"
)

// Error means that there is no connection because of a proxy.
type Error struct {
	Host string // of the proxy
	Err  error
}

// Error names the host of the proxy, because its URL may contain a password.
func (e *Error) Error() string { return "the proxy " + e.Host + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *[Error] of the proxy at u.
func Errorf(u *url.URL, format string, args ...any) error {
	host := u.Host[strings.LastIndex(u.Host, "@")+1:] // a URL that was not parsed may have userinfo here
	return &Error{Host: host, Err: fmt.Errorf(format, args...)}
}

// Tunnels reports whether Tunnel supports the kind of proxy.
func Tunnels(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// Check returns an error unless the websocket and HTTP requests can use the proxy u. A nil u means that there is no
// proxy.
func Check(u *url.URL) error {
	if u != nil && strings.Contains(u.Host, "@") {
		return Errorf(u, "its URL has a user in the host: use url.UserPassword, or parse it")
	}
	if u == nil || Tunnels(u) || u.Scheme == "socks5" || u.Scheme == "socks5h" {
		return nil
	}
	return Errorf(u, "its URL has the scheme %q, want http, https, socks5 or socks5h", u.Scheme)
}

// Addr returns the address of a proxy, with the default port of its scheme if the URL has none.
func Addr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "1080"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Tunnel requests a tunnel to target from the HTTP proxy at the other end of conn, over TLS if the scheme of u is
// https. The tunnel ends when conn is closed. If Tunnel fails, it does not close conn.
func Tunnel(
	ctx context.Context, conn net.Conn, u *url.URL, target string, c *tls.Config, h http.Header,
) (net.Conn, error) {
	if u.Scheme == "https" {
		if c = c.Clone(); c == nil {
			c = new(tls.Config)
		}
		if c.ServerName == "" {
			c.ServerName = u.Hostname()
		}
		secure := tls.Client(conn, c)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, Errorf(u, "TLS: %w", err)
		}
		conn = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: h.Clone()}
	if u.User != nil {
		req.Header.Set("Proxy-Authorization", "Basic "+credentials(u))
	}
	if err := req.Write(conn); err != nil {
		return nil, Errorf(u, "cannot request a tunnel: %w", err)
	}
	// The server does not write first, so bytes after the response are not from the server.
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return nil, Errorf(u, "invalid response: %w", err)
	}
	if err := Rejected(u, resp); err != nil {
		return nil, err
	}
	if br.Buffered() > 0 {
		return nil, &Error{Host: u.Host, Err: errors.New("unexpected data after the response")}
	}
	return conn, nil
}

// Rejected returns the error of a proxy that rejects a tunnel, or nil. It contains the status of the response, without
// the credentials for the proxy.
func Rejected(u *url.URL, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	//mutant:proxy-status
	status := strings.TrimSpace(resp.Status)
	if u.User != nil {
		password, has := u.User.Password()
		if !has {
			password = u.User.Username() // a token is sent as the user name
		}
		for _, secret := range []string{credentials(u), password} {
			if secret != "" {
				status = strings.ReplaceAll(status, secret, "[...]")
			}
		}
	}
	return Errorf(u, "it rejects the connection with status %s", tame.Text(status))
}

// credentials returns the value for basic authentication.
func credentials(u *url.URL) string {
	password, _ := u.User.Password()
	return base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
}
