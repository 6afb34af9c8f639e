package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

const (
	rate    = 16_000 // samples a second
	longest = 60     // voice message, in seconds
)

func duration(samples []int16) time.Duration { return time.Duration(len(samples)) * time.Second / rate }

// encode returns the samples as Opus in an Ogg file.
func encode(ctx context.Context, samples []int16) ([]byte, error) {
	var pcm bytes.Buffer
	if err := binary.Write(&pcm, binary.LittleEndian, samples); err != nil {
		return nil, err
	}
	return ffmpeg(ctx, &pcm, "-f", "s16le", "-ac", "1", "-ar", strconv.Itoa(rate), "-i", "pipe:0",
		"-c:a", "libopus", "-ac", "1", "-ar", strconv.Itoa(rate), "-f", "ogg", "pipe:1")
}

// decode returns the samples of a WAV file, at most a minute.
func decode(ctx context.Context, wav io.Reader) ([]int16, error) {
	pcm, err := ffmpeg(ctx, wav, "-f", "wav", "-i", "pipe:0",
		"-t", strconv.Itoa(longest), "-f", "s16le", "-ac", "1", "-ar", strconv.Itoa(rate), "pipe:1")
	if err != nil {
		return nil, err
	}
	samples := make([]int16, len(pcm)/2)
	_, err = binary.Decode(pcm, binary.LittleEndian, samples)
	return samples, err
}

// ffmpeg converts in. The format of the input is given, and other protocols than pipes are off, because a file from a
// stranger must not make ffmpeg open anything. The error is exec.ErrNotFound if ffmpeg is not installed, and an
// *exec.ExitError if it rejects the input.
func ffmpeg(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all := append([]string{"-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe"}, args...)
	cmd := exec.CommandContext(ctx, "ffmpeg", all...) //nolint:gosec // G204: constant arguments
	var out, complaint bytes.Buffer
	source := &source{Reader: in}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = source, &out, &complaint
	err := cmd.Run()
	if source.err != nil {
		return nil, source.err // ffmpeg may have rejected the part before the error
	}
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %.200s", err, complaint.String())
	}
	return out.Bytes(), nil
}

// source keeps the error of a Reader.
type source struct {
	io.Reader
	err error // other than io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
