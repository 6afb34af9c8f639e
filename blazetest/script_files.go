package blazetest

import (
	"bytes"
	"image"
	_ "image/gif"  // the pictures that people send
	_ "image/jpeg" //
	_ "image/png"  //
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
)

// Properties of audio and video files, which are not parsed.
const (
	filmWidth, filmHeight = 640, 360
	playTime              = time.Second
)

// filesIn returns a function that reads the files of a script in a directory.
func filesIn(dir string) func(name string) (file []byte, reason string) {
	return func(name string) (file []byte, reason string) {
		if !filepath.IsLocal(name) {
			return nil, "the file must be in the script's directory: " + name
		}
		file, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the script's author names a file beside it
		if err != nil {
			return nil, err.Error()
		}
		return file, ""
	}
}

// file uploads a file for a person. It returns the message with it, or the reason if that fails.
func (p *player) file(u *User, name string) (payload blaze.Payload, reason string) {
	file, reason := p.files(name)
	if reason != "" {
		return nil, reason
	}
	if len(file) > maxFile {
		return nil, name + " is too large"
	}
	a, misuse := u.upload(bytes.NewReader(file))
	if misuse != nil {
		return nil, misuse.Reason
	}
	return payloadOf(a, filepath.Base(name), file), ""
}

// payloadOf returns the message for a file by its media type: Image, Audio, Video or Data.
func payloadOf(a blaze.Attachment, name string, file []byte) blaze.Payload {
	if t, ok := typesByName[strings.ToLower(filepath.Ext(name))]; ok {
		a.MimeType = t
	}
	kind, _, _ := strings.Cut(a.MimeType, "/")
	switch kind {
	case "image":
		if c, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil {
			return blaze.Image{Attachment: a, Width: c.Width, Height: c.Height}
		}
	case "audio":
		return blaze.Audio{Attachment: a, Duration: playTime}
	case "video":
		return blaze.Video{Attachment: a, Width: filmWidth, Height: filmHeight, Duration: playTime}
	}
	return blaze.Data{Attachment: a, Name: name}
}

// typesByName has media types that cannot be detected from the first bytes of a file.
var typesByName = map[string]string{
	".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".m4a": "audio/mp4", ".mp3": "audio/mpeg",
	".wav": "audio/wav", ".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm",
	".csv": "text/csv", ".md": "text/markdown", ".json": "application/json",
}
