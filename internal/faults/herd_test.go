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

// Row 53: a server that accepts and then cuts is no healthy one: the waits go on growing.
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
		// The last connection was healthy for an hour: the waits start anew.
		b.s.Cut()
		synctest.Wait()
		assert.LessOrEqual(t, b.retries()[flaps], 500*time.Millisecond)
		firedN(t, 53, flaps)
	})
}

// Row 54: a server with a thousand clients restarts. They do not come back all at once, however long it takes.
func TestFault54ThunderingHerd(t *testing.T) {
	// One wait between nothing and 500 ms: as many in each interval.
	first := func(x float64) float64 { return x }
	// Many waits between nothing and 30 s, one of which the outage's end falls into: what is left of such a wait is
	// shorter than x of the longest with the probability 1-(1-x)².
	left := func(x float64) float64 { return 1 - (1-x)*(1-x) }
	clients, interval := 1000, 3*time.Second
	if testkit.Race {
		clients = 120
	}
	t.Run("short outage", func(t *testing.T) { herd(t, clients, 0, 500*time.Millisecond, 100*time.Millisecond, first) })
	t.Run("long outage", func(t *testing.T) { herd(t, min(clients, 250), 3*time.Minute, 30*time.Second, interval, left) })
}

// herd counts how many of the clients come back in each interval after an outage; the last one comes within most. The
// law is the share of them that should be back when x of that time is over.
func herd(t *testing.T, clients int, outage, most, interval time.Duration, law func(x float64) float64) {
	synctest.Test(t, func(t *testing.T) {
		s := testkit.NewServer()
		defer s.Close()
		var mu sync.Mutex
		var up time.Time
		var back []time.Duration
		cfg := s.Config
		cfg.Logger = newBench(t, s).cfg.Logger // which looks for secrets
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
		time.Sleep(2 * time.Minute) // all are healthy
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

// assertSpread allows each interval seven standard deviations, and three for the nearly empty ones, whose numbers are
// far from a bell curve; and what has come so far, the distance that the Dvoretzky-Kiefer-Wolfowitz inequality gives
// chance once in 10⁹ runs. Waits that bunch break the first, waits of another length the second.
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

// Thirty days of a bot's life: pings, messages every hour, and a connection that breaks every few hours in one way or
// another. The seed is fixed, because the time is not real either.
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

// breakSomehow breaks the present connection.
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
