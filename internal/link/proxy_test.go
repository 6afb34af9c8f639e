package link_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/link"
)

// silentProxy is a proxy that sends the beginning of a response and nothing more.
func silentProxy(beginning string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			buf := make([]byte, 4096)
			_, err := theirs.Read(buf)
			if err == nil && beginning != "" {
				_, err = theirs.Write([]byte(beginning))
			}
			for err == nil {
				_, err = theirs.Read(buf)
			}
		}()
		return ours, nil
	}
}

func TestTheContextEndsInTheProxy(t *testing.T) {
	for scheme, agreed := range map[string]string{"http": "HTTP/1.1 200 OK\r\n\r\n", "socks5": "\x05\x00"} {
		for _, target := range []string{"ws://blaze.test/", "wss://blaze.test/"} {
			for _, beginning := range []string{"", agreed} {
				t.Run(fmt.Sprintf("%s %s %q", scheme, target, beginning), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancel(t.Context())
						time.AfterFunc(time.Second, cancel)
						began := time.Now()
						_, err := link.Dial(ctx, link.Config{
							URL: target, Token: "x.y.z", DialContext: silentProxy(beginning),
							Proxy: func(*http.Request) (*url.URL, error) {
								return url.Parse(scheme + "://proxy.test:1080")
							},
						})
						assert.ErrorIs(t, err, context.Canceled)
						assert.Equal(t, time.Second, time.Since(began))
						synctest.Wait()
					})
				})
			}
		}
	}
}

// The error names a proxy that is silent for too long.
func TestAProxyThatIsSilent(t *testing.T) {
	for scheme, agreed := range map[string]string{"http": "HTTP/1.1 200 OK\r\n\r\n", "https": "", "socks5": ""} {
		for _, beginning := range []string{"", agreed} {
			t.Run(fmt.Sprintf("%s %q", scheme, beginning), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, err := link.Dial(t.Context(), link.Config{
						URL: "ws://blaze.test/", Token: "x.y.z", DialContext: silentProxy(beginning),
						Proxy: func(*http.Request) (*url.URL, error) {
							return url.Parse(scheme + "://proxy.test:1080")
						},
					})
					assert.ErrorContains(t, err, "no handshake within 10s")
					if beginning == "" {
						assert.ErrorContains(t, err, "the proxy proxy.test:1080")
					} else {
						assert.NotContains(t, err.Error(), "proxy", "the proxy has established the tunnel")
					}
					synctest.Wait()
				})
			})
		}
	}
}
