// Package proxy reaches servers through HTTP proxies, and says in errors that a proxy is the cause. It knows nothing of
// what goes through.
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

// Error means that a proxy is the reason why there is no connection.
type Error struct {
	Host string // of the proxy
	Err  error
}

// Error names the proxy by its host: its URL may have a password.
func (e *Error) Error() string { return "the proxy " + e.Host + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *[Error] of the proxy at u.
func Errorf(u *url.URL, format string, args ...any) error {
	host := u.Host[strings.LastIndex(u.Host, "@")+1:] // of a URL that was put together by hand
	return &Error{Host: host, Err: fmt.Errorf(format, args...)}
}

// Tunnels reports whether Tunnel knows the kind of proxy.
func Tunnels(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// Check returns an error unless u is a proxy of a kind that both the websocket and HTTP requests can use. A nil u means
// that there is no proxy.
func Check(u *url.URL) error {
	if u != nil && strings.Contains(u.Host, "@") {
		return Errorf(u, "its URL has a user in the host: use url.UserPassword, or parse it")
	}
	if u == nil || Tunnels(u) || u.Scheme == "socks5" || u.Scheme == "socks5h" {
		return nil
	}
	return Errorf(u, "it is of the kind %q, and must be http, https, socks5 or socks5h", u.Scheme)
}

// Addr returns the address of a proxy, with the port of its scheme where the URL has none.
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

// Tunnel asks the HTTP proxy at the other end of conn for a tunnel to target, over TLS first if the scheme of u is
// https, and returns the tunnel. It ends when conn is closed; conn stays open where it fails.
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
		return nil, Errorf(u, "cannot ask it for a tunnel: %w", err)
	}
	// The server does not speak before it is spoken to, so what is buffered beyond the answer is not the server's.
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return nil, Errorf(u, "no answer that can be understood: %w", err)
	}
	if err := Refused(u, resp); err != nil {
		return nil, err
	}
	if br.Buffered() > 0 {
		return nil, &Error{Host: u.Host, Err: errors.New("it wrote more than its answer")}
	}
	return conn, nil
}

// Refused returns the error of a proxy that refuses a tunnel, nil if it does not. It repeats the proxy's status,
// without what the proxy was told to let us in.
func Refused(u *url.URL, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	//mutant:proxy-refused
	status := strings.TrimSpace(resp.Status)
	if u.User != nil {
		password, has := u.User.Password()
		if !has {
			password = u.User.Username() // a token stands there where there is no password
		}
		for _, secret := range []string{credentials(u), password} {
			if secret != "" {
				status = strings.ReplaceAll(status, secret, "[...]")
			}
		}
	}
	return Errorf(u, "it refuses the connection with status %s", tame.Text(status))
}

// credentials returns what basic authentication sends.
func credentials(u *url.URL) string {
	password, _ := u.User.Password()
	return base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
}
