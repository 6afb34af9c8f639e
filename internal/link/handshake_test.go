package link_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// A handshake reads a bounded number of bytes, however fast the server writes.
func TestHeadersAreBounded(t *testing.T) {
	line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"
	for name, text := range map[string]string{
		"lines":       strings.Repeat(line, 10_000),
		"one line":    "X-Filler: " + strings.Repeat("x", 10<<20) + "\r\n",
		"status line": "",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				written := 0
				_, err := answer(t, func(p *wspeer.Peer) {
					up := p.Upgrade()
					status, rest, _ := strings.Cut(up, "\r\n")
					if text == "" {
						status += strings.Repeat("x", 10<<20)
					}
					written, _ = io.WriteString(p, status+"\r\n"+text+rest)
				})
				require.ErrorContains(t, err, "handshake of more than")
				assertPlain(t, err)
				assert.LessOrEqual(t, written, 1<<20)
			})
		})
	}
}

// proxied dials through a proxy that answers with text. It returns the head of the request to the proxy.
func proxied(t *testing.T, text string) (head string, err error) {
	t.Helper()
	client, server := pipe()
	p := wspeer.New(server)
	go func() {
		if p.ReadHead() == nil {
			_, _ = io.WriteString(p, text)
		}
		_ = p.Close()
	}()
	_, err = link.Dial(t.Context(), link.Config{
		URL: "ws://blaze.test/", Token: token,
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			assert.Equal(t, "proxy.test:3128", addr)
			return client, nil
		},
		Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test:3128") },
	})
	require.Error(t, err)
	_, closed := client.Read(make([]byte, 1))
	assert.ErrorIs(t, closed, io.ErrClosedPipe)
	return p.Head, err
}

func TestAProxyThatRejects(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 407\r\n\r\n",
		"HTTP/1.1 407 \r\n\r\n", "HTTP/1.1 502 \x1b[31m\r\n\r\n", "",
		"HTTP/1.1 502 " + strings.Repeat("x", 5000) + "\r\n\r\n",
		"HTTP/1.1 502 x\r\n" + strings.Repeat("X-Filler: x\r\n", 1<<20),
	} {
		bubble(t, func(t *testing.T) {
			head, err := proxied(t, text)
			assertPlain(t, err)
			require.ErrorContains(t, err, "proxy proxy.test:3128")
			if _, status, ok := strings.Cut(text, "HTTP/1.1 "); ok && len(text) < 100 {
				assert.ErrorContains(t, err, "status "+status[:3])
			}
			assert.True(t, strings.HasPrefix(head, "CONNECT blaze.test:80 HTTP/1.1\r\n"), head)
			assert.NotContains(t, head, token)
		})
	}
}
