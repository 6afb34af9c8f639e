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
)

func TestFragmentsMakeOneMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(false)
		p := compress(`{"id":"parts","action":"X"}`)
		for _, part := range [][]byte{
			encode(opBinary, p[:5]), encode(final|opPing, []byte("between")), encode(opContinuation, nil),
			encode(final|opPong, nil), encode(opContinuation, p[5:6]), encode(final|opContinuation, p[6:]),
		} {
			assert.Empty(t, r.ids())
			r.send(part)
		}
		assert.Equal(t, []string{"parts"}, r.ids())
		frames := r.collected()
		require.Len(t, frames, 1)
		assert.Equal(t, final|opPong, frames[0].first)
		assert.Equal(t, "between", string(frames[0].payload))
		assert.Equal(t, 1, r.log.read)
	})
}

func TestMessagesThatAreNoFramesAreSkipped(t *testing.T) {
	good := compress(`{"id":"x","action":"X"}`)
	crc := bytes.Clone(good)
	crc[len(crc)-8] ^= 1
	size := bytes.Clone(good)
	size[len(size)-1] ^= 1
	bomb := compress(strings.Repeat(" ", wire.MaxInflated+1))
	tests := map[string]struct {
		message []byte
		want    error  // or
		text    string // in the error
	}{
		"text":               {message: encode(final|opText, good), want: link.ErrText},
		"empty text":         {message: encode(final|opText, nil), want: link.ErrText},
		"invalid UTF-8 text": {message: encode(final|opText, []byte{0xFF}), want: link.ErrText},
		"text in parts": {
			message: append(encode(opText, good), encode(final|opContinuation, good)...), want: link.ErrText,
		},
		"empty":          {message: encode(final|opBinary, nil), want: wire.ErrNotGzip},
		"not gzip":       {message: encode(final|opBinary, []byte(`{"id":"x","action":"X"}`)), want: wire.ErrNotGzip},
		"truncated gzip": {message: encode(final|opBinary, good[:len(good)/2]), text: "damaged gzip"},
		"no trailer":     {message: encode(final|opBinary, good[:len(good)-8]), text: "damaged gzip"},
		"bad CRC":        {message: encode(final|opBinary, crc), text: "damaged gzip"},
		"bad size":       {message: encode(final|opBinary, size), text: "damaged gzip"},
		"trailing byte":  {message: encode(final|opBinary, append(bytes.Clone(good), 0)), want: wire.ErrClaim},
		"second member":  {message: encode(final|opBinary, append(bytes.Clone(good), good...)), want: wire.ErrTrailing},
		"bomb":           {message: encode(final|opBinary, bomb), want: wire.ErrInflated},
		"broken JSON":    {message: encode(final|opBinary, compress(`{"id":"x",`)), text: "broken JSON"},
		"no JSON":        {message: encode(final|opBinary, compress(``)), text: "broken JSON"},
		"array":          {message: encode(final|opBinary, compress(`[]`)), text: "is not a"},
		"null":           {message: encode(final|opBinary, compress(`null`)), text: "without id and action"},
		"neither":        {message: encode(final|opBinary, compress(`{"data":1}`)), text: "without id and action"},
		"wrong type":     {message: encode(final|opBinary, compress(`{"id":5}`)), text: "is not a string"},
		"too deep":       {message: encode(final|opBinary, compress(strings.Repeat("[", 10_001))), text: "JSON"},
		"too large":      {message: encode(final|opBinary, make([]byte, wire.MaxFrame+1)), want: link.ErrLarge},
		"large in parts": {
			message: append(encode(opBinary, make([]byte, wire.MaxFrame)), encode(final|opContinuation, []byte{1})...),
			want:    link.ErrLarge,
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
				assert.Empty(t, r.collected(), "nothing is said about it")
			})
		})
	}
}

// A message of exactly the largest size is read. It is made of one stored block after the other, so that its size is
// known.
func TestTheLargestFrameIsRead(t *testing.T) {
	json := append([]byte(`{"id":"large","action":"X"}`), bytes.Repeat([]byte(" "), wire.MaxFrame)...)
	const block = 0xFFFF
	b := []byte{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF}
	room := wire.MaxFrame - len(b) - 8
	blocks := (room + block + 4) / (block + 5)
	json = json[:room-5*blocks]
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
		r.send(encode(final|opBinary, b))
		assert.Equal(t, []string{"large"}, r.ids())
	})
}

