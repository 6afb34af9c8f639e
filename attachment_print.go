package blaze

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// The key of a file decrypts it, and the storage serves the file to everybody who knows its id. So no printed form of
// an attachment contains Key or Digest. EncodePayload encodes messages without calling these methods.

// hiddenBytes is a key or a digest in JSON.
type hiddenBytes []byte

// MarshalJSON shows only whether h is empty.
func (h hiddenBytes) MarshalJSON() ([]byte, error) {
	//mutant:attachment-json
	if len(h) == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(redacted)
}

// UnmarshalJSON reads base64, as encoding/json does. It rejects "[redacted]", which MarshalJSON writes, because the
// file could not be decrypted without the key.
func (h *hiddenBytes) UnmarshalJSON(p []byte) error {
	var text string
	//mutant:attachment-redacted
	if json.Unmarshal(p, &text) == nil && text == redacted {
		return invalid("Key or Digest", "was redacted when it was written as JSON: to keep a payload with its keys, "+
			"keep what EncodePayload returns, and read it with DecodePayload")
	}
	return json.Unmarshal(p, (*[]byte)(h))
}

// attachmentJSON is an Attachment in JSON, under its Go field names.
type attachmentJSON struct {
	ID          string
	MimeType    string
	Size        int64
	CreatedAt   time.Time
	Shareable   *bool
	Key, Digest hiddenBytes
}

func (a Attachment) json() attachmentJSON {
	return attachmentJSON{a.ID, a.MimeType, a.Size, a.CreatedAt, a.Shareable, a.Key, a.Digest}
}

func (j attachmentJSON) attachment() Attachment {
	return Attachment{
		ID: j.ID, MimeType: j.MimeType, Size: j.Size, CreatedAt: j.CreatedAt, Shareable: j.Shareable,
		Key: j.Key, Digest: j.Digest,
	}
}

// Format writes the id, the type and the size, and omits the key and the digest. A method cannot cover two cases, in
// which fmt prints the key: an Attachment in an unexported field of a struct, and the verbs %w and %p, which go vet
// reports.
func (a Attachment) Format(f fmt.State, _ rune) { a.format(f, "Attachment", "") }

// Format is like [Attachment.Format], with the size in pixels.
func (i Image) Format(f fmt.State, _ rune) { i.format(f, "Image", ", %d x %d", i.Width, i.Height) }

// Format is like [Attachment.Format], with the name.
func (d Data) Format(f fmt.State, _ rune) { d.format(f, "Data", ", %s", clip(d.Name)) }

// Format is like [Attachment.Format], with the duration.
func (a Audio) Format(f fmt.State, _ rune) { a.format(f, "Audio", ", %v", a.Duration) }

// Format is like [Attachment.Format], with the size in pixels and the duration.
func (p Video) Format(f fmt.State, _ rune) {
	p.format(f, "Video", ", %d x %d, %v", p.Width, p.Height, p.Duration)
}

func (a Attachment) format(f fmt.State, kind, more string, args ...any) {
	_, _ = fmt.Fprintf(f, "%s{%s %s %d bytes, encrypted: %t%s}", kind, clip(a.ID), clip(a.MimeType), a.Size,
		len(a.Key) > 0, fmt.Sprintf(more, args...))
}

// LogValue implements [slog.LogValuer]. It omits the key.
func (a Attachment) LogValue() slog.Value { return a.group() }

// LogValue is like [Attachment.LogValue], with the size in pixels.
func (i Image) LogValue() slog.Value {
	return i.group(slog.Int("width", i.Width), slog.Int("height", i.Height))
}

// LogValue is like [Attachment.LogValue], with the name.
func (d Data) LogValue() slog.Value { return d.group(slog.String("name", clip(d.Name))) }

// LogValue is like [Attachment.LogValue], with the duration.
func (a Audio) LogValue() slog.Value { return a.group(slog.Duration("duration", a.Duration)) }

// LogValue is like [Attachment.LogValue], with the size in pixels and the duration.
func (p Video) LogValue() slog.Value {
	return p.group(slog.Int("width", p.Width), slog.Int("height", p.Height), slog.Duration("duration", p.Duration))
}

func (a Attachment) group(more ...slog.Attr) slog.Value {
	return slog.GroupValue(append([]slog.Attr{
		slog.String("id", clip(a.ID)), slog.String("mime_type", clip(a.MimeType)), slog.Int64("size", a.Size),
	}, more...)...)
}

