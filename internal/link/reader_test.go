package link_test

import (
	"bytes"
	"hash/crc32"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func TestFragmentsMakeOneMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(false)
		p := wspeer.Gzip(`{"id":"parts","action":"X"}`)
		for _, part := range [][]byte{
			wspeer.Encode(wspeer.Binary, p[:5]), wspeer.Whole(wspeer.Ping, []byte("between")),
			wspeer.Encode(wspeer.Continuation, nil), wspeer.Whole(wspeer.Pong, nil),
			wspeer.Encode(wspeer.Continuation, p[5:6]), wspeer.Whole(wspeer.Continuation, p[6:]),
		} {
			assert.Empty(t, r.ids())
			r.send(part)
		}
		assert.Equal(t, []string{"parts"}, r.ids())
		frames := r.collected()
		require.Len(t, frames, 1)
		assert.Equal(t, wspeer.Final|wspeer.Pong, frames[0].First)
		assert.Equal(t, "between", string(frames[0].Payload))
		assert.Equal(t, 1, r.log.read)
	})
}

func TestMessagesThatAreNoFramesAreSkipped(t *testing.T) {
	good := wspeer.Gzip(`{"id":"x","action":"X"}`)
	crc := bytes.Clone(good)
	crc[len(crc)-8] ^= 1
	size := bytes.Clone(good)
	size[len(size)-1] ^= 1
	bomb := wspeer.Gzip(strings.Repeat(" ", wire.MaxInflated+1))
	tests := map[string]struct {
		message []byte
		want    error  // or, if it is nil:
		text    string // part of the error
	}{
		"text":               {message: wspeer.Whole(wspeer.Text, good), want: link.ErrText},
		"empty text":         {message: wspeer.Whole(wspeer.Text, nil), want: link.ErrText},
		"invalid UTF-8 text": {message: wspeer.Whole(wspeer.Text, []byte{0xFF}), want: link.ErrText},
		"text in parts": {
			message: append(wspeer.Encode(wspeer.Text, good), wspeer.Whole(wspeer.Continuation, good)...),
			want:    link.ErrText,
		},
		"empty":          {message: wspeer.Whole(wspeer.Binary, nil), want: wire.ErrNotGzip},
		"not gzip":       {message: wspeer.Whole(wspeer.Binary, []byte(`{"id":"x"}`)), want: wire.ErrNotGzip},
		"truncated gzip": {message: wspeer.Whole(wspeer.Binary, good[:len(good)/2]), text: "damaged gzip"},
		"no trailer":     {message: wspeer.Whole(wspeer.Binary, good[:len(good)-8]), text: "damaged gzip"},
		"bad CRC":        {message: wspeer.Whole(wspeer.Binary, crc), text: "damaged gzip"},
		"bad size":       {message: wspeer.Whole(wspeer.Binary, size), text: "damaged gzip"},
		"trailing byte":  {message: wspeer.Whole(wspeer.Binary, append(bytes.Clone(good), 0)), want: wire.ErrClaim},
		"second member":  {message: wspeer.Whole(wspeer.Binary, bytes.Repeat(good, 2)), want: wire.ErrTrailing},
		"bomb":           {message: wspeer.Whole(wspeer.Binary, bomb), want: wire.ErrInflated},
		"broken JSON":    {message: wspeer.Pack(`{"id":"x",`), text: "broken JSON"},
		"no JSON":        {message: wspeer.Pack(``), text: "broken JSON"},
		"array":          {message: wspeer.Pack(`[]`), text: "is not a"},
		"null":           {message: wspeer.Pack(`null`), text: "without id and action"},
		"neither":        {message: wspeer.Pack(`{"data":1}`), text: "without id and action"},
		"wrong type":     {message: wspeer.Pack(`{"id":5}`), text: "is not a string"},
		"too deep":       {message: wspeer.Pack(strings.Repeat("[", 10_001)), text: "JSON"},
		"too large":      {message: wspeer.Whole(wspeer.Binary, make([]byte, wire.MaxFrame+1)), want: link.ErrLarge},
		"large in parts": {
			message: append(wspeer.Encode(wspeer.Binary, make([]byte, wire.MaxFrame)),
				wspeer.Whole(wspeer.Continuation, []byte{1})...),
			want: link.ErrLarge,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(false)
				r.send(test.message)
				require.Len(t, r.log.bad, 1)
				if test.want != nil {
					assert.ErrorIs(t, r.log.bad[0], test.want)
				} else {
					assert.ErrorContains(t, r.log.bad[0], test.text)
				}
				assert.Empty(t, r.ids())
				r.lives()
				assert.Equal(t, []string{"alive"}, r.ids())
				assert.Len(t, r.log.bad, 1)
				assert.Empty(t, r.collected(), "the peer is not notified")
			})
		})
	}
}

