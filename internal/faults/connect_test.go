package faults_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Fault 1: nothing listens at the first endpoint. The client uses the second and reports the error.
func TestFault01ConnectionRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "ws://" + ln.Addr().String() + "/"
	require.NoError(t, ln.Close())

	t.Run("another address", func(t *testing.T) {
		b, ctx := overTCP(t)
		b.cfg.Endpoints = append([]string{closed}, b.cfg.Endpoints...)
		b.run(ctx, nil)
		_, err := b.send(t.Context(), "hello")
		require.NoError(t, err)
		require.NotEmpty(t, b.failures())
		assert.ErrorIs(t, b.failures()[0], syscall.ECONNREFUSED)
		require.NoError(t, b.stop())
		fired(t, 1)
	})
	t.Run("ctx ends it", func(t *testing.T) {
		b, ctx := overTCP(t)
		b.cfg.Endpoints = []string{closed}
		b.run(ctx, nil)
		for range 3 {
			b.await("disconnected")
		}
		require.NoError(t, b.stop())
		assert.ErrorIs(t, b.failures()[0], syscall.ECONNREFUSED)
		fired(t, 1)
	})
}

// certificate returns a certificate that is valid for an hour, and a pool with it. Without hosts it is for 127.0.0.1.
func certificate(t *testing.T, notAfter time.Time, hosts ...string) (tls.Certificate, *x509.CertPool) {
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1"}
	}
	cert, roots, err := testkit.Certificate(notAfter.Add(-time.Hour), notAfter, hosts...)
	require.NoError(t, err)
	return cert, roots
}

// Fault 3: if the certificate is invalid, the client sends no token and nothing without TLS. It uses the next endpoint.
func TestFault03TLSRejected(t *testing.T) {
	later := time.Now().Add(30 * time.Minute) // valid from half an hour ago, so slow machines pass too
	good, roots := certificate(t, later)
	unknown, _ := certificate(t, later)
	expired, _ := certificate(t, time.Now().Add(-time.Hour))
	other, _ := certificate(t, later, "elsewhere.test")
	roots.AddCert(expired.Leaf)
	roots.AddCert(other.Leaf)
	tests := map[string]struct {
		cfg *tls.Config
		is  func(error) bool
	}{
		"unknown authority": {&tls.Config{Certificates: []tls.Certificate{unknown}}, as[x509.UnknownAuthorityError]},
		"expired":           {&tls.Config{Certificates: []tls.Certificate{expired}}, as[x509.CertificateInvalidError]},
		"another host":      {&tls.Config{Certificates: []tls.Certificate{other}}, as[x509.HostnameError]},
		"TLS 1.1": {&tls.Config{
			Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
		}, func(err error) bool {
			return strings.Contains(err.Error(), "protocol version")
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bad, handshakes := badTLS(t, test.cfg)
			ln, err := tls.Listen("tcp", "127.0.0.1:0",
				&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS12})
			require.NoError(t, err)
			s := testkit.NewServerOn(ln)
			defer s.Close()
			b := newBench(t, s)
			b.cfg.Endpoints = append([]string{"wss://" + bad + "/"}, s.Config.Endpoints...)
			b.cfg.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			b.run(withoutBackoff(context.Background()), nil)
			_, err = b.send(t.Context(), "hello")
			require.NoError(t, err)
			require.NoError(t, b.stop())
			assert.True(t, test.is(b.failures()[0]), "%v", b.failures()[0])
			<-handshakes
			fired(t, 3)
		})
	}
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// badTLS accepts connections and performs only the handshake. It requires that each handshake uses TLS and fails, and
// sends on the channel for each.
func badTLS(t *testing.T, cfg *tls.Config) (addr string, failed <-chan struct{}) {
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	require.NoError(t, err)
	seen := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			err = c.(*tls.Conn).Handshake()
			if err == nil { // in TLS 1.3 the error of the client arrives after the server's handshake
				_, err = c.Read(make([]byte, 1))
			}
			assert.Error(t, err)
			assert.False(t, as[tls.RecordHeaderError](err), "the client spoke without TLS")
			seen <- struct{}{}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String(), seen
}

func TestFault04TLSStalls(t *testing.T) {
	stall(t, 4, "wss://localhost/", func(c *wspeer.Peer) error {
		hello := make([]byte, 1<<16)
		if _, err := c.Read(hello); err != nil {
			return err
		}
		const handshake = 22 // RFC 8446, section 5.1
		assert.EqualValues(t, handshake, hello[0])
		return nil
	})
}

func TestFault05HandshakeStalls(t *testing.T) {
	stall(t, 5, "ws://localhost/", (*wspeer.Peer).ReadHead)
}

// stall checks that a stalled handshake is canceled after 10 seconds, and at once when the context of Run ends.
func stall(t *testing.T, row int, endpoint string, serve func(c *wspeer.Peer) error) {
	bubble(t, nil, func(b *bench) {
		b.cfg.Endpoints = []string{endpoint}
		b.dials = func(int, string) func(*wspeer.Peer) {
			return func(c *wspeer.Peer) {
				if assert.NoError(t, serve(c)) {
					fired(t, row)
				}
				_, _ = c.Read(make([]byte, 1)) // until the client has disconnected
			}
		}
	}, func(t *testing.T, b *bench) {
		time.Sleep(10*time.Second - 1)
		assert.Empty(t, b.failures())
		time.Sleep(time.Second)
		require.Len(t, b.failures(), 1)
		assert.ErrorIs(t, b.failures()[0], context.DeadlineExceeded)
		time.Sleep(5 * time.Second)
		began := time.Now()
		require.NoError(t, b.stop())
		assert.LessOrEqual(t, time.Since(began), 200*time.Millisecond)
		synctest.Wait()
	})
}
