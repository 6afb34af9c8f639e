package blaze_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// twoEndpoints starts a bot with two endpoints. bad dials the first one.
func twoEndpoints(
	t *testing.T, good *rawServer,
	bad func(context.Context, string, string) (net.Conn, error), edit func(*blaze.Config),
) *rig {
	t.Helper()
	return good.run(ok, func(cfg *blaze.Config) {
		cfg.Endpoints = []string{"ws://localhost:1/", "ws://localhost:2/"}
		cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "localhost:1" {
				return bad(ctx, network, addr)
			}
			return good.dial(ctx, network, addr)
		}
		if edit != nil {
			edit(cfg)
		}
	})
}

// assertNextEndpoint checks that the bot connected to the second endpoint shortly after the first one failed.
func (r *rig) assertNextEndpoint() {
	r.t.Helper()
	assert.True(r.t, r.Stats().Connected)
	connects := r.connects.all()
	require.NotEmpty(r.t, connects)
	assert.Equal(r.t, "ws://localhost:2/", connects[len(connects)-1])
	waits := r.waits.durations(r.t)
	require.Len(r.t, waits, 1, r.disconnects.String())
	assert.GreaterOrEqual(r.t, waits[0], 50*time.Millisecond)
	assert.LessOrEqual(r.t, waits[0], 250*time.Millisecond)
}

func TestTheOtherEndpointAfterAFailedDial(t *testing.T) {
	for name, bad := range map[string]func(context.Context, string, string) (net.Conn, error){
		"refused": func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		},
		"no such host": func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "localhost", IsNotFound: true}
		},
		"hangs": hangingDial,
		"accepts and cuts": func(context.Context, string, string) (net.Conn, error) {
			c, s := net.Pipe()
			return c, s.Close()
		},
		"speaks another protocol": func(context.Context, string, string) (net.Conn, error) {
			c, s := net.Pipe()
			go func() {
				_, _ = s.Read(make([]byte, 4096))
				_, _ = s.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n"))
				_ = s.Close()
			}()
			return c, nil
		},
	} {
		bubble(t, name, func(t *testing.T) {
			r := twoEndpoints(t, newReplyingServer(t), bad, nil)
			time.Sleep(11 * time.Second) // the handshake times out after 10 s
			r.assertNextEndpoint()
			assert.Contains(t, r.disconnects.String(), "ws://localhost:1/")
			if name == "refused" || name == "no such host" {
				assert.Contains(t, r.disconnects.String(), name)
				assert.Contains(t, r.log.String(), name)
			}
		})
	}
}

func TestTheOtherEndpointAfterAResponseWithoutUpgrade(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"502":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"503":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"521":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(521) },
		"403":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
		"HTML": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome")) },
		"an error of the service": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"error":{"status":500,"code":500}}`))
		},
	} {
		bubble(t, name, func(t *testing.T) {
			bad := newRawServer(t)
			bad.handshake = func(w http.ResponseWriter, r *http.Request) bool { answer(w, r); return true }
			r := twoEndpoints(t, newReplyingServer(t), bad.dial, nil)
			time.Sleep(time.Second)
			r.assertNextEndpoint()
		})
	}
}

// A connection without replies counts as failed, whatever the server pushes.
func TestTheOtherEndpointAfterALinkWithoutReplies(t *testing.T) {
	for name, serve := range map[string]func(c *rawConn){
		"closed at once": func(c *rawConn) { _ = c.Close() },
		"a message, and closed": func(c *rawConn) {
			v := message("alice", "hello")
			delete(v, "message_id")
			c.push(v)
			_ = c.Close()
		},
		"an error, and closed": func(c *rawConn) {
			c.json(`{"id":"","action":"ERROR","error":{"status":500,"code":500}}`)
			_ = c.Close()
		},
		"silent": func(*rawConn) {},
	} {
		bubble(t, name, func(t *testing.T) {
			bad := newRawServer(t)
			bad.answer = func(r request) bool { serve(r.conn); return true }
			r := twoEndpoints(t, newReplyingServer(t), bad.dial, nil)
			time.Sleep(21 * time.Second) // the list times out after 20 s
			r.assertNextEndpoint()
		})
	}
}

// A rejected list shows only that the endpoint does not serve at present.
func TestTheOtherEndpointAfterARejectedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := newRawServer(t)
		bad.answer = func(r request) bool { r.reject(blaze.CodeBlazeServer, ""); return true }
		r := twoEndpoints(t, newReplyingServer(t), bad.dial, nil)
		time.Sleep(time.Second)
		r.assertNextEndpoint()
	})
}

// A 429 rate-limits all endpoints, also if it answers the list.
func TestA429BindsAllEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttling := newRawServer(t)
		throttling.answer = func(r request) bool { r.reject(blaze.CodeTooManyRequests, ""); return true }
		r := twoEndpoints(t, throttling, throttling.dial, nil)
		time.Sleep(time.Hour)
		longest := time.Duration(0)
		for _, wait := range r.waits.durations(t) {
			longest = max(longest, wait)
		}
		assert.Greater(t, longest, 10*time.Second)
		// The waits average 15 s. An immediate attempt at the other endpoint would double the number of connections.
		assert.Less(t, r.connects.len(), 360)
	})
}

// The client leaves an endpoint that answers only pings, however long its connections live.
func TestAnEndpointThatOnlyAnswersPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := newRawServer(t)
		bad.answer = func(request) bool { return true }
		r := twoEndpoints(t, bad, bad.dial, nil)
		time.Sleep(time.Hour)
		var first, second int
		for _, endpoint := range r.connects.all() {
			if endpoint == "ws://localhost:1/" {
				first++
			} else {
				second++
			}
		}
		assert.InDelta(t, first, second, 1, "in turn")
		assert.Greater(t, second, 5)
	})
}

// The same if the cause is TLS or a proxy.
func TestTheOtherEndpointAfterFailedTLSOrProxy(t *testing.T) {
	writes := func(text string) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			c, s := net.Pipe()
			go func() {
				_, _ = s.Read(make([]byte, 4096))
				_, _ = s.Write([]byte(text))
				_ = s.Close()
			}()
			return c, nil
		}
	}
	for name, tt := range map[string]struct {
		first, proxy string
		bad          func(context.Context, string, string) (net.Conn, error)
		contains     string
	}{
		"no TLS": {first: "wss://localhost:1/", bad: writes("HTTP/1.1 400 Bad Request\r\n\r\n"), contains: "tls"},
		"a proxy's 403": {
			first: "wss://localhost:1/", proxy: "http://localhost:1", bad: writes("HTTP/1.1 403 Forbidden\r\n\r\n"),
			contains: "the proxy localhost:1: it rejects the connection with status 403 Forbidden",
		},
		"a proxy without an answer": {
			first: "wss://localhost:1/", proxy: "http://localhost:1", bad: writes(""),
			contains: "the proxy localhost:1",
		},
	} {
		bubble(t, name, func(t *testing.T) {
			r := twoEndpoints(t, newReplyingServer(t), tt.bad, func(cfg *blaze.Config) {
				cfg.Endpoints[0] = tt.first
				cfg.Proxy = func(r *http.Request) (*url.URL, error) {
					if tt.proxy == "" || r.URL.Host != "localhost:1" {
						return nil, nil
					}
					return url.Parse(tt.proxy)
				}
			})
			time.Sleep(time.Second)
			r.assertNextEndpoint()
			assert.Contains(t, r.disconnects.String(), tt.contains)
		})
	}
}
