package faults_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// Fault 53: the waits keep growing if the server accepts connections and cuts them.
func TestFault53Flapping(t *testing.T) {
	const flaps = 100
	bubble(t, blaze.On(nothing), func(b *bench) {
		for range flaps {
			b.s.Intercept(list, testkit.Answer(blazetest.Answer{Hang: true, Cut: true}))
		}
	}, func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Hour)
		waits := b.retries()
		require.Len(t, waits, flaps)
		var sum time.Duration
		for n, wait := range waits {
			assert.LessOrEqual(t, wait, min(30*time.Second, 500*time.Millisecond<<min(n, 10)))
			if n >= flaps/2 {
				sum += wait
			}
		}
		assert.Greater(t, sum, flaps/2*8*time.Second, "half of 30 s on average, not half a second")
		// The last connection was healthy for an hour, so the waits start again at the shortest.
		b.s.Cut()
		synctest.Wait()
		assert.LessOrEqual(t, b.retries()[flaps], 500*time.Millisecond)
		firedN(t, 53, flaps)
	})
}

// Fault 54: after the restart of a server with a thousand clients, their reconnects are spread out.
func TestFault54ThunderingHerd(t *testing.T) {
	// Each client waits once, at most 500 ms: a uniform distribution.
	first := func(x float64) float64 { return x }
	// Each client has waited several times, at most 30 s, and the outage ends during one of the waits. The remainder of
	// such a wait is shorter than x of the longest wait with probability 1-(1-x)².
	left := func(x float64) float64 { return 1 - (1-x)*(1-x) }
	clients := 1000
	if testkit.Race {
		clients = 120
	}
	t.Run("short outage", func(t *testing.T) { herd(t, clients, 0, 500*time.Millisecond, 100*time.Millisecond, first) })
	t.Run("long outage", func(t *testing.T) {
		herd(t, min(clients, 250), 3*time.Minute, 30*time.Second, 3*time.Second, left)
	})
}

// herd counts the clients that reconnect in each interval after an outage. All reconnect within most. law returns the
// expected share of clients that have reconnected after x of that time.
func herd(t *testing.T, clients int, outage, most, interval time.Duration, law func(x float64) float64) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		defer s.Close()
		var mu sync.Mutex
		var up time.Time
		var back []time.Duration
		cfg := s.Config
		cfg.Logger = newBench(t, s).cfg.Logger // searches for secrets
		cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			since := time.Since(up)
			if since >= 0 {
				back = append(back, since)
			}
			mu.Unlock()
			if since < 0 {
				return nil, syscall.ECONNREFUSED
			}
			return s.Config.DialContext(ctx, network, addr)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range clients {
			c, err := blaze.New(s.Key, &cfg)
			require.NoError(t, err)
			running.Go(func() { assert.NoError(t, c.Run(ctx, nil)) })
		}
		time.Sleep(2 * time.Minute) // long enough to count as healthy
		mu.Lock()
		up, back = time.Now().Add(outage), nil
		mu.Unlock()
		s.Cut()
		time.Sleep(outage + most + time.Second)
		mu.Lock()
		assertSpread(t, back, clients, most, interval, law)
		firedN(t, 54, len(back))
		mu.Unlock()
		cancel()
		running.Wait()
	})
}

// assertSpread checks the number of clients in each interval and the cumulative share. An interval may deviate by seven
// standard deviations, plus three because the numbers of nearly empty intervals are not normally distributed. The
// cumulative share may deviate by the distance that the Dvoretzky-Kiefer-Wolfowitz inequality exceeds in one of 10⁹
// runs. The first check fails if waits are bunched, the second if waits have another length.
func assertSpread(
	t *testing.T, back []time.Duration, clients int, most, interval time.Duration, law func(x float64) float64,
) {
	require.Len(t, back, clients, "each comes back once")
	intervals := int(most / interval)
	counts := make([]int, intervals)
	for _, after := range back {
		require.LessOrEqual(t, after, most)
		counts[min(int(after/interval), intervals-1)]++
	}
	all := float64(clients)
	far := math.Sqrt(math.Log(2/1e-9) / (2 * all))
	before, sum := 0.0, 0
	for n, count := range counts {
		share := law(float64(n+1) / float64(intervals))
		p := share - before
		mean := all * p
		assert.InDelta(t, mean, count, 7*math.Sqrt(mean*(1-p))+3, "interval %d of %v", n, counts)
		sum += count
		assert.InDelta(t, share, float64(sum)/all, far, "up to interval %d of %v", n, counts)
		before = share
	}
}

// Thirty days of a bot: pings, a message every hour, and every few hours the connection breaks in one of three ways.
// The seed is fixed, like the virtual time.
func TestThirtyDays(t *testing.T) {
	days := 30
	if testkit.Race {
		days = 10
	}
	r := rand.New(rand.NewPCG(30, 24))
	var b *bench
	bubble(t, blaze.Handler(func(ctx context.Context, m *blaze.Message) error {
		return echo(&b)(ctx, m)
	}), nil, func(t *testing.T, bench *bench) {
		b = bench
		breaks := 0
		for hour := range days * 24 {
			id := b.deliver("hour")
			time.Sleep(time.Duration(r.Int64N(int64(time.Hour))))
			require.Contains(t, b.s.Acked(), id, "hour %d", hour)
			if r.IntN(4) == 0 {
				b.breakSomehow(r)
				breaks++
			}
			time.Sleep(30 * time.Minute)
		}
		b.settled()
		assert.Greater(t, time.Since(b.born), time.Duration(days-1)*24*time.Hour)
		assert.Greater(t, breaks, 3*days)
		assert.Len(t, b.failures(), breaks)
		assert.Len(t, b.s.Sent(), days*24)
		stats := b.c.Stats()
		assert.True(t, stats.Connected)
		assert.EqualValues(t, days*24, stats.Handled)
		assert.Zero(t, stats.InboxMessages+stats.OutboxRequests+stats.AcksWaiting)
	})
}

// breakSomehow breaks the current connection.
func (b *bench) breakSomehow(r *rand.Rand) {
	taps := b.allTaps()
	switch last := taps[len(taps)-1]; r.IntN(3) {
	case 0:
		b.s.Cut()
	case 1:
		last.vanish(true, true)
	case 2:
		last.vanish(true, false)
	}
}
