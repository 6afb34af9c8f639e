package blaze_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// brokenKey is a key that fails when it signs.
type brokenKey struct {
	crypto.Signer
	end func()
}

func (k brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	k.end()
	return nil, nil
}

// brokenMessageKey is a brokenKey that also hashes.
type brokenMessageKey struct{ brokenKey }

func (k brokenMessageKey) SignMessage(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	k.end()
	return nil, nil
}

// secretKey is a brokenKey that cannot return its public key.
type secretKey struct{ brokenKey }

func (k secretKey) Public() crypto.PublicKey {
	k.end()
	return nil
}

// The key of a certificate may be a device. net/http uses it on its own goroutines.
func TestAKeyThatDoesNotReturn(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	cert := s.TLS.Certificates[0]
	real := cert.PrivateKey.(crypto.Signer)           //nolint:forcetypeassert // made by httptest
	for _, how := range []string{"panics", "exits"} { // without a guard, one that exits is waited for
		no := noReturns[how]
		for name, key := range map[string]crypto.Signer{
			"signer": brokenKey{real, no.end}, "message signer": brokenMessageKey{brokenKey{real, no.end}},
			"public": secretKey{brokenKey{real, no.end}},
		} {
			for _, queried := range []bool{false, true} {
				t.Run(how+" "+name, func(t *testing.T) {
					own := cert
					own.PrivateKey = key
					conf := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
					if queried {
						conf = &tls.Config{
							InsecureSkipVerify: true,
							GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
								return &own, nil
							},
						}
					}
					lost := make(chan error, 1)
					c := newClient(t, keyOf(botID), blaze.Config{
						API: s.URL, Endpoints: []string{strings.Replace(s.URL, "https", "wss", 1)}, SendAttempts: 1,
						TLSClientConfig: conf, Logger: slog.New(slog.DiscardHandler),
						Trace: &blaze.Trace{Disconnected: func(err error, _ time.Duration) {
							select {
							case lost <- err:
							default:
							}
						}},
					}, nil)
					_, err := c.OpenConversation(t.Context(), userA)
					require.ErrorIs(t, err, blaze.ErrNoAnswer)
					stop := runClient(t, c, nil)
					ws := <-lost
					stop()
					if name != "public" { // TLS has its own error for an unknown key
						assert.ErrorContains(t, err, no.contains)
						assert.ErrorContains(t, ws, no.contains)
					}
					assert.IsType(t, key, own.PrivateKey, "the caller's certificate is unchanged")
				})
			}
		}
	}
}

// honestKey is a working key of another type.
type honestKey struct{ crypto.Signer }

func TestAKeyOfAnotherType(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"conversation_id":"`+blaze.ConversationID(botID, userA)+`"}}`)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	cert := s.TLS.Certificates[0]
	cert.PrivateKey = honestKey{cert.PrivateKey.(crypto.Signer)} //nolint:forcetypeassert // made by httptest
	c := newClient(t, keyOf(botID), blaze.Config{
		API: s.URL, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}},
	}, nil)
	defer c.CloseIdleConnections()
	_, err := c.OpenConversation(t.Context(), userA)
	require.NoError(t, err)
}

// miscounts reads and writes with a wrong count.
type miscounts struct{ n int }

func (m miscounts) Read([]byte) (int, error)  { return m.n, nil }
func (m miscounts) Write([]byte) (int, error) { return m.n, nil }

// A reader that returns an impossible count, panics or exits makes the upload fail with a matching error.
func TestReadersOfUploadsThatBreakTheirContract(t *testing.T) {
	type reader struct {
		r        io.Reader
		contains string
	}
	readers := map[string]reader{
		"more than fits into the buffer": {miscounts{1 << 20}, "impossible"},
		"less than nothing":              {miscounts{-1}, "impossible"},
	}
	for how, no := range noReturns {
		readers[how] = reader{brokenBody{no.end}, no.contains}
	}
	for name, tt := range readers {
		for upload, call := range map[string]func(c *blaze.Client, ctx context.Context, r io.Reader) error{
			"Upload": func(c *blaze.Client, ctx context.Context, r io.Reader) error {
				_, err := c.Upload(ctx, r, 1<<20)
				return err
			},
			"UploadEncrypted": func(c *blaze.Client, ctx context.Context, r io.Reader) error {
				_, err := c.UploadEncrypted(ctx, r, 1<<20)
				return err
			},
			"UploadImage": func(c *blaze.Client, ctx context.Context, r io.Reader) error {
				_, err := c.UploadImage(ctx, r)
				return err
			},
		} {
			for _, before := range []int{0, 100, 5000} { // bytes; the first 512 determine the type
				bubble(t, fmt.Sprint(name, " ", upload, " ", before), func(t *testing.T) {
					r := prepare(t, nil)
					r.Server.Errorf = func(string, ...any) {} // ignores incomplete files
					err := call(r.Client, t.Context(),
						io.MultiReader(strings.NewReader(strings.Repeat("x", before)), tt.r))
					require.ErrorContains(t, err, tt.contains)
					r.CloseIdleConnections()
				})
			}
		}
	}
}

// miscounting is a connection that miscounts while bad is set.
type miscounting struct {
	net.Conn
	n   int
	bad *atomic.Bool
}

func (c miscounting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.bad.Load() && err == nil {
		return c.n, nil
	}
	return n, err
}

func TestAConnectionThatMiscounts(t *testing.T) {
	for name, n := range map[string]int{"too many": 1 << 20, "less than nothing": -1} {
		bubble(t, name, func(t *testing.T) {
			var bad atomic.Bool
			r := run(t, ok, func(cfg *blaze.Config) {
				dial := cfg.DialContext
				cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := dial(ctx, network, addr)
					return miscounting{conn, n, &bad}, err
				}
			})
			synctest.Wait()
			bad.Store(true)
			id := r.say("alice", "hello")
			synctest.Wait()
			assert.Equal(t, 1, r.disconnects.len())
			assert.Contains(t, r.disconnects.String(), "impossible")
			bad.Store(false)
			r.idle()
			assert.Equal(t, []string{id}, r.Acked())
		})
	}
}

// A connection that panics or exits ends its HTTP request at once.
func TestAnHTTPConnectionThatDoesNotReturn(t *testing.T) {
	for how, no := range noReturns {
		for _, reads := range []bool{true, false} {
			bubble(t, how, func(t *testing.T) {
				broken := make(chan struct{})
				close(broken)
				end := func() error { no.end(); return nil }
				r := prepare(t, func(cfg *blaze.Config) {
					cfg.SendAttempts = 1
					dial := cfg.DialContext
					cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := dial(ctx, network, addr)
						if reads {
							return brokenConn{Conn: conn, broken: broken, read: end}, err
						}
						return brokenConn{Conn: conn, broken: broken, write: end}, err
					}
				})
				began := time.Now()
				_, err := r.OpenConversation(t.Context(), userA)
				require.ErrorIs(t, err, blaze.ErrNoAnswer)
				assert.Zero(t, time.Since(began))
			})
		}
	}
}
