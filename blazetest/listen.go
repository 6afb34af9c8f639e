package blazetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// serveMemory serves in-memory connections.
func (s *Server) serveMemory() {
	ln := memnet.Listen()
	s.Config.Endpoints = []string{"ws://localhost/"}
	s.Config.API = "http://localhost"
	s.Config.DialContext = ln.Dial
	s.common()
	s.listen(ln)
}

// serveOn serves a listener.
func (s *Server) serveOn(ln net.Listener) {
	s.common()
	s.listen(ln)
	host := s.dialable(ln.Addr())
	ws, web := "ws://", "http://"
	if cert := certificateOf(ln.Addr()); cert != nil {
		ws, web = "wss://", "https://"
		s.Config.TLSClientConfig = trust(cert, host)
	}
	s.Config.Endpoints = []string{ws + host + "/"}
	s.Config.API = web + host
}

func (s *Server) common() {
	s.Config.Logger = slog.New(slog.DiscardHandler)
	// A proxy of the test's environment must not be used.
	s.Config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
}

// dialable returns the host for URLs of addr. If addr is not a TCP address, it sets DialContext.
func (s *Server) dialable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		s.Config.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, addr.Network(), addr.String())
		}
		return "localhost"
	}
	if tcp.IP.IsUnspecified() {
		_, port, err := net.SplitHostPort(tcp.String())
		if err == nil {
			return net.JoinHostPort("localhost", port)
		}
	}
	return tcp.String()
}

// certificateOf connects to a served listener and returns its certificate, or nil if it does not use TLS. The type of
// the listener does not help: it is not exported, and wrappers hide it.
func certificateOf(addr net.Addr) *x509.Certificate {
	var seen *x509.Certificate
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Only the certificate is read; nothing else is sent over this connection.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(cs tls.ConnectionState) error {
			seen = cs.PeerCertificates[0]
			return nil
		},
	}
	//nolint:noctx // nobody has a context here, and it takes seconds at most
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, addr.Network(), addr.String(), cfg)
	if err == nil {
		_ = c.Close()
	}
	return seen
}

// trust returns a client configuration that accepts one certificate, under a name that it contains.
func trust(cert *x509.Certificate, hostport string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	cfg := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if cert.VerifyHostname(host) != nil && len(cert.DNSNames) > 0 {
		cfg.ServerName = cert.DNSNames[0]
	}
	return cfg
}

// listen starts the goroutine that accepts connections.
func (s *Server) listen(ln net.Listener) {
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.handleLater),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(c net.Conn, st http.ConnState) {
			if st == http.StateClosed {
				s.forget(c)
			}
		},
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		// It returns the error of the closed listener.
		_ = s.http.Serve(&tracked{Listener: ln, s: s})
	}()
}

// handleLater handles a request after the Server is complete. A listener accepts connections before that.
func (s *Server) handleLater(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.ready:
		s.handle(w, r)
	case <-s.done:
	}
}

// connKey is the context key of a request's network connection.
type connKey struct{}

// tracked registers each connection with the server before net/http does. net/http does not track connections that it
// accepts while closing, or that became websockets.
type tracked struct {
	net.Listener
	s *Server
}

func (t *tracked) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := t.s
	s.mu.Lock()
	s.accepted[c] = struct{}{}
	s.wg.Add(1)
	closed := s.closed
	s.mu.Unlock()
	if closed {
		serve.Cut(c)
	}
	return c, nil
}

// forget closes a network connection and marks its goroutine as ended. Repeated calls have no effect.
func (s *Server) forget(c net.Conn) {
	serve.Cut(c)
	s.mu.Lock()
	_, known := s.accepted[c]
	delete(s.accepted, c)
	s.mu.Unlock()
	if known {
		s.wg.Done()
	}
}
