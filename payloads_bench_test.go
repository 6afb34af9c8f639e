package blaze_test

import (
	"testing"

	"github.com/mixin-blaze/blaze"
)

// measured are the payloads of the benchmarks: the smallest, one with fields of several types, and one with a list.
var measured = []string{"PLAIN_TEXT", "PLAIN_IMAGE", "APP_BUTTON_GROUP"}

func BenchmarkDecodePayload(b *testing.B) {
	for _, name := range measured {
		b.Run(name, func(b *testing.B) {
			category, data := readGolden(b, name)
			b.ReportAllocs()
			for b.Loop() {
				if raw, ok := blaze.DecodePayload(category, data).(blaze.Raw); ok {
					b.Fatal(raw.Err)
				}
			}
		})
	}
}

func BenchmarkEncodePayload(b *testing.B) {
	for _, name := range measured {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := blaze.EncodePayload(goldens[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
