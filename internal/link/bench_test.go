package link_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/mixin-blaze/blaze/internal/link"
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

// BenchmarkReadFrame measures from the connection to the hook that hears of a message: of one that is not gzip, which ends there.
func BenchmarkReadFrame(b *testing.B) {
	sizes(b, func(b *testing.B, payload []byte) {
		client, server := pipe()
		p := newPeer(server)
		go func() {
			if p.readHead() == nil {
				_, _ = io.WriteString(p, p.upgrade())
			}
		}()
		frame := encode(final|opBinary, payload)
		c := &replay{Conn: client, stream: bytes.Repeat(frame, 1+1<<20/len(frame))}
		l, err := link.Dial(b.Context(), link.Config{URL: "ws://blaze.test/", Token: token, DialContext: give(c)})
		if err != nil {
			b.Fatal(err)
		}
		var read int
		all := make(chan struct{})
		hooks := new(log).hooks()
		hooks.Bad = func(error) {
			if read++; read == b.N {
				close(all)
			}
		}
		c.left.Store(int64(b.N * len(frame)))
		b.ResetTimer()
		l.Start(newSource(), hooks)
		<-all
		b.StopTimer()
		l.Fail(io.EOF)
		<-l.Done()
		_ = p.Close()
	})
}

// replay is a connection on which, after the handshake, so many bytes come as soon as they are asked for: the same ones again
// and again.
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

// BenchmarkWriteFrame measures what a message costs between its JSON's gzip and the system call.
func BenchmarkWriteFrame(b *testing.B) {
	sizes(b, func(b *testing.B, payload []byte) {
		var dst []byte
		for b.Loop() {
			dst = link.AppendFrame(dst[:0], payload)
		}
	})
}
