package hostile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Outcomes of bytes on a websocket.
var (
	lives = outcome{text: "the link is not replaced, and the next message is handled", check: func(r *run) {
		if n := r.links(); n != 1 {
			r.t.Errorf("%d links, want 1", n)
		}
	}}
	replaced = outcome{text: "the link is replaced, and the next message is handled", check: func(r *run) {
		if n := r.links(); n < 2 || n > 3 {
			r.t.Errorf("%d links, want 2 or 3", n)
		}
	}}
	usable = outcome{text: "the next message is handled, on this link or the next", check: func(*run) {}}
)

// writes returns the attack of a server that writes bytes to the first link.
func writes(name string, o outcome, bytes func() []byte) attack {
	return attack{
		name: name, outcome: o, bytes: bytes,
		does: func(r *run) { _ = r.peer().Send(r.bytes) },
	}
}

// bounded returns the attack with other bounds on heap and work.
func (a attack) bounded(heap, work int64) attack {
	a.heap, a.work = heap, work
	return a
}

// logging returns the attack with other bounds on the log.
func (a attack) logging(bytes, records int64) attack {
	a.log, a.records = bytes, records
	return a
}

// of returns a function that returns b.
func of(b []byte) func() []byte { return func() []byte { return b } }

func wireAttacks() []attack {
	good := wspeer.Gzip(`{"id":"x","action":"X","data":{"a":"` + strings.Repeat("text ", 50) + `"}}`)
	all := []attack{
		// Bounds of a bomb: frames have at most 8 MiB, and JSON at most 16 MiB in buffers that double.
		writes("a bomb of 17 KB", lives, func() []byte {
			return wspeer.Whole(wspeer.Binary, bomb(17))
		}).bounded(48*mib, 96*mib),
		writes("a bomb that inflates to 7 GB", lives, func() []byte {
			return wspeer.Whole(wspeer.Binary, bomb(7000))
		}).bounded(64*mib, 128*mib).slowly(),
		writes("twenty bombs in one write", lives, func() []byte {
			return bytes.Repeat(wspeer.Whole(wspeer.Binary, bomb(20)), 20)
		}).bounded(96*mib, 900*mib).slowly().logging(smallLog, smallRecords),
		writes("a bomb in a JSON string", lives, func() []byte {
			data := strings.Repeat("A", 17*mib)
			return wspeer.Pack(`{"id":"1","action":"CREATE_MESSAGE","data":{"data":"` + data + `"}}`)
		}).bounded(48*mib, 96*mib),
		writes("a frame of 8 MiB and one byte", lives, func() []byte {
			return wspeer.Whole(wspeer.Binary, make([]byte, 8*mib+1))
		}).bounded(32*mib, 64*mib),
		{
			name: "a frame of 65 MiB", outcome: replaced, heap: 32 * mib, work: 64 * mib, bytes: func() []byte {
				return make([]byte, mib)
			},
			does: func(r *run) {
				p := r.peer()
				_ = p.Send(wspeer.Head(wspeer.Final|wspeer.Binary, 65*mib))
				r.written = p.repeat(r.bytes, 65*mib)
			},
		},
		{
			name: "a text frame of 60 MiB", outcome: lives, heap: 8 * mib, work: 16 * mib, bytes: func() []byte {
				return make([]byte, mib)
			},
			does: func(r *run) {
				p := r.peer()
				_ = p.Send(wspeer.Head(wspeer.Final|wspeer.Text, 60*mib))
				r.written = p.repeat(r.bytes, 60*mib)
			},
		},
		writes("a frame that claims 2^63-1 bytes", replaced, of(claim(1<<63-1))),
		writes("a frame that claims 2^64-1 bytes", replaced, of(claim(1<<64-1))),
		writes("an incomplete frame that claims 7 MiB", replaced,
			of(wspeer.Head(wspeer.Final|wspeer.Binary, 7*mib))).bounded(16*mib, 32*mib),
		fragments("fragments without end, one byte a second", []byte{0}, time.Second, nil),
		fragments("fragments without end, with pings between", []byte{0}, 10*time.Second,
			wspeer.Whole(wspeer.Ping, nil)),
		fragments("fragments without end, with pongs between", []byte{0}, 10*time.Second,
			wspeer.Whole(wspeer.Pong, nil)),
		fragments("empty fragments without end", nil, time.Second, nil),
		fragments("fragments of 16 KB without end, one a minute", make([]byte, 16*kib), 59*time.Second,
			wspeer.Whole(wspeer.Pong, nil)),
		fragments("fragments of 20 KB without end, six a minute", make([]byte, 20*kib), 10*time.Second, nil),
		writes("a million empty fragments at once", usable, func() []byte {
			more := bytes.Repeat(wspeer.Encode(wspeer.Continuation, nil), 1_000_000)
			return append(wspeer.Encode(wspeer.Binary, nil), more...)
		}),
		writes("a ping in the middle of a message", lives, func() []byte {
			return bytes.Join([][]byte{
				wspeer.Encode(wspeer.Binary, good[:9]), wspeer.Whole(wspeer.Ping, []byte("x")),
				wspeer.Whole(wspeer.Continuation, good[9:]),
			}, nil)
		}),
		writes("a message in fragments of one byte", lives, func() []byte {
			b := wspeer.Encode(wspeer.Binary, good[:1])
			for _, c := range good[1 : len(good)-1] {
				b = append(b, wspeer.Encode(wspeer.Continuation, []byte{c})...)
			}
			return append(b, wspeer.Whole(wspeer.Continuation, good[len(good)-1:])...)
		}),
		writes("300,000 pings", lives, func() []byte {
			return bytes.Repeat(wspeer.Whole(wspeer.Ping, []byte("are you there")), 300_000)
		}),
		writes("300,000 unrequested pongs", lives, func() []byte {
			return bytes.Repeat(wspeer.Whole(wspeer.Pong, []byte("here")), 300_000)
		}),
		{
			name: "pings from a server that stops reading", outcome: replaced,
			arm: func(r *run) {
				r.request = func(p *peer, _ wspeer.Request) bool {
					if p.deaf == nil && r.number == 0 {
						r.number, p.deaf = 1, r.done
					}
					return false
				}
			},
			bytes: func() []byte { return bytes.Repeat(wspeer.Whole(wspeer.Ping, make([]byte, 125)), 50_000) },
			does:  func(r *run) { _ = r.peer().Send(r.bytes) },
		},
	}
	for _, v := range []struct {
		name  string
		bytes []byte
	}{
		{"a masked frame", []byte{wspeer.Final | wspeer.Binary, wspeer.Masked | 2, 1, 2, 3, 4, 'h', 'i'}},
		{"the first reserved bit", wspeer.Encode(wspeer.Final|0x40|wspeer.Binary, good)},
		{"the second reserved bit", wspeer.Encode(wspeer.Final|0x20|wspeer.Binary, good)},
		{"the third reserved bit", wspeer.Encode(wspeer.Final|0x10|wspeer.Binary, good)},
		{"an unknown data opcode", wspeer.Encode(wspeer.Final|0x3, good)},
		{"an unknown control opcode", wspeer.Encode(wspeer.Final|0xB, nil)},
		{"a ping of 126 bytes", wspeer.Whole(wspeer.Ping, make([]byte, 126))},
		{"a ping of 64 KB", wspeer.Whole(wspeer.Ping, make([]byte, 64*kib))},
		{"a ping in fragments", wspeer.Encode(wspeer.Ping, []byte("x"))},
		{"a continuation without a first fragment", wspeer.Whole(wspeer.Continuation, good)},
		{
			"a message inside a fragmented message",
			append(wspeer.Encode(wspeer.Binary, good[:5]), wspeer.Whole(wspeer.Binary, good)...),
		},
		{"a close frame of one byte", wspeer.Whole(wspeer.Close, []byte{3})},
		{"a close frame with invalid UTF-8", wspeer.CloseFrame(1000, "\xff\xfe\x80")},
		{"a close frame of 126 bytes", wspeer.CloseFrame(1000, strings.Repeat("x", 124))},
		{"a reserved close code", wspeer.CloseFrame(1005, "")},
		{"close code 0", wspeer.CloseFrame(0, "")},
		{"close code 65535", wspeer.CloseFrame(65535, "bye")},
		{
			"a close reason with escape sequences",
			wspeer.CloseFrame(4000, "\x1b[2J\x1b]0;owned\x07\r\nlevel=ERROR msg=fake"),
		},
		{
			"a close frame followed by messages",
			append(wspeer.CloseFrame(1000, ""), bytes.Repeat(wspeer.Whole(wspeer.Binary, good), 1000)...),
		},
		{"10,000 close frames", bytes.Repeat(wspeer.CloseFrame(1001, "going away"), 10_000)},
	} {
		all = append(all, writes(v.name, replaced, of(v.bytes)))
	}
	return append(all, gzipAttacks(good)...)
}

