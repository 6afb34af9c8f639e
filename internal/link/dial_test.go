package link_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func TestTheRequest(t *testing.T) {
	for _, endpoint := range []string{"ws://blaze.test/", "ws://blaze.test", "ws://blaze.test:8080/"} {
		bubble(t, func(t *testing.T) {
			client, server := pipe()
			p := wspeer.New(server)
			go func() {
				if p.ReadHead() == nil {
					_, _ = io.WriteString(p, p.Upgrade("Sec-WebSocket-Protocol: Mixin-Blaze-1"))
				}
			}()
			var dialled string
			l, err := link.Dial(t.Context(), link.Config{
				URL: endpoint, Token: token,
				DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
					dialled = network + " " + addr
					return client, nil
				},
			})
			require.NoError(t, err)
			l.Start(newSource(), new(log).hooks())
			l.Fail(io.EOF)
			<-l.Done()
			assert.True(t, strings.HasPrefix(p.Head, "GET / HTTP/1.1\r\n"), p.Head)
			assert.Equal(t, []string{"Bearer " + token}, p.Header("Authorization"))
			assert.Equal(t, []string{"Mixin-Blaze-1"}, p.Header("Sec-WebSocket-Protocol"))
			assert.Equal(t, []string{"13"}, p.Header("Sec-WebSocket-Version"))
			assert.Equal(t, []string{"websocket"}, p.Header("Upgrade"))
			assert.Equal(t, []string{"Upgrade"}, p.Header("Connection"))
			assert.Len(t, p.Header("Sec-WebSocket-Key"), 1)
			assert.Empty(t, p.Header("Sec-WebSocket-Extensions"))
			assert.Empty(t, p.Header("Cookie"))
			host := strings.TrimSuffix(strings.TrimPrefix(endpoint, "ws://"), "/")
			assert.Equal(t, []string{host}, p.Header("Host"))
			if !strings.Contains(host, ":") {
				host += ":80"
			}
			assert.Equal(t, "tcp "+host, dialled)
		})
	}
}

// Frames in the same packet as the response are read. The read limit of the handshake does not apply to the link.
func TestFramesBehindTheResponse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var behind []byte
		for range 100 {
			behind = append(behind, named("early")...)
		}
		g := new(log)
		l, err := answer(t, func(p *wspeer.Peer) {
			_, _ = p.Write(append([]byte(p.Upgrade()), behind...))
			_, _ = p.Write(wspeer.Whole(wspeer.Text, make([]byte, 3<<20)))
			_, _ = p.Write(named("late"))
		})
		require.NoError(t, err)
		l.Start(newSource(), g.hooks())
		<-l.Done()
		assert.Len(t, g.ids, 101)
		assert.Len(t, g.bad, 1)
		assert.ErrorContains(t, l.Err(), "unexpected EOF")
	})
}

// stalls are the points at which a handshake can stall.
var stalls = map[string]struct {
	url   string
	serve func(p *wspeer.Peer)
}{
	"before it is read": {"ws://blaze.test/", func(*wspeer.Peer) {}},
	"before the answer": {"ws://blaze.test/", func(p *wspeer.Peer) { _ = p.ReadHead() }},
	"in the answer": {"ws://blaze.test/", func(p *wspeer.Peer) {
		_ = p.ReadHead()
		up := p.Upgrade()
		_, _ = io.WriteString(p, up[:len(up)-1])
	}},
	"before TLS is read":  {"wss://blaze.test/", func(*wspeer.Peer) {}},
	"before TLS's answer": {"wss://blaze.test/", func(p *wspeer.Peer) { _, _ = p.Read(make([]byte, 4096)) }},
	"in TLS": {"wss://blaze.test/", func(p *wspeer.Peer) {
		_, _ = p.Read(make([]byte, 4096))
		_, _ = p.Write([]byte{22, 3, 3, 0})
	}},
	"in a rejection": {"ws://blaze.test/", func(p *wspeer.Peer) {
		_ = p.ReadHead()
		_, _ = io.WriteString(p, "HTTP/1.1 401 Unauthorized\r\n\r\nno end")
	}},
}

