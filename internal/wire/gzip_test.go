package wire_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const frame = `{"id":"x","action":"CREATE_MESSAGE","data":{"message_id":"m","data":"aGVsbG8="}}`

// zip compresses with the standard library, at the level of the service's other clients.
func zip(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, 3)
	require.NoError(t, err)
	_, err = zw.Write(p)
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	return b.Bytes()
}

func inflates(t *testing.T, z *wire.Inflater, want string) {
	t.Helper()
	got, err := z.Inflate(zip(t, []byte(want)))
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestInflate(t *testing.T) {
	var z wire.Inflater
	for _, s := range []string{frame, "", "x", strings.Repeat(frame, 5000), frame} {
		inflates(t, &z, s)
	}
	var b bytes.Buffer
	for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.BestCompression, gzip.HuffmanOnly} {
		b.Reset()
		zw, err := gzip.NewWriterLevel(&b, level)
		require.NoError(t, err)
		zw.Name, zw.Comment, zw.Extra = "name", "comment", []byte("extra")
		_, err = io.WriteString(zw, frame)
		require.NoError(t, err)
		require.NoError(t, zw.Close())
		got, err := z.Inflate(b.Bytes())
		require.NoError(t, err)
		assert.Equal(t, frame, string(got))
	}
}

func TestInflateRefuses(t *testing.T) {
	good := zip(t, []byte(frame))
	changed := func(at int) []byte {
		p := bytes.Clone(good)
		p[at] ^= 1
		return p
	}
	n := len(good)
	for _, c := range []struct {
		name string
		in   []byte
		says string
	}{
		{"nothing", nil, "not gzip"},
		{"JSON", []byte(frame), "not gzip"},
		{"one byte", good[:1], "not gzip"},
		{"a wrong method", changed(2), "not gzip"},
		{"a wrong checksum", changed(n - 8), "damaged gzip"},
		{"a wrong checksum, last byte", changed(n - 5), "damaged gzip"},
		{"a wrong length", changed(n - 4), "damaged gzip"},
		{"a wrong length, last byte", changed(n - 1), "damaged gzip"},
		{"a byte behind it", append(bytes.Clone(good), 0), "or trailing data"},
		{"a second member", append(bytes.Clone(good), good...), "bytes after the end"},
		{"an empty second member", append(bytes.Clone(good), zip(t, nil)...), "or trailing data"},
		{"a shorter length", append(bytes.Clone(good[:n-4]), 1, 0, 0, 0), "size does not match the trailer"},
		{"a header and nothing else", good[:10], "damaged gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var z wire.Inflater
			got, err := z.Inflate(c.in)
			assert.Nil(t, got)
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "hello")
			inflates(t, &z, frame) // an invalid frame does not affect the next one
		})
	}
}

func TestInflateRefusesEveryTruncation(t *testing.T) {
	var z wire.Inflater
	good := zip(t, []byte(frame))
	for n := range good {
		got, err := z.Inflate(good[:n])
		require.Error(t, err, "%d of %d bytes", n, len(good))
		require.Nil(t, got)
	}
	inflates(t, &z, frame)
}

func TestInflateNoticesEveryChangedBit(t *testing.T) {
	var z wire.Inflater
	good := zip(t, []byte(frame))
	for i := range good[10:] { // the header does not describe the content, only time and system, for example
		for bit := range 8 {
			p := bytes.Clone(good)
			p[10+i] ^= 1 << bit
			if got, err := z.Inflate(p); err == nil {
				require.Equal(t, frame, string(got), "byte %d, bit %d", 10+i, bit)
			}
		}
	}
}

func TestInflateLimit(t *testing.T) {
	var z wire.Inflater
	p := bytes.Repeat([]byte("a"), wire.MaxInflated+1)
	got, err := z.Inflate(zip(t, p[1:]))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(p[1:], got))

	got, err = z.Inflate(zip(t, p))
	require.ErrorIs(t, err, wire.ErrInflated)
	assert.Nil(t, got)
	inflates(t, &z, frame)
}

// bomb returns the gzip of n MiB of zeros, without an end: the same compressed MiB repeatedly.
func bomb(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	mib := make([]byte, 1<<20)
	var first int
	for range 2 { // the second one refers back to zeros, as all others do
		first = b.Len()
		_, err = zw.Write(mib)
		require.NoError(t, err)
		require.NoError(t, zw.Flush())
	}
	return append(b.Bytes(), bytes.Repeat(b.Bytes()[first:], n-2)...)
}

func TestInflateBomb(t *testing.T) {
	const size = 512
	p := bomb(t, size)
	require.Greater(t, size<<20/len(p), 950, "not much of a bomb")
	var z wire.Inflater
	runtime.GC()
	before := gauge.Heap()
	took := gauge.Allocated(func() {
		got, err := z.Inflate(p)
		require.ErrorIs(t, err, wire.ErrInflated)
		assert.Nil(t, got)
	})
	// The buffer grows by a quarter each time: the sum of its sizes is five times the last one, which may be a quarter
	// too large.
	assert.Less(t, took, int64(7*wire.MaxInflated))
	runtime.GC()
	assert.Less(t, int64(gauge.Heap())-int64(before), int64(1<<20), "the buffer is kept")
	inflates(t, &z, frame)
}