// gzipAttacks are frames with unusual or damaged gzip. Source: RFC 1952, section 2.3.
func gzipAttacks(good []byte) (all []attack) {
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] ^= to
		return b
	}
	head := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	flagged := func(flags byte, rest []byte) []byte {
		b := append(bytes.Clone(head), rest...)
		b[3] = flags
		return append(b, good[len(head):]...)
	}
	for _, v := range []struct {
		name  string
		bytes []byte
	}{
		{"gzip without its trailer", good[:len(good)-8]},
		{"half of a gzip stream", good[:len(good)/2]},
		{"a gzip header alone", good[:10]},
		{"gzip with a wrong checksum", changed(-6, 1)},
		{"gzip with a wrong length", changed(-1, 0x7f)},
		{"gzip with trailing bytes", append(bytes.Clone(good), "more"...)},
		{"two gzip streams in one frame", append(bytes.Clone(good), good...)},
		{"gzip with a name of a megabyte", flagged(0x08, append(bytes.Repeat([]byte("n"), mib), 0))},
		{"gzip with an unterminated name", append(bytes.Clone(head[:3]), bytes.Repeat([]byte{0x08}, 100_000)...)},
		{"gzip with 64 KB of extra fields", flagged(0x04, append([]byte{0xff, 0xff}, make([]byte, 0xffff)...))},
		{"gzip with a wrong header checksum", flagged(0x02, []byte{1, 2})},
		{"gzip with an unknown method", changed(2, 1)},
		{"deflate with a reserved block", append(bytes.Clone(head), 0x07, 0, 0, 0)},
		{"deflate with a reference before its start", append(bytes.Clone(head), 0x63, 0x00, 0x02, 0x00, 0x41)},
		{"an empty frame", nil},
		{"JSON without gzip", []byte(`{"id":"x","action":"CREATE_MESSAGE"}`)},
	} {
		all = append(all, writes(v.name, lives, of(wspeer.Whole(wspeer.Binary, v.bytes))))
	}
	return all
}

