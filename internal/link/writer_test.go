package link_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// noise returns n bytes of incompressible text, always the same for each n.
func noise(n int) string {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(p)
	return string(p)
}

// sized returns text with a compressed size of exactly n bytes.
func sized(t *testing.T, n int) string {
	t.Helper()
	d := new(wire.Deflater)
	for size := n; size > 0; size-- {
		if s := noise(size); len(d.Append(nil, []byte(s))) == n {
			return s
		}
	}
	require.Fail(t, "no text becomes so long", n)
	return ""
}

func TestAFrameIsCompressedUnlessItIsToBeStored(t *testing.T) {
	message := strings.Repeat("again ", 1000)
	for _, store := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			src := newSource(message)
			src.store = store
			r := connect(t, src)
			r.collect(false)
			frames := r.collected()
			require.Len(t, frames, 1)
			assert.True(t, decompress(t, frames[0].Payload) == message)
			assert.Equal(t, store, len(frames[0].Payload) > len(message))
		})
	}
}

// Each message is one frame, at all limits between the encodings of its length.
func TestEachMessageIsOneFrame(t *testing.T) {
	var messages []string
	for _, n := range []int{125, 126, 127, 65535, 65536, 65537} {
		messages = append(messages, sized(t, n))
	}
	messages = append(messages, "{}", noise(200<<10))

	t.Run("by hand", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := connect(t, newSource(messages...))
			r.collect(false)
			frames := r.collected()
			require.Len(t, frames, len(messages))
			keys := make(map[[4]byte]bool)
			for i, f := range frames {
				assert.Equal(t, wspeer.Final|wspeer.Binary, f.First)
				assert.True(t, decompress(t, f.Payload) == messages[i], "message %d", i)
				keys[f.Key] = true
			}
			assert.Len(t, keys, len(messages), "number of different masking keys")
			require.Len(t, r.log.events, len(messages))
			for i, event := range r.log.events {
				assert.True(t, event == "wrote "+messages[i], "event %d", i)
			}
		})
	})

	t.Run("by gorilla", func(t *testing.T) {
		got := make(chan []byte, len(messages))
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u := websocket.Upgrader{Subprotocols: []string{"Mixin-Blaze-1"}}
			c, err := u.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			defer close(got)
			for {
				kind, p, err := c.ReadMessage()
				if err != nil || kind != websocket.BinaryMessage {
					return
				}
				got <- p
			}
		}))
		defer srv.Close()
		l, err := link.Dial(t.Context(), tcp(srv.URL))
		require.NoError(t, err)
		l.Start(newSource(messages...), new(log).hooks())
		for i, want := range messages {
			assert.True(t, decompress(t, <-got) == want, "message %d", i)
		}
		l.Close(time.Minute)
		assert.Equal(t, link.ErrClosed, l.Err())
		<-got
	})
}

func TestManySmallFramesAreOneWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var messages []string
		for i := range 100 {
			messages = append(messages, fmt.Sprint(i))
		}
		r := connect(t, newSource(messages...))
		r.collect(false)
		frames := r.collected()
		require.Len(t, frames, len(messages))
		for i, f := range frames {
			assert.Equal(t, messages[i], decompress(t, f.Payload))
		}
		assert.Equal(t, int64(1), r.conn.writes.Load())
	})
}

// Many frames are written in several system calls, because the buffer is bounded.
func TestMuchIsWrittenInPieces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		messages := make([]string, 40)
		for i := range messages {
			messages[i] = noise(10 << 10)
		}
		r := connect(t, newSource(messages...))
		r.collect(false)
		assert.Len(t, r.collected(), len(messages))
		assert.Equal(t, int64(6), r.conn.writes.Load())
	})
}

func TestAPongRepeatsThePayload(t *testing.T) {
	for _, payload := range []string{"", "x", strings.Repeat("y", 125)} {
		bubble(t, func(t *testing.T) {
			r := connect(t, newSource())
			r.collect(false)
			r.send(wspeer.Whole(wspeer.Ping, []byte(payload)))
			frames := r.collected()
			require.Len(t, frames, 1)
			assert.Equal(t, wspeer.Final|wspeer.Pong, frames[0].First)
			assert.Equal(t, payload, string(frames[0].Payload))
		})
	}
}

// If several pings arrive while the writer is busy, only the newest is answered.
func TestTheNewestPingIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("busy"))
		synctest.Wait()
		for _, s := range []string{"a", "b", "c"} {
			r.send(wspeer.Whole(wspeer.Ping, []byte(s)))
		}
		r.collect(false)
		frames := r.collected()
		require.Len(t, frames, 2)
		assert.Equal(t, wspeer.Final|wspeer.Binary, frames[0].First)
		assert.Equal(t, wspeer.Final|wspeer.Pong, frames[1].First)
		assert.Equal(t, "c", string(frames[1].Payload))
	})
}

// A flood of pings is not answered faster than the peer reads, and no pongs accumulate.
func TestAFloodOfPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.send(bytes.Repeat(wspeer.Whole(wspeer.Ping, []byte("flood")), 10_000))
		r.collect(false)
		assert.LessOrEqual(t, len(r.collected()), 2)
		r.lives()
	})
}

func TestAPeerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("stuck"))
		time.Sleep(10*time.Second - 1)
		r.lives()
		<-r.Done()
		assert.Equal(t, 11*time.Second, time.Since(r.born), "including one second to read replies")
		assert.ErrorContains(t, r.Err(), "write: ")
		assert.Equal(t, []string{"alive"}, r.ids())
	})
}

func TestASourceThatFailsEndsTheLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		src := newSource()
		r := connect(t, src)
		r.lives()
		src.mu.Lock()
		src.err = assert.AnError
		src.mu.Unlock()
		src.wake <- struct{}{}
		assert.Equal(t, assert.AnError, r.ended())
		assert.Equal(t, r.born, time.Now())
	})
}

func TestNextIsCalledWhenItIsDue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		src := newSource()
		src.wait = 4 * time.Second
		r := connect(t, src)
		r.collect(true)
		time.Sleep(9 * time.Second) // Next was called after 0, 4 and 8 s
		src.mu.Lock()
		src.wait = -1
		src.mu.Unlock()
		src.write("woken") // two calls of Next, the second without a frame
		time.Sleep(5 * time.Second)
		synctest.Wait()
		var times []time.Duration
		for _, at := range src.calls {
			times = append(times, at.Sub(r.born))
		}
		const s = time.Second
		assert.Equal(t, []time.Duration{0, 4 * s, 8 * s, 9 * s, 9 * s}, times)
		require.Len(t, r.collected(), 1)
	})
}

// A source with endless frames delays neither pings nor the end of the link.
func TestAnEndlessSource(t *testing.T) {
	endless := endlessSource(noise(70 << 10))
	t.Run("pings", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := connect(t, endless)
			r.collectEvery(time.Second, true)
			time.Sleep(2 * time.Minute)
			r.lives()
		})
	})
	t.Run("end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := connect(t, endless)
			r.collectEvery(100*time.Millisecond, false)
			r.log.frameErr = assert.AnError
			time.Sleep(time.Second + 1)
			r.send(named("rejected"))
			time.Sleep(time.Second) // the write in progress may finish
			assert.Equal(t, assert.AnError, r.ended())
		})
	})
}

// endlessSource repeats one frame without end.
type endlessSource string

func (s endlessSource) Next() ([]byte, bool, time.Duration, error) { return []byte(s), false, 0, nil }
func (s endlessSource) Wake() <-chan struct{}                      { return nil }
