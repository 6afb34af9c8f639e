package serve_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// arrivals enqueues messages of the given sizes at once, and returns the arrival time of each.
func arrivals(t *testing.T, l *line, sizes ...int) (all []time.Duration) {
	t.Helper()
	began := time.Now()
	for _, n := range sizes {
		require.True(t, l.Enqueue(serve.Item{Message: make([]byte, n)}))
	}
	for _, n := range sizes {
		_, p, err := l.client.ReadMessage()
		require.NoError(t, err)
		require.Len(t, p, n)
		all = append(all, time.Since(began))
	}
	return all
}

func TestPace(t *testing.T) {
	for name, test := range map[string]struct {
		speed serve.Speed
		sizes []int
		want  []time.Duration
	}{
		"none": {serve.Speed{}, []int{1000, 1000}, []time.Duration{0, 0}},
		"latency": {
			serve.Speed{Latency: 2 * time.Second}, []int{1000, 1000}, []time.Duration{2 * time.Second, 2 * time.Second},
		},
		"bandwidth": {
			serve.Speed{BytesPerSecond: 100},
			[]int{200, 300, 100},
			[]time.Duration{2 * time.Second, 5 * time.Second, 6 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := connect(t, nil)
				l.SetSpeed(test.speed)
				assert.Equal(t, test.want, arrivals(t, l, test.sizes...))
				l.SetSpeed(serve.Speed{})
				assert.Equal(t, []time.Duration{0}, arrivals(t, l, 1000), "as fast as ever")
			})
		})
	}
}

// The bytes of a message are sent after those of the previous one, and arrive one latency later.
func TestLatencyAndBandwidth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		l.SetSpeed(serve.Speed{Latency: 3 * time.Second, BytesPerSecond: 100})
		want := []time.Duration{4 * time.Second, 6 * time.Second, 9 * time.Second}
		assert.Equal(t, want, arrivals(t, l, 100, 200, 300))
	})
}

// A late read does not make the next message arrive faster.
func TestASlowLineToAClientThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		l.SetSpeed(serve.Speed{Latency: time.Second, BytesPerSecond: 100})
		for range 2 {
			require.True(t, l.Enqueue(serve.Item{Message: make([]byte, 500)}))
		}
		time.Sleep(20 * time.Second)
		began := time.Now()
		for _, want := range []time.Duration{0, 5 * time.Second} {
			_, _, err := l.client.ReadMessage()
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(began))
		}
	})
}

func TestTheClientIsSlowToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		l.SetSpeed(serve.Speed{BytesPerSecond: 10})
		n := l.write(t, `{"id":"1","action":"X"}`)
		time.Sleep(time.Duration(n)*time.Second/10 - time.Millisecond)
		synctest.Wait()
		assert.Empty(t, noted(l, &l.frames), "%d bytes take %d tenths of a second", n, n)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		assert.Len(t, noted(l, &l.frames), 1)
	})
}

// Cut does not wait for a line with an hour of latency.
func TestASlowLineEndsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		l.SetSpeed(serve.Speed{Latency: time.Hour})
		require.True(t, l.Enqueue(serve.Item{Message: []byte("x")}))
		synctest.Wait()
		began := time.Now()
		l.Cut()
		<-l.ended
		assert.Zero(t, time.Since(began))
		assert.Equal(t, map[string]int{"x": 1}, l.finished())
	})
}

// A line that carries frames most of the time carries the pings between them.
func TestABusyLineCarriesPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := connect(t, nil)
		l.SetSpeed(serve.Speed{BytesPerSecond: 100})
		pinged, pong := time.Now(), l.client.PingHandler()
		l.client.SetPingHandler(func(text string) error {
			assert.Less(t, time.Since(pinged), 30*time.Second, "the Node SDK gives up")
			pinged = time.Now()
			return pong(text)
		})
		began := time.Now()
		for range 40 { // the line is busy nine of ten seconds
			require.True(t, l.Enqueue(serve.Item{Message: make([]byte, 900)}))
			_, _, err := l.client.ReadMessage()
			require.NoError(t, err)
			<-time.After(time.Second)
		}
		assert.Less(t, time.Since(pinged), 30*time.Second)
		assert.Equal(t, 400*time.Second, time.Since(began))
	})
}
