package blaze_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// naiveWaveform computes the same waveform slowly: each peak from all samples, in exact fractions, and each bit in a
// list of bits before any byte is made.
func naiveWaveform(samples []int16) []byte {
	n := len(samples)
	stride := max(n/100, 1)
	entries := make([]int, 100)
	for at, s := range samples {
		entry := (at + stride - 1) / stride // sample 0 alone, then strides
		if entry < 100 {
			entries[entry] = max(entries[entry], int(math.Abs(float64(s))))
		}
	}
	sum := 0
	for _, e := range entries {
		sum += e
	}
	mean := new(big.Rat).Mul(big.NewRat(18, 10), big.NewRat(int64(sum), 100))
	peak := int(new(big.Int).Quo(mean.Num(), mean.Denom()).Int64())
	peak = max(peak, 2500)

	var bits []bool
	for _, e := range entries {
		level := min(31, min(e, peak)*31/peak)
		for range 5 {
			bits = append(bits, level%2 == 1)
			level /= 2
		}
	}
	out := make([]byte, 63)
	for i, set := range bits {
		if set {
			out[i/8] += 1 << (i % 8)
		}
	}
	return out
}

func filled(n int, s int16) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// The expected values were computed by hand.
func TestWaveformByHand(t *testing.T) {
	bytes63 := func(first ...byte) []byte { return append(first, make([]byte, 63-len(first))...) }
	all := func(pattern ...byte) []byte { // 100 equal levels: 12 times 5 bytes, and 20 more bits
		var out []byte
		for len(out) < 63 {
			out = append(out, pattern...)
		}
		return out[:63]
	}
	last := func(b []byte) []byte { b[62] &= 0x0f; return b } // 500 bits end in the middle of the last byte

	for _, c := range []struct {
		name    string
		samples []int16
		want    []byte
	}{
		{"nothing", nil, bytes63()},
		{"silence", filled(16000, 0), bytes63()},
		// The sum is 2500, the peak 2500: level 31 in bits 0 to 4.
		{"one sample", []int16{2500}, bytes63(0x1f)},
		{"capped at the peak", []int16{9999}, bytes63(0x1f)},
		// 1250*31/2500 = 15.5, cut to 15: bits 5 to 8 of entry 1.
		{"half", []int16{0, 1250}, bytes63(0xe0, 0x01)},
		{"just below a level", []int16{80}, bytes63(0x00)}, // 80*31/2500 = 0.992
		{"just on a level", []int16{81}, bytes63(0x01)},    // 81*31/2500 = 1.0044
		{"the lowest sample", []int16{math.MinInt16}, bytes63(0x1f)},
		// The sum is 3276800 and the peak 58982: 32768*31/58982 = 17.2, that is 10001 a hundred times.
		{"all the lowest", filled(100, math.MinInt16), last(all(0x31, 0xc6, 0x18, 0x63, 0x8c))},
		// The peak is 1.8*2000 = 3600: 2000*31/3600 = 17.2.
		{"louder than quiet", filled(250, -2000), last(all(0x31, 0xc6, 0x18, 0x63, 0x8c))},
		// With 299 samples a stride is 2: entry 1 is samples 1 and 2. Samples after 198 are ignored.
		{"strides", append([]int16{0, 0, -2500}, append(filled(196, 0), filled(100, 2500)...)...), bytes63(0xe0, 0x03)},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, blaze.Waveform(c.samples))
			assert.Equal(t, c.want, naiveWaveform(c.samples), "the slow computation")
		})
	}
}

func TestWaveformAgainstSlowWay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 50, 99, 100, 101, 102, 199, 200, 201, 299, 1000, 12345, 160000} {
		for _, loudest := range []int{1, 1000, 2500, 5000, math.MaxInt16} {
			samples := make([]int16, n)
			for i := range samples {
				samples[i] = int16(random.IntN(2*loudest+1) - loudest)
			}
			assert.Equal(t, naiveWaveform(samples), blaze.Waveform(samples), "%d samples up to %d", n, loudest)
		}
	}
}
