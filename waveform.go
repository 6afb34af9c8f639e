package blaze

const (
	waveformPeaks = 100  // what an audio message shows, whatever its length
	waveformBits  = 5    // of each peak
	waveformQuiet = 2500 // magnitudes are drawn relative to at least this, so that silence looks silent
)

// Waveform returns the picture of a recording that Messenger shows for [Audio.Waveform]: 100 peaks of 5 bits each,
// least significant bit first, in 63 bytes. It is computed as Messenger's own apps do it, from samples of one channel,
// 16 bits, linear; the sample rate does not matter. No samples give 63 zero bytes.
func Waveform(samples []int16) []byte {
	peaks := waveformMagnitudes(samples)
	var sum int64
	for _, p := range peaks {
		sum += p
	}
	// 1.8 times the mean, rounded down, without floating point: 1.8*sum/100 = 18*sum/1000.
	top := max(waveformQuiet, sum*18/1000)

	packed := make([]byte, (waveformPeaks*waveformBits+7)/8)
	for i, p := range peaks {
		level := min(p, top) * 31 / top
		for bit := range waveformBits {
			at := i*waveformBits + bit
			packed[at/8] |= byte(level>>bit&1) << (at % 8)
		}
	}
	return packed
}

// waveformMagnitudes reduces the samples to 100 magnitudes: the first is that of sample 0 alone, each further one the
// largest of its stride of n/100 samples (at least one). Strides past the end stay 0; what is left over after the last
// stride is not looked at.
func waveformMagnitudes(samples []int16) [waveformPeaks]int64 {
	var peaks [waveformPeaks]int64
	if len(samples) == 0 {
		return peaks
	}
	stride := max(1, len(samples)/waveformPeaks)
	peaks[0] = magnitude(samples[0])
	for k := 1; k < waveformPeaks; k++ {
		from, to := (k-1)*stride+1, min(k*stride+1, len(samples))
		for i := from; i < to; i++ {
			peaks[k] = max(peaks[k], magnitude(samples[i]))
		}
	}
	return peaks
}

// magnitude is |s| in more bits than an int16 has: that of -32768 is 32768.
func magnitude(s int16) int64 {
	if s < 0 {
		return -int64(s)
	}
	return int64(s)
}