// A message of exactly the maximum size is read. It consists of stored blocks, so that its size is predictable.
func TestTheLargestFrameIsRead(t *testing.T) {
	json := append([]byte(`{"id":"large","action":"X"}`), bytes.Repeat([]byte(" "), wire.MaxFrame)...)
	const block = 0xFFFF
	b := []byte{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF}
	capacity := wire.MaxFrame - len(b) - 8
	blocks := (capacity + block + 4) / (block + 5)
	json = json[:capacity-5*blocks]
	for rest := json; len(rest) > 0; {
		n := min(block, len(rest))
		last := byte(0)
		if n == len(rest) {
			last = 1
		}
		b = append(b, last, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		b = append(b, rest[:n]...)
		rest = rest[n:]
	}
	sum, n := crc32.ChecksumIEEE(json), len(json)
	b = append(b, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24), byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	require.Len(t, b, wire.MaxFrame)
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.send(wspeer.Whole(wspeer.Binary, b))
		assert.Equal(t, []string{"large"}, r.ids())
	})
}

func TestViolationsEndTheLink(t *testing.T) {
	ok := wspeer.Gzip(`{"id":"x","action":"X"}`)
	masked := append([]byte{wspeer.Final | wspeer.Binary, 0x80 | 3, 1, 2, 3, 4}, 1, 2, 3)
	tests := map[string][]byte{
		"RSV1":                 wspeer.Encode(wspeer.Final|0x40|wspeer.Binary, ok),
		"RSV2":                 wspeer.Encode(wspeer.Final|0x20|wspeer.Binary, ok),
		"RSV3":                 wspeer.Encode(wspeer.Final|0x10|wspeer.Binary, ok),
		"opcode 3":             wspeer.Encode(wspeer.Final|0x3, ok),
		"opcode B":             wspeer.Encode(wspeer.Final|0xB, nil),
		"masked":               masked,
		"continuation of none": wspeer.Whole(wspeer.Continuation, ok),
		"message in a message": append(wspeer.Encode(wspeer.Binary, ok), wspeer.Whole(wspeer.Binary, ok)...),
		"fragmented ping":      wspeer.Encode(wspeer.Ping, nil),
		"long ping":            wspeer.Whole(wspeer.Ping, make([]byte, 126)),
		"2^63 bytes":           {wspeer.Final | wspeer.Binary, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"2^63-1 bytes":         {wspeer.Final | wspeer.Binary, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"2^63-1 bytes in parts": append(wspeer.Encode(wspeer.Binary, ok), wspeer.Continuation,
			127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF),
		"more than 64 MiB":       {wspeer.Final | wspeer.Binary, 127, 0, 0, 0, 0, 0x04, 0, 0, 1},
		"64 MiB and a byte more": {wspeer.Binary, 1, 0, wspeer.Continuation, 127, 0, 0, 0, 0, 0x04, 0, 0, 0},
		"close code 1005":        wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1005, "")),
		"close text not UTF-8":   wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1000, "\xFF")),
	}
	for name, message := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(false)
				r.send(named("before"), message)
				err := r.ended()
				assert.ErrorContains(t, err, "read: ")
				assert.NotErrorIs(t, err, link.ErrClosed)
				assert.Equal(t, []string{"before"}, r.ids())
				assert.Equal(t, r.born, time.Now())
				for _, f := range r.collected() {
					assert.Equal(t, wspeer.Final|wspeer.Close, f.First)
				}
			})
		})
	}
}

// A violation ends the link within a second, even if a write is blocked.
func TestViolationOfAPeerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("stuck"))
		synctest.Wait()
		r.send(wspeer.Encode(wspeer.Final|0x3, nil))
		<-r.Done()
		assert.Equal(t, time.Second, time.Since(r.born))
		assert.Error(t, r.Err())
	})
}

