package blaze

import "time"

// maxAudio is the longest recording that the service accepts. Source: the service's list of websocket messages; see
// [CategoryPlainText].
const maxAudio = 60 * time.Second

// Attachment is an uploaded file in the messages that refer to it. Its printed, logged and JSON forms omit Key and
// Digest. So do those of payloads that embed it.
type Attachment struct {
	ID        string    // the id of the upload, a UUID
	MimeType  string    // for example image/jpeg; may be empty
	Size      int64     // in bytes, not negative
	CreatedAt time.Time // time of the upload, set by today's apps; zero: not given
	Shareable *bool     // whether users may forward it; nil: decided by the app
	// Key (64 bytes) decrypts a file that was encrypted before the upload, and Digest is the SHA-256 of the uploaded
	// bytes. Both are nil for an unencrypted file. They are required in encrypted messages and rejected in plain ones.
	Key, Digest []byte
}

// attachmentEnd has the fields of an attachment that follow those of its payload.
type attachmentEnd struct {
	Key       []byte `json:"key,omitempty"`
	Digest    []byte `json:"digest,omitempty"`
	CreatedAt string `json:"created_at,omitempty"`
	Shareable *bool  `json:"shareable,omitempty"`
}

// wire validates the attachment of a payload and returns its id in lower case and the trailing fields.
func (a Attachment) wire(v *validation, kind string) (id string, end attachmentEnd) {
	id = v.id(kind+".ID", a.ID)
	v.check(a.Size >= 0, kind+".Size", "must not be negative")
	return id, attachmentEnd{a.Key, a.Digest, v.time(kind+".CreatedAt", a.CreatedAt), a.Shareable}
}

func (f *fields) attachment() Attachment {
	return Attachment{
		ID:        f.need("attachment_id"),
		MimeType:  f.str("mime_type"),
		Size:      f.int64("size"),
		CreatedAt: f.time("created_at"),
		Shareable: f.boolean("shareable"),
		Key:       f.secret("key"),
		Digest:    f.secret("digest"),
	}
}

// Image is a picture. Source for all attachment payloads: the service's list of websocket messages; see
// [CategoryPlainText].
type Image struct {
	Attachment
	Width, Height int    // in pixels, above 0
	Thumbnail     string // a small JPEG in base64, shown until the picture is loaded; may be empty
}

// Category returns [CategoryPlainImage].
func (Image) Category() Category { return CategoryPlainImage }

func (i Image) data() ([]byte, error) {
	var v validation
	id, end := i.wire(&v, "Image")
	v.dimensions("Image", i.Width, i.Height)
	v.thumbnail("Image.Thumbnail", i.Thumbnail)
	return v.marshal(struct {
		ID        string `json:"attachment_id"`
		MimeType  string `json:"mime_type"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		Size      int64  `json:"size"`
		Thumbnail string `json:"thumbnail,omitempty"`
		attachmentEnd
	}{id, i.MimeType, i.Width, i.Height, i.Size, i.Thumbnail, end})
}

func readImage(f *fields) Image {
	return Image{
		Attachment: f.attachment(),
		Width:      f.int("width"),
		Height:     f.int("height"),
		Thumbnail:  f.str("thumbnail"),
	}
}

// Data is a file of any kind.
type Data struct {
	Attachment
	Name string // of the file; may be empty
}

// Category returns [CategoryPlainData].
func (Data) Category() Category { return CategoryPlainData }

func (d Data) data() ([]byte, error) {
	var v validation
	id, end := d.wire(&v, "Data")
	return v.marshal(struct {
		ID       string `json:"attachment_id"`
		MimeType string `json:"mime_type"`
		Size     int64  `json:"size"`
		Name     string `json:"name,omitempty"`
		attachmentEnd
	}{id, d.MimeType, d.Size, d.Name, end})
}

func readData(f *fields) Data {
	return Data{Attachment: f.attachment(), Name: f.str("name")}
}

// Audio is a recording of at most 60 seconds, usually audio/ogg.
type Audio struct {
	Attachment
	Duration time.Duration // 0, or 1 ms to 60 s; fractions of a millisecond are cut off
	Waveform []byte        // loudness over time, see the function Waveform; may be nil
}

// Category returns [CategoryPlainAudio].
func (Audio) Category() Category { return CategoryPlainAudio }

func (a Audio) data() ([]byte, error) {
	var v validation
	id, end := a.wire(&v, "Audio")
	v.duration("Audio.Duration", a.Duration)
	v.check(a.Duration <= maxAudio, "Audio.Duration", "must be at most %v", maxAudio)
	return v.marshal(struct {
		ID       string `json:"attachment_id"`
		MimeType string `json:"mime_type"`
		Waveform []byte `json:"waveform,omitempty"`
		Size     int64  `json:"size"`
		Duration int64  `json:"duration"`
		attachmentEnd
	}{id, a.MimeType, a.Waveform, a.Size, a.Duration.Milliseconds(), end})
}

func readAudio(f *fields) Audio {
	return Audio{
		Attachment: f.attachment(),
		Duration:   f.duration("duration", time.Millisecond),
		Waveform:   f.bytes("waveform"),
	}
}

// Video is a video file.
type Video struct {
	Attachment
	Width, Height int           // in pixels, above 0
	Duration      time.Duration // 0, or 1 ms and more; fractions of a millisecond are cut off
	Thumbnail     string        // a small JPEG in base64, shown until the video is loaded; may be empty
}

// Category returns [CategoryPlainVideo].
func (Video) Category() Category { return CategoryPlainVideo }

func (p Video) data() ([]byte, error) {
	var v validation
	id, end := p.wire(&v, "Video")
	v.dimensions("Video", p.Width, p.Height)
	v.thumbnail("Video.Thumbnail", p.Thumbnail)
	v.duration("Video.Duration", p.Duration)
	return v.marshal(struct {
		ID        string `json:"attachment_id"`
		MimeType  string `json:"mime_type"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		Size      int64  `json:"size"`
		Duration  int64  `json:"duration"`
		Thumbnail string `json:"thumbnail,omitempty"`
		attachmentEnd
	}{id, p.MimeType, p.Width, p.Height, p.Size, p.Duration.Milliseconds(), p.Thumbnail, end})
}

func readVideo(f *fields) Video {
	return Video{
		Attachment: f.attachment(),
		Width:      f.int("width"),
		Height:     f.int("height"),
		Duration:   f.duration("duration", time.Millisecond),
		Thumbnail:  f.str("thumbnail"),
	}
}
