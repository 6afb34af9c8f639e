package link_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wire"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func sizes(b *testing.B, run func(b *testing.B, payload []byte)) {
	for _, n := range []int{80, 1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			run(b, bytes.Repeat([]byte("x"), n))
		})
	}
}

// BenchmarkReadFrame measures the path from the connection to the Bad hook, for messages that are not gzip.
func BenchmarkReadFrame(b *testing.B) {
	sizes(b, func(b *testing.B, payload []byte) {
		frame := wspeer.Whole(wspeer.Binary, payload)
		read(b, runtime.GOMAXPROCS(0), slices.Repeat([][]byte{frame}, 1+1<<20/len(payload)))
	})
}

// BenchmarkReceive measures the path of a pushed text from the connection to the Frame hook. The reader decodes alone,
// and then with the number of helpers for this machine's cores. The connection always has the next frame at no cost.
func BenchmarkReceive(b *testing.B) {
	for _, cores := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("helpers=%d", link.Helpers(cores)), func(b *testing.B) {
			sizes(b, func(b *testing.B, payload []byte) {
				var frames [][]byte
				for n := range uint64(max(1, 500_000/len(payload))) {
					frames = append(frames, wspeer.Pack(pushed(n, len(payload))))
				}
				read(b, cores, frames)
			})
		})
	}
}

// pushed returns a frame that pushes a text of that size, with a thousand different words.
func pushed(n uint64, size int) string {
	rng := rand.New(rand.NewPCG(n, 1))
	var text []byte
	for len(text) < size {
		text = fmt.Appendf(text, "%x ", (rng.Uint64N(1000)+1)*7919)
	}
	id := func() string { return uuid.NewV5(uuid.NamespaceURL, fmt.Sprint(rng.Uint64())).String() }
	return fmt.Sprintf(`{"id":%q,"action":"CREATE_MESSAGE","data":{"conversation_id":%q,"user_id":%q,"session_id":%q,`+
		`"message_id":%q,"category":"PLAIN_TEXT","data":%q,"data_base64":%q,"status":"SENT",`+
		`"source":"LIST_PENDING_MESSAGES","created_at":"2026-03-01T12:00:00.123456789Z",`+
		`"updated_at":"2026-03-01T12:00:00.123456789Z"}}`,
		id(), id(), id(), id(), id(), base64.StdEncoding.EncodeToString(text[:size]),
		base64.RawURLEncoding.EncodeToString(text[:size]))
}

// read reads b.N frames, repeating the given ones, on a link started with that number of cores.
func read(b *testing.B, cores int, frames [][]byte) {
	client, server := pipe()
	p := wspeer.New(server)
	go func() {
		if p.ReadHead() == nil {
			_, _ = io.WriteString(p, p.Upgrade())
		}
	}()
	stream := bytes.Join(frames, nil)
	c := &replay{Conn: client, stream: stream}
	l, err := link.Dial(b.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: dialTo(c)})
	if err != nil {
		b.Fatal(err)
	}
	var read int
	all := make(chan struct{})
	one := func() {
		if read++; read == b.N {
			close(all)
		}
	}
	hooks := new(log).hooks()
	hooks.Read = func() {}
	hooks.Bad = func(error) { one() }
	hooks.Frame = func(*link.Link, *wire.Received) error {
		one()
		return nil
	}
	rounds, rest := b.N/len(frames), b.N%len(frames)
	c.left.Store(int64(rounds*len(stream) + len(bytes.Join(frames[:rest], nil))))
	before := runtime.GOMAXPROCS(cores)
	b.ResetTimer()
	l.Start(newSource(), hooks)
	runtime.GOMAXPROCS(before)
	<-all
	b.StopTimer()
	l.Fail(io.EOF)
	<-l.Done()
	_ = p.Close()
}

// replay is a connection that repeats a stream after the handshake, without delay, until the given number of bytes has
// been read.
type replay struct {
	net.Conn
	stream []byte
	at     int
	left   atomic.Int64
}

func (c *replay) Read(b []byte) (int, error) {
	left := c.left.Load()
	if left == 0 {
		return c.Conn.Read(b)
	}
	if c.at == len(c.stream) {
		c.at = 0
	}
	n := copy(b[:min(int64(len(b)), left)], c.stream[c.at:])
	c.at += n
	c.left.Add(-int64(n))
	return n, nil
}

// BenchmarkWriteFrame measures the framing of a compressed message, without the system call.
func BenchmarkWriteFrame(b *testing.B) {
	sizes(b, func(b *testing.B, payload []byte) {
		var dst []byte
		for b.Loop() {
			dst = link.AppendFrame(dst[:0], payload)
		}
	})
}
