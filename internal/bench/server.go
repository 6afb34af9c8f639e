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

// Script is what a server pushes on a connection that has asked for what is pending.
type Script struct {
	Size  int `json:"size"`  // bytes of each message's text
	Count int `json:"count"` // messages
	Made  int `json:"made"`  // of them different ones, then these again; 0: all
}

// Server is the peer of everything that is measured. It shares the processor with what is measured, and it is not what
// is measured: so it pushes from memory what it has compressed beforehand, many messages in one write, and it answers
// with gzip that stores instead of compressing, several answers in one write. All clients get the same bytes.
type Server struct {
	Addresses map[string]string `json:"addresses"` // of each script
	Roots     string            `json:"roots"`     // PEM of the certificate

	scripts map[string]Script
	sets    map[int]*frameSet // by size
	servers []*http.Server
	wg      sync.WaitGroup // of all goroutines but those of http

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Serve starts a server that listens for each script on a port of its own.
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

// make makes the messages, those of each size at the same time.
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

// certify makes the certificate, signed by itself.
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
		ErrorLog:          log.New(io.Discard, "", 0), // of handshakes; the client tells of those
		ReadHeaderTimeout: time.Minute,
	}
	s.servers = append(s.servers, server)
	s.wg.Go(func() { _ = server.Serve(tls.NewListener(ln, config)) })
	return nil
}

// upgrade makes the websocket, and leaves the library that did: what follows is read and written here.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, script Script) {
	up := websocket.Upgrader{Subprotocols: []string{subprotocol}, ReadBufferSize: 1024, WriteBufferSize: 1024}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // and the client has been told
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
	go func() { // the goroutine of http holds what it no longer needs
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
