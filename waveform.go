package blaze

const (
	waveformPeaks = 100  // as in an audio message of any length
	waveformBits  = 5    // per peak
	waveformQuiet = 2500 // magnitudes are scaled to at least this value, so that silence looks silent
)

// Waveform returns the value for Audio.Waveform: 100 peaks of 5 bits, least significant bit first, in 63 bytes. The
// samples are linear 16-bit mono at any rate. The algorithm is that of Messenger's own apps. Without samples all bytes
// are zero.
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

// waveformMagnitudes reduces the samples to 100 magnitudes. The first is that of sample 0, each other one the largest
// of its stride of n/100 samples (at least one). Strides past the end stay 0, and samples after the last stride are
// ignored.
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

// magnitude returns |s|. It does not fit in an int16 for -32768.
func magnitude(s int16) int64 {
	if s < 0 {
		return -int64(s)
	}
	return int64(s)
}