func TestViolationsEndTheLink(t *testing.T) {
	ok := compress(`{"id":"x","action":"X"}`)
	masked := append([]byte{final | opBinary, 0x80 | 3, 1, 2, 3, 4}, 1, 2, 3)
	tests := map[string][]byte{
		"RSV1":                 encode(final|0x40|opBinary, ok),
		"RSV2":                 encode(final|0x20|opBinary, ok),
		"RSV3":                 encode(final|0x10|opBinary, ok),
		"opcode 3":             encode(final|0x3, ok),
		"opcode B":             encode(final|0xB, nil),
		"masked":               masked,
		"continuation of none": encode(final|opContinuation, ok),
		"message in a message": append(encode(opBinary, ok), encode(final|opBinary, ok)...),
		"fragmented ping":      encode(opPing, nil),
		"long ping":            encode(final|opPing, make([]byte, 126)),
		"2^63 bytes":           {final | opBinary, 127, 0x80, 0, 0, 0, 0, 0, 0, 0},
		"2^63-1 bytes":         {final | opBinary, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"2^63-1 bytes in parts": append(encode(opBinary, ok), opContinuation,
			127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF),
		"more than 64 MiB":       {final | opBinary, 127, 0, 0, 0, 0, 0x04, 0, 0, 1},
		"64 MiB and a byte more": append([]byte{opBinary, 1, 0}, opContinuation, 127, 0, 0, 0, 0, 0x04, 0, 0, 0),
		"close code 1005":        encode(final|opClose, closing(1005, "")),
		"close text not UTF-8":   encode(final|opClose, closing(1000, "\xFF")),
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
					assert.Equal(t, final|opClose, f.first)
				}
			})
		})
	}
}

// Where a write is stuck, a violation still ends the link within a second.
func TestViolationOfAPeerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("stuck"))
		synctest.Wait()
		r.send(encode(final|0x3, nil))
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
		"1000": {closing(1000, "bye"), closing(1000, ""), `code 1000 "bye"`},
		"1001": {closing(1001, ""), closing(1001, ""), `code 1001`},
		"1008": {closing(1008, "policy"), closing(1008, ""), `code 1008 "policy"`},
		"1011": {
			closing(1011, "tab\tline\nescape\x1b[31m\u202e"),
			closing(1011, ""), `code 1011 "tab\tline\nescape\x1b[31m\u202e"`,
		},
		"4000":         {closing(4000, strings.Repeat("x", 123)), closing(4000, ""), `code 4000 "xxx`},
		"without code": {nil, nil, "code 1005"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(false)
				r.send(named("before"), encode(final|opClose, test.payload))
				err := r.ended()
				assert.ErrorContains(t, err, test.text)
				assert.NotErrorIs(t, err, link.ErrClosed)
				assert.Equal(t, []string{"before"}, r.ids())
				frames := r.collected()
				require.Len(t, frames, 1)
				assert.Equal(t, final|opClose, frames[0].first)
				assert.Equal(t, string(test.echo), string(frames[0].payload))
			})
		})
	}
}

// The answer to a close frame gets a second, even where a write that will never end is before it.
func TestTheServersCloseWhileItDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("stuck"))
		synctest.Wait()
		r.send(encode(final|opClose, closing(1001, "")))
		<-r.Done()
		assert.Equal(t, time.Second, time.Since(r.born))
		assert.ErrorContains(t, r.Err(), "code 1001")
	})
}

// slowSource has nothing, and takes a second to say so.
type slowSource struct{}

func (slowSource) Next() ([]byte, bool, time.Duration, error) {
	time.Sleep(time.Second)
	return nil, false, -1, nil
}
func (slowSource) Wake() <-chan struct{} { return nil }

// The writer may learn of the close frame and of the link's end in one moment, and then either may come first.
func TestTheServersCloseWhileTheWriterIsBusy(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			r := connect(t, slowSource{})
			r.collect(false)
			synctest.Wait()
			r.send(encode(final|opClose, closing(1001, "")))
			<-r.Done()
			frames := r.collected()
			require.Len(t, frames, 1)
			assert.Equal(t, closing(1001, ""), frames[0].payload)
		})
	}
}

func TestARefusedFrameEndsTheLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.log.refuse = assert.AnError
		r.send(named("first"), named("second"))
		assert.Equal(t, assert.AnError, r.ended())
		assert.Equal(t, []string{"first"}, r.ids())
	})
}

// Wherever the connection is cut, exactly the messages before the cut arrive, and no part of one.
func TestCutAtEveryByte(t *testing.T) {
	parts := compress(`{"id":"c","action":"X"}`)
	script := [][]byte{
		named("a"), encode(final|opPing, []byte("ping")), named("b"),
		encode(opBinary, parts[:9]), encode(final|opPong, nil),
		encode(final|opContinuation, parts[9:]), encode(final|opText, []byte("text")), named("d"),
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