func TestTheServersCloseIsAnswered(t *testing.T) {
	tests := map[string]struct {
		payload, echo []byte
		text          string
	}{
		"1000": {wspeer.ClosePayload(1000, "bye"), wspeer.ClosePayload(1000, ""), `code 1000 "bye"`},
		"1001": {wspeer.ClosePayload(1001, ""), wspeer.ClosePayload(1001, ""), `code 1001`},
		"1008": {wspeer.ClosePayload(1008, "policy"), wspeer.ClosePayload(1008, ""), `code 1008 "policy"`},
		"1011": {
			wspeer.ClosePayload(1011, "tab\tline\nescape\x1b[31m\u202e"),
			wspeer.ClosePayload(1011, ""), `code 1011 "tab\tline\nescape\x1b[31m\u202e"`,
		},
		"4000": {
			wspeer.ClosePayload(4000, strings.Repeat("x", 123)), wspeer.ClosePayload(4000, ""), `code 4000 "xxx`,
		},
		"without code": {nil, nil, "code 1005"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(false)
				r.send(named("before"), wspeer.Whole(wspeer.Close, test.payload))
				err := r.ended()
				assert.ErrorContains(t, err, test.text)
				assert.NotErrorIs(t, err, link.ErrClosed)
				assert.Equal(t, []string{"before"}, r.ids())
				frames := r.collected()
				require.Len(t, frames, 1)
				assert.Equal(t, wspeer.Final|wspeer.Close, frames[0].First)
				assert.Equal(t, string(test.echo), string(frames[0].Payload))
			})
		})
	}
}

// The answer to a close frame has one second, even behind a blocked write.
func TestTheServersCloseWhileItDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("stuck"))
		synctest.Wait()
		r.send(wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1001, "")))
		<-r.Done()
		assert.Equal(t, time.Second, time.Since(r.born))
		assert.ErrorContains(t, r.Err(), "code 1001")
	})
}

// slowSource is a Source without frames. Its Next takes a second.
type slowSource struct{}

func (slowSource) Next() ([]byte, bool, time.Duration, error) {
	time.Sleep(time.Second)
	return nil, false, -1, nil
}
func (slowSource) Wake() <-chan struct{} { return nil }

// The writer may see the close frame and the end of the link at the same time, in either order.
func TestTheServersCloseWhileTheWriterIsBusy(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			r := connect(t, slowSource{})
			r.collect(false)
			synctest.Wait()
			r.send(wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1001, "")))
			<-r.Done()
			frames := r.collected()
			require.Len(t, frames, 1)
			assert.Equal(t, wspeer.ClosePayload(1001, ""), frames[0].Payload)
		})
	}
}

func TestAnErrorOfTheFrameHookEndsTheLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.log.frameErr = assert.AnError
		r.send(named("first"), named("second"))
		assert.Equal(t, assert.AnError, r.ended())
		assert.Equal(t, []string{"first"}, r.ids())
	})
}

// If the connection is cut at any byte, exactly the complete messages before the cut are delivered.
func TestCutAtEveryByte(t *testing.T) {
	parts := wspeer.Gzip(`{"id":"c","action":"X"}`)
	script := [][]byte{
		named("a"), wspeer.Whole(wspeer.Ping, []byte("ping")), named("b"),
		wspeer.Encode(wspeer.Binary, parts[:9]), wspeer.Whole(wspeer.Pong, nil),
		wspeer.Whole(wspeer.Continuation, parts[9:]), wspeer.Whole(wspeer.Text, []byte("text")), named("d"),
	}
	arrives := map[int]string{0: "a", 2: "b", 5: "c", 7: "d"}
	all := bytes.Join(script, nil)
	for cut := range len(all) + 1 {
		var want []string
		end := 0
		for i, part := range script {
			if end += len(part); end <= cut && arrives[i] != "" {
				want = append(want, arrives[i])
			}
		}
		synctest.Test(t, func(t *testing.T) {
			r := connect(t, newSource())
			r.collect(false)
			r.send(all[:cut])
			require.NoError(t, r.peer.Close())
			assert.ErrorContains(t, r.ended(), "unexpected EOF")
			assert.Equal(t, want, r.ids(), "cut after %d bytes", cut)
		})
	}
}
