package link_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// large returns a frame with that id, of about n bytes on the wire.
func large(id string, n int) []byte {
	return wspeer.Pack(fmt.Sprintf(`{"id":%q,"new":"%x"}`, id, noise(n)))
}

// Frames of any number and size that arrive together are delivered in order, one at a time.
func TestManyFramesAtOnceKeepTheirOrder(t *testing.T) {
	for _, cores := range []int{1, 2, 4} {
		for _, chunk := range []int{100, 4000, 1 << 20} {
			t.Run(fmt.Sprint(cores, " cores, chunks of ", chunk), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
				bubble(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(1, uint64(chunk)))
					r := connect(t, newSource())
					r.collect(false)
					var want []string
					var stream []byte
					bad := 0
					for i := range 120 {
						id := fmt.Sprint(i)
						switch rng.IntN(20) {
						case 0:
							stream = append(stream, large(id, rng.IntN(40_000))...)
						case 1:
							stream = append(stream, wspeer.Whole(wspeer.Text, []byte(id))...)
							bad++
							continue
						case 2:
							stream = append(stream, wspeer.Whole(wspeer.Binary, []byte(id))...)
							bad++
							continue
						case 3:
							stream = append(stream, wspeer.Whole(wspeer.Ping, []byte(id))...)
							stream = append(stream, named(id)...)
						case 4:
							p := wspeer.Gzip(fmt.Sprintf(`{"id":%q,"new":%q}`, id, strings.Repeat("parts", 1000)))
							stream = append(stream, wspeer.Encode(wspeer.Binary, p[:20])...)
							stream = append(stream, wspeer.Whole(wspeer.Continuation, p[20:])...)
						default:
							stream = append(stream, named(id)...)
						}
						want = append(want, id)
					}
					for len(stream) > 0 {
						n := min(chunk, len(stream))
						r.send(stream[:n])
						stream = stream[n:]
					}
					assert.Equal(t, want, r.ids())
					assert.Len(t, r.log.bad, bad)
					assert.Equal(t, len(want), r.log.read)
				})
			})
		}
	}
}

// A complete frame is delivered at once, even if it arrives together with a part of the next one.
func TestACompleteFrameDoesNotWaitForTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		next := large("b", 10_000)
		for cut := range 40 {
			r.log.mu.Lock()
			r.log.ids = nil
			r.log.mu.Unlock()
			r.send(append(named("a"), next[:cut]...))
			assert.Equal(t, []string{"a"}, r.ids())
			r.send(append(bytes.Clone(next[cut:]), next[:cut]...))
			assert.Equal(t, []string{"a", "b"}, r.ids())
			r.send(next[cut:])
			assert.Equal(t, []string{"a", "b", "b"}, r.ids())
		}
	})
}

func TestTraceIsCalledBeforeDelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := new(log)
		var seen, before []string
		g.trace = func(json []byte) {
			seen = append(seen, string(json))
			before = append(before, fmt.Sprint(g.read))
		}
		r := connectTo(t, newSource(), g)
		var stream []byte
		var want, count []string
		for i := range 50 {
			json := fmt.Sprintf(`{"id":"%d","new":"%s"}`, i, strings.Repeat("x", i*100))
			stream = append(stream, wspeer.Pack(json)...)
			want, count = append(want, json), append(count, fmt.Sprint(i))
		}
		stream = append(stream, wspeer.Pack("no JSON")...)
		r.send(stream)
		assert.Equal(t, count, r.ids())
		assert.Equal(t, append(want, "no JSON"), seen)
		assert.Equal(t, append(count, "50"), before)
		assert.Equal(t, 51, g.read)
		assert.Len(t, g.bad, 1)
	})
}