// stall dials a peer that stalls and returns Dial's error. It checks that Dial returns after that time and closes the
// connection.
func stall(ctx context.Context, t *testing.T, url string, serve func(p *wspeer.Peer), after time.Duration) error {
	t.Helper()
	began := time.Now()
	client, server := pipe()
	p := wspeer.New(server)
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(p)
	}()
	_, err := link.Dial(ctx, link.Config{URL: url, Token: token, DialContext: dialTo(client)})
	assert.Equal(t, after, time.Since(began))
	_, closed := client.Read(make([]byte, 1))
	assert.ErrorIs(t, closed, io.ErrClosedPipe)
	<-served
	return err
}

func TestDialEndsWithItsContext(t *testing.T) {
	for name, s := range stalls {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				err := stall(ctx, t, s.url, s.serve, 3*time.Second)
				assert.Equal(t, context.Canceled, err)
			})
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err := stall(ctx, t, s.url, s.serve, 3*time.Second)
				assert.Equal(t, context.DeadlineExceeded, err)
			})
		})
	}
	t.Run("while dialling", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			began := time.Now()
			_, err := link.Dial(ctx, link.Config{URL: "ws://blaze.test/", DialContext: hang})
			assert.Equal(t, context.Canceled, err)
			assert.Equal(t, 3*time.Second, time.Since(began))
		})
	})
	t.Run("before", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			client, server := pipe()
			_, err := link.Dial(ctx, link.Config{URL: "ws://blaze.test/", DialContext: dialTo(client)})
			assert.Equal(t, context.Canceled, err)
			_, err = server.Read(make([]byte, 1))
			assert.Equal(t, io.EOF, err)
		})
	})
}

func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, errors.New("dial: operation was canceled")
}

func TestAHandshakeMayTake10Seconds(t *testing.T) {
	for name, s := range stalls {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				err := stall(t.Context(), t, s.url, s.serve, 10*time.Second)
				if name == "in a rejection" {
					var rejection *link.HandshakeError
					require.ErrorAs(t, err, &rejection, "also if its body does not end")
					assert.Equal(t, 401, rejection.Status)
					return
				}
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "no handshake within 10s")
			})
		})
	}
	t.Run("while dialling", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			began := time.Now()
			_, err := link.Dial(t.Context(), link.Config{URL: "ws://blaze.test/", DialContext: hang})
			assert.ErrorContains(t, err, "no handshake within 10s")
			assert.Equal(t, 10*time.Second, time.Since(began))
		})
	})
}

func TestExtensionsAreRejected(t *testing.T) {
	for _, lines := range [][]string{
		{"Sec-WebSocket-Extensions: permessage-deflate"},
		{"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"Sec-WebSocket-Extensions: x-unknown"},
		{
			"Sec-WebSocket-Extensions:",
			"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
		},
	} {
		bubble(t, func(t *testing.T) {
			_, err := answer(t, func(p *wspeer.Peer) { _, _ = io.WriteString(p, p.Upgrade(lines...)) })
			assert.ErrorContains(t, err, "compression")
		})
	}
}

func TestSubprotocols(t *testing.T) {
	for _, line := range []string{"evil", "mixin-blaze-1", "Mixin-Blaze-1, evil", "Mixin-Blaze-2"} {
		bubble(t, func(t *testing.T) {
			_, err := answer(t, func(p *wspeer.Peer) { _ = p.Say(p.Upgrade("Sec-WebSocket-Protocol: " + line)) })
			assert.ErrorContains(t, err, "subprotocol")
		})
	}
	for _, lines := range [][]string{nil, {"Sec-WebSocket-Protocol:"}, {"Sec-WebSocket-Protocol: Mixin-Blaze-1"}} {
		bubble(t, func(t *testing.T) {
			l, err := answer(t, func(p *wspeer.Peer) {
				_, _ = io.WriteString(p, p.Upgrade(lines...))
				_, _ = p.Read(make([]byte, 1))
			})
			require.NoError(t, err)
			l.Start(newSource(), new(log).hooks())
			l.Close(0)
		})
	}
}

func TestErrorsOfTheDialerAreReturned(t *testing.T) {
	_, err := link.Dial(t.Context(), link.Config{
		URL:         "ws://blaze.test/",
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, assert.AnError },
	})
	assert.ErrorIs(t, err, assert.AnError)
	_, err = link.Dial(t.Context(), link.Config{
		URL: "ws://blaze.test/", Proxy: func(*http.Request) (*url.URL, error) { return nil, assert.AnError },
	})
	assert.ErrorIs(t, err, assert.AnError)
}
