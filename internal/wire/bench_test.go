package wire_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// words returns n bytes that resemble language, always the same for one n.
func words(n int) string {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for b.Len() < n {
		for range 2 + rng.IntN(8) {
			b.WriteByte(byte('a' + rng.IntN(26)))
		}
		b.WriteByte(' ')
	}
	return b.String()[:n]
}

// text returns the JSON of a text message in the service's form.
func text(n int) []byte {
	data := []byte(words(n))
	return fmt.Appendf(nil, `{"id":"89e0bdee-c355-47f2-945a-be48be875606","action":"CREATE_MESSAGE",`+
		`"data":{"type":"message","representative_id":"","quote_message_id":"",`+
		`"conversation_id":"7404c815-0393-3ea3-b9f2-b08efb4c72da","user_id":"773e5e77-4107-45c2-b648-8fc722ed77f5",`+
		`"session_id":"8dcf823d-9eb3-4da2-8734-f0aad50c0da6","message_id":"3eb16a1f-78b4-4e70-a1c8-0ec3a1c1a1c1",`+
		`"category":"PLAIN_TEXT","data":%q,"data_base64":%q,"status":"SENT","source":"CREATE_MESSAGE",`+
		`"silent":false,"expire_in":0,"created_at":"2023-04-28T10:01:32.387507Z",`+
		`"updated_at":"2023-04-28T10:01:32.387507Z"}}`,
		base64.StdEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(data))
}

func sizes(b *testing.B, run func(b *testing.B, json []byte)) {
	for _, n := range []int{80, 1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			p := text(n)
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			run(b, p)
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		var z wire.Inflater
		p = zip(b, p)
		for b.Loop() {
			if _, err := z.Inflate(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The baseline of Inflate: the standard library, with a reused reader and a buffer that is large enough.
func BenchmarkCompressGzip(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		buf := make([]byte, len(p)+1)
		p = zip(b, p)
		src := bytes.NewReader(p)
		zr, err := gzip.NewReader(src)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			src.Reset(p)
			if err := zr.Reset(src); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(zr, buf); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		var d wire.Decoder
		var r wire.Received
		for b.Loop() {
			if err := d.Decode(p, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScan measures the scanner alone, which finds the fields. Decode also copies them and decodes base64 and
// times.
func BenchmarkScan(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		for b.Loop() {
			if !wire.Scans(p) {
				b.Fatal("left to the standard library")
			}
		}
	})
}

// The baseline of Decode: the standard library in two steps, without base64.
func BenchmarkEncodingJSON(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		for b.Loop() {
			f, err := wire.Parse(p)
			if err != nil {
				b.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(f.Data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBase64(b *testing.B) {
	sizes(b, func(b *testing.B, p []byte) {
		text := []byte(base64.RawURLEncoding.EncodeToString(p))
		var dst []byte
		var err error
		for b.Loop() {
			if dst, err = wire.AppendBase64(dst[:0], text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	d := new(wire.Deflater)
	for name, appendTo := range map[string]func(dst, p []byte) []byte{
		"default": d.Append, "stored": wire.AppendStored,
	} {
		for _, n := range []int{300, 1000, 1100, 2000, 6000, 45_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%dB", name, n), func(b *testing.B) {
				p := text(n)[:n]
				var dst []byte
				b.ReportAllocs()
				for b.Loop() {
					dst = appendTo(dst[:0], p)
				}
				b.ReportMetric(float64(len(dst)), "bytes/frame")
			})
		}
	}
}