// An error of the Frame hook in a helper ends the link, although reader and writer are blocked.
func TestAHelperCanEndTheLink(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	bubble(t, func(t *testing.T) {
		g := new(log)
		r := connectTo(t, newSource("stuck"), g)
		g.frameErr = assert.AnError
		r.readers.Go(func() { _, _ = r.peer.Write(append(large("a", 10_000), large("b", 10_000)...)) })
		<-r.Done()
		assert.LessOrEqual(t, time.Since(r.born), time.Second)
		assert.Equal(t, assert.AnError, r.Err())
		assert.Equal(t, []string{"a"}, r.ids(), "no frame is delivered after the error")
	})
}

// Frames that arrived before the end of the connection are delivered, also those that helpers decode.
func TestTheLastFramesAreDelivered(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		var stream []byte
		var want []string
		for i := range 100 {
			stream = append(stream, large(fmt.Sprint(i), 5000)...)
			want = append(want, fmt.Sprint(i))
		}
		r.readers.Go(func() {
			_, _ = r.peer.Write(append(stream, wspeer.Whole(wspeer.Close, wspeer.ClosePayload(4000, ""))...))
		})
		r.collect(false)
		<-r.Done()
		assert.Equal(t, want, r.ids())
		assert.ErrorContains(t, r.Err(), "code 4000")
	})
}

// Helpers exist only while they decode. An idle link has only a reader and a writer.
func TestAnIdleLinkHasNoHelper(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.send(append(large("a", 10_000), large("b", 10_000)...))
		require.Equal(t, []string{"a", "b"}, r.ids())
		assert.Zero(t, countHelpers())
	})
}

// If frames arrive faster than they are delivered, the reader waits, so that neither goroutines nor memory grow.
func TestHelpersAreAsManyAsCores(t *testing.T) {
	frame := large("x", 20_000)
	for _, cores := range []int{1, 2, 4, 100} {
		t.Run(fmt.Sprint(cores), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			most := map[int]int{1: 0, 2: 2, 4: 4, 100: 8}[cores]
			bubble(t, func(t *testing.T) {
				g := &log{block: make(chan struct{})}
				r := connectTo(t, newSource(), g)
				written := 0
				r.readers.Go(func() {
					for ; written < 30; written++ {
						_, _ = r.peer.Write(frame)
					}
				})
				synctest.Wait()
				assert.Equal(t, most, countHelpers())
				assert.LessOrEqual(t, written, most+3)
				close(g.block)
				r.readers.Wait()
				synctest.Wait()
				assert.Len(t, r.ids(), 30)
				assert.Zero(t, countHelpers())
			})
		})
	}
}

// huge returns a frame of more than 2 KiB on the wire that decompresses to more than n bytes, at most a thousand times
// its size.
func huge(id string, n int) []byte {
	return wspeer.Whole(wspeer.Binary,
		wspeer.Gzip(fmt.Sprintf(`{"id":%q,"new":"%x","long":%q}`, id, noise(3000), strings.Repeat("x", n))))
}

// Frames that are small on the wire and huge after decompression are decoded one at a time, so that memory does not
// grow with the number of cores.
func TestHugeFramesGetNoHelper(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for n, helpers := range map[int]int{1<<20 - 10_000: 3, 1 << 20: 0, 5 << 20: 0} {
		bubble(t, func(t *testing.T) {
			g := &log{block: make(chan struct{})}
			r := connectTo(t, newSource(), g)
			r.readers.Go(func() {
				for i := range 3 {
					_, _ = r.peer.Write(huge(fmt.Sprint(i), n))
				}
			})
			synctest.Wait()
			assert.Equal(t, helpers, countHelpers(), "%d bytes", n)
			close(g.block)
			r.readers.Wait()
			assert.Equal(t, []string{"0", "1", "2"}, r.ids())
		})
	}
}

// A frame with a wrong declared length does not use the memory of its real length, with or without helpers.
func TestAFrameThatClaimsToBeShort(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	lying := wspeer.Gzip(fmt.Sprintf(`{"id":"x","new":"%x","long":%q}`, noise(3000), strings.Repeat("x", 15<<20)))
	clear(lying[len(lying)-4:])
	frame := wspeer.Whole(wspeer.Binary, lying)
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		before := gauge.Heap()
		watch := gauge.WatchHeap(time.Hour)
		for range 10 {
			r.send(frame)
		}
		assert.Less(t, watch.Stop(), before+8<<20)
		assert.Empty(t, r.ids())
		require.Len(t, r.log.bad, 10)
		assert.ErrorIs(t, r.log.bad[0], wire.ErrClaim)
	})
}

