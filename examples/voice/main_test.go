package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// The tests run as ffmpeg too: see standIn.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ffmpeg" {
		os.Exit(beFFmpeg())
	}
	os.Exit(m.Run())
}

// beFFmpeg "encodes" by a mark before the input, "decodes" by leaving out 44 bytes, and rejects other files than WAV.
func beFFmpeg() (status int) {
	in, err := io.ReadAll(os.Stdin)
	switch decode := slices.Contains(os.Args, "wav"); {
	case err != nil:
		return 1
	case !decode:
		_, err = fmt.Printf("OggS%s", in)
	case !bytes.HasPrefix(in, []byte("RIFF")):
		fmt.Fprintln(os.Stderr, "invalid data")
		return 1
	default:
		_, err = os.Stdout.Write(in[44:])
	}
	if err != nil {
		return 1
	}
	return 0
}

// standIn makes this program the only ffmpeg.
func standIn(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "ffmpeg")); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", dir)
}

// wav returns a WAV file of 16,000 samples a second.
func wav(samples []int16) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF")
	size := uint32(2 * len(samples))
	for _, part := range []any{
		36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2),
		uint16(16), []byte("data"), size, samples,
	} {
		_ = binary.Write(&b, binary.LittleEndian, part) // a Buffer never fails
	}
	return b.Bytes()
}

// sendFile lets alice send a file, and returns the answer and the file in it.
func sendFile(t *testing.T, content []byte) (answer blaze.Outgoing, file []byte) {
	t.Helper()
	s, _ := blazetest.Start(t, newBot, config)
	alice := s.User("alice")
	alice.Send(blaze.Data{Attachment: alice.Upload(bytes.NewReader(content)), Name: "sound.wav"})
	answer, err := alice.Next(t.Context())
	require.NoError(t, err)
	if audio, ok := answer.Payload.(blaze.Audio); ok {
		file, ok = s.File(audio.ID)
		require.True(t, ok)
	}
	return answer, file
}

func TestScripts(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T){
		"with ffmpeg":    standIn,
		"without ffmpeg": func(t *testing.T) { t.Setenv("PATH", t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			synctest.Test(t, func(t *testing.T) {
				s, _ := blazetest.Start(t, newBot, config)
				blazetest.Script(t, s, "testdata/demo.txt")
			})
		})
	}
}

func TestAWAVFileBecomesAVoiceMessage(t *testing.T) {
	standIn(t)
	samples := play("a")
	answer, file := sendFile(t, wav(samples))
	audio, ok := answer.Payload.(blaze.Audio)
	require.True(t, ok, answer.Payload)
	assert.Equal(t, 400*time.Millisecond, audio.Duration)
	assert.Equal(t, blaze.Waveform(samples), audio.Waveform)
	assert.Equal(t, "OggS", string(file[:4]))
	assert.Len(t, file, 4+2*len(samples))
}

func TestOtherFilesAreRejected(t *testing.T) {
	standIn(t)
	answer, _ := sendFile(t, []byte("no sound"))
	assert.Equal(t, blaze.Text("I cannot read that. Please send a WAV file."), answer.Payload)
	answer, _ = sendFile(t, wav(nil))
	assert.Equal(t, blaze.Text("There is no sound in that."), answer.Payload)
}

func TestATooLargeFileIsRejected(t *testing.T) {
	standIn(t)
	answer, _ := sendFile(t, make([]byte, 16<<20+1))
	assert.Equal(t, blaze.Text("Sorry, that did not work."), answer.Payload)
}

func TestWithoutFFmpeg(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	answer, _ := sendFile(t, wav(play("a")))
	want := blaze.Text("I cannot make voice messages: the program ffmpeg is not installed here.")
	assert.Equal(t, want, answer.Payload)
}

// A signal that ends ffmpeg is no reason to reject the file.
func TestOnlyTheInputIsRejected(t *testing.T) {
	for name, script := range map[string]string{"signal": "kill -INT $$", "caught": "exit 255"} {
		t.Run(name, func(t *testing.T) {
			script := []byte("#!/bin/sh\n" + script + "\n")
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ffmpeg"), script, 0o700))
			t.Setenv("PATH", dir)
			_, err := decode(t.Context(), bytes.NewReader(wav(play("a"))))
			require.Error(t, err)
			failed, _ := sorry(err)
			assert.False(t, failed, err)
		})
	}
}

// The arguments are those that the real program accepts.
func TestTheRealFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("NOT CHECKED: ", err)
	}
	answer, file := sendFile(t, wav(play("c e g")))
	audio, ok := answer.Payload.(blaze.Audio)
	require.True(t, ok, answer.Payload)
	assert.Equal(t, 1200*time.Millisecond, audio.Duration)
	assert.Equal(t, "audio/ogg", audio.MimeType)
	assert.Equal(t, "OggS", string(file[:4]))
	assert.Contains(t, string(file[:64]), "OpusHead")
	answer, _ = sendFile(t, []byte("no sound"))
	assert.Equal(t, blaze.Text("I cannot read that. Please send a WAV file."), answer.Payload)
}
