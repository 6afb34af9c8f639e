package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Script has the messages that a server pushes on a connection after a list request.
type Script struct {
	Size  int `json:"size"`  // of each message's text, in bytes
	Count int `json:"count"` // number of messages
	Made  int `json:"made"`  // number of different messages, which are repeated; 0: all
}

// Server is the peer of all contenders. It shares the processor with them, so its own cost is kept small. It pushes
// messages compressed in advance, many in one write. Its replies are gzip in stored blocks, several in one write. All
// clients receive the same bytes.
type Server struct {
	Addresses map[string]string `json:"addresses"` // by script
	Roots     string            `json:"roots"`     // the certificate in PEM

	scripts map[string]Script
	sets    map[int]*frameSet // by size
	servers []*http.Server
	wg      sync.WaitGroup // for all goroutines except those of net/http

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Serve starts a server that listens on a separate port for each script.
func Serve(scripts map[string]Script) (*Server, error) {
	s := &Server{
		Addresses: make(map[string]string), scripts: scripts,
		sets: make(map[int]*frameSet), conns: make(map[net.Conn]struct{}),
	}
	if err := s.make(); err != nil {
		return nil, err
	}
	cert, err := s.certify()
	if err != nil {
		return nil, err
	}
	for name, script := range scripts {
		if err := s.listen(name, script, cert); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// make makes the messages, concurrently for different sizes.
func (s *Server) make() error {
	made := make(map[int]int)
	for _, script := range s.scripts {
		n := script.Made
		if n == 0 {
			n = script.Count
		}
		made[script.Size] = max(made[script.Size], n)
	}
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for size, n := range made {
		wg.Go(func() {
			set, err := newMaker(uint64(size)).set(n, size) //nolint:gosec // G115: not negative
			mu.Lock()
			defer mu.Unlock()
			s.sets[size] = set
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	return failed
}

// certify makes a self-signed certificate.
func (s *Server) certify() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("bench: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("bench: %w", err)
	}
	s.Roots = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func (s *Server) listen(name string, script Script, cert tls.Certificate) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	s.Addresses[name] = ln.Addr().String()
	config := &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true,
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.upgrade(w, r, script) }),
		ErrorLog:          log.New(io.Discard, "", 0), // errors of handshakes, which the client reports
		ReadHeaderTimeout: time.Minute,
	}
	s.servers = append(s.servers, server)
	s.wg.Go(func() { _ = server.Serve(tls.NewListener(ln, config)) })
	return nil
}

// upgrade upgrades to a websocket with gorilla. After that, conn reads and writes the frames itself.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, script Script) {
	up := websocket.Upgrader{Subprotocols: []string{subprotocol}, ReadBufferSize: 1024, WriteBufferSize: 1024}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has sent an error response
	}
	_ = ws.NetConn().SetDeadline(time.Time{})
	c := newConn(ws.NetConn(), s.sets[script.Size], script.Count)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = c.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	go func() { // not on the goroutine of net/http, which would keep its memory
		defer s.wg.Done()
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Close ends all connections and waits for their goroutines.
func (s *Server) Close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