// MarshalJSON writes the fields under their Go names, with "[redacted]" for Key and Digest. To keep a payload with its
// keys, store the result of [EncodePayload].
func (a Attachment) MarshalJSON() ([]byte, error) { return json.Marshal(a.json()) }

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (a *Attachment) UnmarshalJSON(p []byte) error {
	j := a.json()
	if err := json.Unmarshal(p, &j); err != nil {
		return err
	}
	*a = j.attachment()
	return nil
}

type imageJSON struct {
	attachmentJSON
	Width, Height int
	Thumbnail     string
}

// MarshalJSON is like [Attachment.MarshalJSON], with the other fields.
func (i Image) MarshalJSON() ([]byte, error) {
	return json.Marshal(imageJSON{i.json(), i.Width, i.Height, i.Thumbnail})
}

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (i *Image) UnmarshalJSON(p []byte) error {
	j := imageJSON{i.json(), i.Width, i.Height, i.Thumbnail}
	if err := json.Unmarshal(p, &j); err != nil {
		return err
	}
	*i = Image{j.attachment(), j.Width, j.Height, j.Thumbnail}
	return nil
}

type dataJSON struct {
	attachmentJSON
	Name string
}

// MarshalJSON is like [Attachment.MarshalJSON], with the other fields.
func (d Data) MarshalJSON() ([]byte, error) { return json.Marshal(dataJSON{d.json(), d.Name}) }

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (d *Data) UnmarshalJSON(p []byte) error {
	j := dataJSON{d.json(), d.Name}
	if err := json.Unmarshal(p, &j); err != nil {
		return err
	}
	*d = Data{j.attachment(), j.Name}
	return nil
}

type audioJSON struct {
	attachmentJSON
	Duration time.Duration
	Waveform []byte
}

// MarshalJSON is like [Attachment.MarshalJSON], with the other fields.
func (a Audio) MarshalJSON() ([]byte, error) {
	return json.Marshal(audioJSON{a.json(), a.Duration, a.Waveform})
}

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (a *Audio) UnmarshalJSON(p []byte) error {
	j := audioJSON{a.json(), a.Duration, a.Waveform}
	if err := json.Unmarshal(p, &j); err != nil {
		return err
	}
	*a = Audio{j.attachment(), j.Duration, j.Waveform}
	return nil
}

type videoJSON struct {
	attachmentJSON
	Width, Height int
	Duration      time.Duration
	Thumbnail     string
}

// MarshalJSON is like [Attachment.MarshalJSON], with the other fields.
func (p Video) MarshalJSON() ([]byte, error) {
	return json.Marshal(videoJSON{p.json(), p.Width, p.Height, p.Duration, p.Thumbnail})
}

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (p *Video) UnmarshalJSON(data []byte) error {
	j := videoJSON{p.json(), p.Width, p.Height, p.Duration, p.Thumbnail}
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*p = Video{j.attachment(), j.Width, j.Height, j.Duration, j.Thumbnail}
	return nil
}

// transcriptPlain is a TranscriptMessage without its methods. Its redacted fields shadow those of the message.
type transcriptPlain struct {
	bareTranscriptMessage
	MediaKey, MediaDigest hiddenBytes
}

type bareTranscriptMessage TranscriptMessage

// Format writes the ids, the category and the media size, and omits content and keys, for every verb.
func (m TranscriptMessage) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "TranscriptMessage{%s %s from %s, %d bytes of media, encrypted: %t}",
		clip(string(m.Category)), clip(m.MessageID), clip(m.UserID), m.MediaSize, len(m.MediaKey) > 0)
}

// LogValue implements [slog.LogValuer]. It shows the ids, the category and the media size.
func (m TranscriptMessage) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", clip(m.MessageID)), slog.String("category", clip(string(m.Category))),
		slog.String("user", clip(m.UserID)), slog.Int64("media_size", m.MediaSize))
}

// MarshalJSON writes the fields under their Go names, with "[redacted]" for MediaKey and MediaDigest. To keep a
// transcript with its keys, store the result of [EncodePayload].
func (m TranscriptMessage) MarshalJSON() ([]byte, error) {
	return json.Marshal(transcriptPlain{bareTranscriptMessage(m), m.MediaKey, m.MediaDigest})
}

// UnmarshalJSON reads the output of MarshalJSON. A redacted key is an [InvalidError].
func (m *TranscriptMessage) UnmarshalJSON(p []byte) error {
	j := transcriptPlain{bareTranscriptMessage(*m), m.MediaKey, m.MediaDigest}
	if err := json.Unmarshal(p, &j); err != nil {
		return err
	}
	*m = TranscriptMessage(j.bareTranscriptMessage)
	m.MediaKey, m.MediaDigest = j.MediaKey, j.MediaDigest
	return nil
}
