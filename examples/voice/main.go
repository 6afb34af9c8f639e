// Voice is a bot that makes voice messages: it plays notes, and turns a WAV file into one. Messenger plays Opus in an
// Ogg file, so the program ffmpeg must be installed. Without it, the bot says so.
//
// Without a keystore a conversation is played in memory:
//
//	go run ./examples/voice
//	BLAZE_KEYSTORE=keystore.json go run ./examples/voice
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"math"
	"os/exec"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() { show.Demo{Bot: newBot, Config: config, Script: script}.Main() }

// config bounds the files that the bot reads: a minute of sound on a CD is 10.6 MB.
func config(cfg *blaze.Config) { cfg.MaxDownload = 16 << 20 }

func newBot(c *blaze.Client) blaze.Handler {
	b := bot{c}
	return blaze.Apologize(c, "Sorry, that did not work.")(blaze.Route(
		blaze.Commands(c, blaze.CommandSpec{
			Name: "/play", Help: "NOTES: plays notes, for example c e g",
			Do: func(ctx context.Context, m *blaze.Message, notes string) error {
				samples := play(notes)
				if len(samples) == 0 {
					return c.Reply(ctx, m, blaze.Text("The notes are c, d, e, f, g, a and b, at most 40."))
				}
				return b.reply(ctx, m, samples)
			},
		}),
		blaze.On(func(ctx context.Context, m *blaze.Message, file blaze.Data) error {
			samples, err := b.read(ctx, file)
			if failed, text := sorry(err); failed {
				return c.Reply(ctx, m, text)
			}
			if err != nil {
				return err
			}
			return b.reply(ctx, m, samples)
		}),
		blaze.Mentioned(c, blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Text) error {
			return c.Reply(ctx, m, blaze.Text("Send me a WAV file, or /play c e g."))
		})),
	))
}

type bot struct{ *blaze.Client }

// reply answers with the samples as a voice message.
func (b bot) reply(ctx context.Context, m *blaze.Message, samples []int16) error {
	if len(samples) == 0 {
		return b.Reply(ctx, m, blaze.Text("There is no sound in that."))
	}
	opus, err := encode(ctx, samples)
	if errors.Is(err, exec.ErrNotFound) {
		return b.Reply(ctx, m, missing)
	}
	if err != nil {
		return err
	}
	file, err := b.Upload(ctx, bytes.NewReader(opus), int64(len(opus)))
	if err != nil {
		return err
	}
	out := m.NewReply(blaze.Audio{Attachment: file, Duration: duration(samples), Waveform: blaze.Waveform(samples)})
	// Each attempt uploads a file of its own. With the same id, the message is stored once.
	out.MessageID = blaze.DeriveID(b.AppID(), m.ID, "voice")
	_, err = b.Send(ctx, out)
	return err
}

// read downloads a WAV file and returns its first minute.
func (b bot) read(ctx context.Context, file blaze.Data) ([]int16, error) {
	wav, err := b.Download(ctx, file.Attachment)
	if err != nil {
		return nil, err
	}
	defer func() { _ = wav.Close() }()
	return decode(ctx, wav)
}

const missing blaze.Text = "I cannot make voice messages: the program ffmpeg is not installed here."

// sorry returns the text for a file that cannot be read in another attempt either.
func sorry(err error) (failed bool, text blaze.Text) {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return true, missing
	case errors.As(err, &exit) && exit.ExitCode() != -1 && exit.ExitCode() != 255: // both are a signal, such as Ctrl-C
		return true, "I cannot read that. Please send a WAV file."
	}
	return false, ""
}

// pitches are frequencies in Hz.
var pitches = map[string]float64{
	"c": 261.63, "d": 293.66, "e": 329.63, "f": 349.23, "g": 392, "a": 440, "b": 493.88,
}

// play returns the samples of some notes, or nil.
func play(notes string) (samples []int16) {
	const most, seconds = 40, 0.4
	all := strings.Fields(strings.ToLower(notes))
	if len(all) > most {
		return nil
	}
	for _, note := range all {
		pitch, known := pitches[note]
		if !known {
			return nil
		}
		for i := range int(seconds * rate) {
			t := float64(i) / rate
			fade := math.Exp(-4 * t)
			samples = append(samples, int16(20_000*fade*math.Sin(2*math.Pi*pitch*t)))
		}
	}
	return samples
}