func TestInflateKeepsNoLargeBuffer(t *testing.T) {
	var z wire.Inflater
	inflates(t, &z, strings.Repeat("a", 1<<20))
	got, err := z.Inflate(zip(t, []byte(frame)))
	require.NoError(t, err)
	assert.LessOrEqual(t, cap(got), 1<<10)
	inflates(t, &z, strings.Repeat("a", 200<<10))
	got, err = z.Inflate(zip(t, []byte(frame)))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, cap(got), 200<<10, "the largest message of the service needs no new buffer")
	small := zip(t, []byte(frame))
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := z.Inflate(small); err != nil {
			t.Error(err)
		}
	}), 1.0, "small frames use the buffer of the one before")
}

// A frame that claims more than deflate can produce does not get that memory.
func TestClaimed(t *testing.T) {
	claim := func(size int, says uint32) []byte {
		return binary.LittleEndian.AppendUint32(make([]byte, size-4), says)
	}
	assert.Zero(t, wire.Claimed(nil))
	assert.Zero(t, wire.Claimed([]byte{1, 2, 3}))
	assert.Equal(t, 7, wire.Claimed(claim(30, 7)))
	assert.Equal(t, 30*1032, wire.Claimed(claim(30, 1<<24)), "RFC 1951: at most 258 bytes in two bits")
	assert.Equal(t, wire.MaxInflated, wire.Claimed(claim(1<<20, 1<<32-1)))
	p := zip(t, bytes.Repeat([]byte("a"), 1<<20))
	assert.Equal(t, 1<<20, wire.Claimed(p), "as much as there is of it")
}

// isGzipOf checks p with the standard library and against RFC 1952: one member, with the checksum and the length at its
// end.
func isGzipOf(t *testing.T, in, p []byte) {
	t.Helper()
	assert.Equal(t, crc32.ChecksumIEEE(in), binary.LittleEndian.Uint32(p[len(p)-8:]))
	assert.Equal(t, uint32(len(in)), binary.LittleEndian.Uint32(p[len(p)-4:]))
	src := bytes.NewReader(p)
	zr, err := gzip.NewReader(src)
	require.NoError(t, err)
	zr.Multistream(false)
	got, err := io.ReadAll(zr)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(in, got))
	assert.Zero(t, src.Len(), "one member and nothing behind it")
}

func TestDeflate(t *testing.T) {
	d := new(wire.Deflater)
	random := make([]byte, 100_000)
	rng := rand.NewChaCha8([32]byte{1})
	_, err := rng.Read(random)
	require.NoError(t, err)
	for _, in := range [][]byte{[]byte(frame), nil, random, bytes.Repeat([]byte(frame), 5000), []byte(frame)} {
		p := d.Append([]byte("before"), in)
		require.True(t, bytes.HasPrefix(p, []byte("before")))
		isGzipOf(t, in, p[len("before"):])
	}
}

// The overhead of storing one block: the header of gzip, the head of a block and the trailer.
const storedMore = 10 + 5 + 8

func TestFromOneKilobyteOnFramesAreCompressed(t *testing.T) {
	d := new(wire.Deflater)
	text := bytes.Repeat([]byte("text "), 1000)
	assert.Len(t, d.Append(nil, text[:1023]), 1023+storedMore)
	assert.Less(t, len(d.Append(nil, text[:1024])), 200)
}

func TestAppendStored(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 20_000)
	for n, blocks := range map[int]int{
		0: 1, 1: 1, 65_534: 1, 65_535: 1, 65_536: 2, 131_070: 2, 131_071: 3, 200_000: 4,
	} {
		p := wire.AppendStored([]byte("before"), text[:n])
		require.True(t, bytes.HasPrefix(p, []byte("before")))
		p = p[len("before"):]
		assert.Len(t, p, n+storedMore+5*(blocks-1))
		isGzipOf(t, text[:n], p)
	}
}

// FuzzInflate searches for input that makes the decoders panic, or that only one of Inflate and the standard library
// accepts.
func FuzzInflate(f *testing.F) {
	good := zip(f, []byte(frame))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte(frame))
	f.Fuzz(func(t *testing.T, in []byte) {
		var z wire.Inflater
		got, err := z.Inflate(in)
		if err != nil {
			assert.Nil(t, got)
		} else {
			assert.LessOrEqual(t, len(got), wire.MaxInflated)
			src := bytes.NewReader(in)
			zr, err := gzip.NewReader(src)
			require.NoError(t, err)
			zr.Multistream(false)
			want, err := io.ReadAll(zr)
			require.NoError(t, err)
			require.Zero(t, src.Len())
			require.True(t, bytes.Equal(want, got))
			if fr, err := wire.Parse(got); err == nil {
				require.True(t, fr.ID != "" || fr.Action != "")
			}
		}
		// A round trip changes nothing, whatever was decoded before, and for any bytes.
		back, err := z.Inflate(new(wire.Deflater).Append(nil, in))
		require.NoError(t, err)
		require.True(t, bytes.Equal(in, back))
	})
}
