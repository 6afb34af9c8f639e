package serve_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// bubble runs a test in virtual time.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

func TestTheHandshake(t *testing.T) {
	for name, asked := range map[string][]string{
		"the usual one": {"Mixin-Blaze-1"}, "another one": {"MixinBot-Blaze-1"}, "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := connect(t, nil, asked...)
				assert.Equal(t, http.StatusSwitchingProtocols, l.answer.StatusCode)
				assert.Equal(t, "yes", l.answer.Header.Get("X-Test"))
				assert.Empty(t, l.answer.Header.Get("Sec-WebSocket-Extensions"))
				want := ""
				if name == "the usual one" {
					want = "Mixin-Blaze-1"
				}
				assert.Equal(t, want, l.client.Subprotocol())
			})
		})
	}
}

func TestItemsOfOneCallStayTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		const calls, each = 20, 5
		for n := range calls {
			go func() {
				var items []serve.Item
				for i := range each {
					items = append(items, serve.Item{Frame: fmt.Sprintf("%d.%d", n, i)})
				}
				assert.True(t, l.Enqueue(items...))
			}()
		}
		synctest.Wait()
		assert.False(t, l.Flushed(), "the client has read nothing")
		seen := make(map[string]bool)
		for range calls {
			first := strings.Trim(l.read(t), `"`)
			call, ok := strings.CutSuffix(first, ".0")
			require.True(t, ok, first)
			seen[call] = true
			for i := 1; i < each; i++ {
				require.Equal(t, fmt.Sprintf("%q", fmt.Sprint(call, ".", i)), l.read(t))
			}
		}
		assert.Len(t, seen, calls)
		synctest.Wait()
		assert.True(t, l.Flushed())
	})
}

// Done is called once for each accepted item, whether it was written or not, and never for an item that was not
// accepted.
func TestDoneIsCalledOnceForEachItem(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, l *line){
		"cut":                    func(_ *testing.T, l *line) { l.Cut() },
		"cut twice":              func(_ *testing.T, l *line) { l.Cut(); l.Cut() },
		"the client has gone":    func(_ *testing.T, l *line) { _ = l.client.Close() },
		"the client has no pong": func(t *testing.T, l *line) { time.Sleep(time.Minute) },
		"the client closes": func(t *testing.T, l *line) {
			closing := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			require.NoError(t, l.client.WriteControl(websocket.CloseMessage, closing, time.Time{}))
			for {
				if _, _, err := l.client.ReadMessage(); err != nil {
					break
				}
			}
		},
		"an item ends it": func(t *testing.T, l *line) {
			last := serve.Item{Message: []byte("the end"), Cut: true}
			require.True(t, l.Enqueue(last, serve.Item{Message: []byte("too late")}))
			for {
				if _, _, err := l.client.ReadMessage(); err != nil {
					break
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := connect(t, nil)
				taken := []string{"0", "1", "2", "3", "4"}
				for _, m := range taken {
					require.True(t, l.Enqueue(serve.Item{Message: []byte(m)}))
				}
				for _, m := range taken[:2] {
					_, p, err := l.client.ReadMessage()
					require.NoError(t, err)
					require.Equal(t, m, string(p))
				}
				end(t, l)
				<-l.ended
				n := l.finished()
				for _, m := range taken {
					assert.Equal(t, 1, n[m], m)
				}
				if name == "an item ends it" {
					assert.Equal(t, 1, n["the end"])
					assert.Equal(t, 1, n["too late"])
				}
				assert.False(t, l.Enqueue(serve.Item{Message: []byte("afterwards")}))
				synctest.Wait()
				assert.Zero(t, l.finished()["afterwards"])
			})
		})
	}
}

func TestTheClosingHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		require.True(t, l.Enqueue(serve.Item{Frame: "first"}))
		closing := websocket.FormatCloseMessage(websocket.CloseGoingAway, "enough")
		require.NoError(t, l.client.WriteControl(websocket.CloseMessage, closing, time.Time{}))
		assert.Equal(t, `"first"`, l.read(t), "what was queued before is written")
		_, _, err := l.client.ReadMessage()
		assert.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), err)
		<-l.ended
		assert.Empty(t, noted(l, &l.faults))
	})
}

func TestPingsOfTheClientAreAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		var got string
		l.client.SetPongHandler(func(payload string) error { got = payload; return nil })
		require.NoError(t, l.client.WriteControl(websocket.PingMessage, []byte("marco"), time.Time{}))
		require.True(t, l.Enqueue(serve.Item{Frame: "next"}))
		l.read(t)
		assert.Equal(t, "marco", got)
	})
}

// Pings have an interval of 15 s. A client that does not answer them loses its connection 30 s after its last pong,
// however much it writes.
func TestPings(t *testing.T) {
	for name, answers := range map[string]bool{"with pongs": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := connect(t, nil)
				began := time.Now()
				var pings []time.Duration
				l.client.SetPingHandler(func(payload string) error {
					pings = append(pings, time.Since(began))
					if !answers {
						return nil
					}
					return l.client.WriteControl(websocket.PongMessage, []byte(payload), time.Time{})
				})
				if answers {
					time.AfterFunc(time.Hour, func() { _ = l.client.Close() })
				}
				_, _, err := l.client.ReadMessage()
				require.Error(t, err)
				<-l.ended
				if !answers {
					assert.Equal(t, []time.Duration{15 * time.Second}, pings)
					assert.Equal(t, 30*time.Second, time.Since(began))
					return
				}
				assert.Equal(t, time.Hour, time.Since(began))
				assert.Equal(t, 15*time.Second, pings[0])
				assert.GreaterOrEqual(t, len(pings), 239)
			})
		})
	}
}

// The pong timeout is suspended while a request is carried out, because the reader does not read then.
func TestARequestMayTakeLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, func(h *serve.Hooks) {
			note := h.Frame
			h.Frame = func(f *wire.Frame, text []byte) bool {
				time.Sleep(10 * time.Minute)
				return note(f, text)
			}
		})
		l.write(t, `{"id":"1","action":"X"}`)
		time.AfterFunc(10*time.Minute+time.Second, func() { l.Enqueue(serve.Item{Frame: "still there"}) })
		assert.Equal(t, `"still there"`, l.read(t))
		assert.Equal(t, []string{`{"id":"1","action":"X"}`}, noted(l, &l.frames))
	})
}

func TestFramesReachTheirHook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, func(h *serve.Hooks) {
			note := h.Frame
			h.Frame = func(f *wire.Frame, text []byte) bool {
				note(f, text)
				return f.Action != "END"
			}
		})
		l.write(t, `{"id":"1","action":"X"}`)
		require.NoError(t, l.client.WriteMessage(websocket.TextMessage, []byte(`{"id":"2"}`)))
		require.NoError(t, l.client.WriteMessage(websocket.BinaryMessage, []byte("no gzip")))
		l.write(t, "no JSON")
		l.write(t, `{"id":"3","action":"END"}`)
		_, _, err := l.client.ReadMessage()
		assert.True(t, websocket.IsUnexpectedCloseError(err), "no close frame: %v", err)
		<-l.ended
		assert.Equal(t, []string{`{"id":"1","action":"X"}`, `{"id":"3","action":"END"}`}, noted(l, &l.frames))
		assert.Len(t, noted(l, &l.faults), 3)
	})
}

func TestAFrameThatIsNoJSONIsMisuse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		require.True(t, l.Enqueue(serve.Item{Frame: func() {}}, serve.Item{Frame: "next"}))
		assert.Equal(t, `"next"`, l.read(t))
		require.Len(t, noted(l, &l.faults), 1)
		assert.Contains(t, noted(l, &l.faults)[0], "misuse: ")
	})
}

func TestABreachOfTheFramingIsReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		// An unmasked frame. Clients must mask their frames (RFC 6455, section 5.1).
		_, err := l.client.NetConn().Write([]byte{0x82, 1, 'x'})
		require.NoError(t, err)
		_, _, err = l.client.ReadMessage()
		require.Error(t, err)
		<-l.ended
		assert.Len(t, noted(l, &l.faults), 1)
	})
}