// bomb returns gzip of megabytes of zeros: one deflate block of a megabyte, repeated.
func bomb(megabytes int) []byte {
	var block bytes.Buffer
	zw, _ := flate.NewWriter(&block, flate.BestCompression)
	zeros := make([]byte, mib)
	_, _ = zw.Write(zeros)
	_ = zw.Flush() // ends on a byte boundary
	b := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, bytes.Repeat(block.Bytes(), megabytes)...)
	b = append(b, 0x03, 0x00) // an empty last block
	sum := crc32.NewIEEE()
	for range min(megabytes, 20) { // a reader stops before the checksum of a larger bomb
		_, _ = sum.Write(zeros)
	}
	b = binary.LittleEndian.AppendUint32(b, sum.Sum32())
	return binary.LittleEndian.AppendUint32(b, uint32(megabytes*mib))
}

// claim returns the header of a frame with a length, and a few bytes of payload.
func claim(n uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{wspeer.Final | wspeer.Binary, 127}, n), "so long"...)
}

// fragments returns the attack of a server that never completes a message. A message must be complete after five
// minutes.
func fragments(name string, piece []byte, pause time.Duration, between []byte) attack {
	most := 5*time.Minute + pause + 10*time.Second // the server notices it at its next write
	return attack{
		name: name,
		outcome: outcome{text: "the link is replaced within five minutes", check: func(r *run) {
			replaced.check(r)
			if took := time.Duration(r.written); took > most {
				r.t.Errorf("it took %v", took)
			}
		}},
		does: func(r *run) {
			p, began := r.peer(), time.Now()
			_ = p.Send(wspeer.Encode(wspeer.Binary, piece))
			p.trickle(append(wspeer.Encode(wspeer.Continuation, piece), between...), pause, time.Hour)
			r.written = int64(time.Since(began))
		},
	}
}

// many returns n frames of JSON with numbers in it.
func many(n int, format string) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(wspeer.PackStored(fmt.Sprintf(format, i)))
	}
	return b.Bytes()
}