// Frames that are small enough by themselves are too large together.
func TestAHugeChunkGetsNoHelper(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	bubble(t, func(t *testing.T) {
		g := &log{block: make(chan struct{})}
		r := connectTo(t, newSource(), g)
		r.readers.Go(func() {
			_, _ = r.peer.Write(slices.Concat(short("a", 600_000), short("b", 600_000), short("c", 600_000)))
		})
		synctest.Wait()
		assert.Zero(t, countHelpers())
		close(g.block)
		r.readers.Wait()
		assert.Equal(t, []string{"a", "b", "c"}, r.ids())
	})
}

// short returns a frame of about a kilobyte on the wire that decompresses to more than n bytes.
func short(id string, n int) []byte {
	return wspeer.Whole(wspeer.Binary,
		wspeer.Gzip(fmt.Sprintf(`{"id":%q,"new":"%x","long":%q}`, id, noise(200), strings.Repeat("x", n))))
}

func TestLargeFramesLeaveNothingBehind(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		return gauge.Heap()
	}
	for name, frame := range map[string][]byte{
		"on the wire":  large("x", 4<<20),
		"after gunzip": huge("x", 15<<20),
		"in base64": wspeer.Pack(fmt.Sprintf(`{"id":"x","action":"CREATE_MESSAGE",`+
			`"data":{"message_id":"m","data_base64":%q}}`,
			strings.Repeat("AAAA", 3<<20))),
		"very many": bytes.Repeat(wspeer.Whole(wspeer.Binary, []byte{0}), 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.send(append(bytes.Clone(frame), frame...))
				if name != "very many" {
					assert.Len(t, r.ids(), 2)
				}
			})
			assert.Less(t, heap(), before+6<<20)
		})
	}
}

// Only a few chunks are kept for reuse, even after many links were busy at once.
func TestSpareChunksAreBounded(t *testing.T) {
	frame := large("x", 3000)
	bubble(t, func(t *testing.T) {
		g := &log{block: make(chan struct{})}
		for range 30 {
			r := connectTo(t, newSource(), g)
			r.readers.Go(func() { _, _ = r.peer.Write(frame) })
		}
		synctest.Wait()
		close(g.block)
		synctest.Wait()
		assert.Len(t, g.ids, 30)
		assert.LessOrEqual(t, link.SpareChunks(), 9)
	})
}

// countHelpers returns the exact number of helpers. runtime.NumGoroutine counts a goroutine for a moment after its end.
func countHelpers() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("created by github.com/mixin-blaze/blaze/internal/link.(*reader).flush "))
}

// Hooks are called serially, even if several cores decompress.
func TestHooksAreCalledOneAtATime(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	bubble(t, func(t *testing.T) {
		busy, got := 0, 0
		client, server := pipe()
		p := wspeer.New(server)
		go func() {
			if p.ReadHead() == nil {
				_, _ = p.Write([]byte(p.Upgrade()))
			}
		}()
		cfg := link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(client)}
		l, err := link.Dial(t.Context(), cfg)
		require.NoError(t, err)
		hooks := new(log).hooks()
		hooks.Read = func() { busy++ } // a data race if hooks ran concurrently
		hooks.Frame = func(*link.Link, *wire.Received) error {
			busy--
			got++
			if busy != 0 {
				return assert.AnError
			}
			return nil
		}
		l.Start(newSource(), hooks)
		for range 200 {
			_, err := p.Write(large("x", 3000))
			require.NoError(t, err)
		}
		synctest.Wait()
		assert.Equal(t, 200, got)
		l.Fail(assert.AnError)
		<-l.Done()
		_ = p.Close()
	})
}
