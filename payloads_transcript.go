package blaze

import "time"

// Transcript is an excerpt of another conversation, forwarded as one message.
type Transcript []TranscriptMessage

// TranscriptMessage is one message of a [Transcript]. The fields in use depend on Category. Zero fields are not
// written. Its printed, logged and JSON forms omit MediaKey and MediaDigest. Source: the fields that Messenger's apps
// write.
type TranscriptMessage struct {
	TranscriptID   string // the message with the transcript, a UUID
	MessageID      string // a UUID
	UserID         string // the author, a UUID; may be empty
	UserFullName   string
	Category       Category // must not be empty
	CreatedAt      time.Time
	Content        string // the text, or the category's data as written by the app
	MediaURL       string // the id of an attachment
	MediaName      string
	MediaSize      int64 // in bytes
	MediaWidth     int   // in pixels
	MediaHeight    int   // in pixels
	MediaMimeType  string
	MediaDuration  time.Duration // whole milliseconds on the wire
	MediaStatus    string
	MediaWaveform  []byte
	ThumbImage     string // a small JPEG in base64
	ThumbURL       string
	MediaKey       []byte // of an encrypted attachment
	MediaDigest    []byte // of an encrypted attachment
	MediaCreatedAt time.Time
	StickerID      string // a UUID
	SharedUserID   string // the shared contact, a UUID
	Mentions       string // JSON in a string, as the apps write it
	QuoteID        string // the quoted message, a UUID
	QuoteContent   string
	Caption        string
}

// transcriptJSON has the names used on the wire. Times are strings, so that zero times can be omitted.
type transcriptJSON struct {
	TranscriptID   string   `json:"transcript_id"`
	MessageID      string   `json:"message_id"`
	UserID         string   `json:"user_id,omitempty"`
	UserFullName   string   `json:"user_full_name,omitempty"`
	Category       Category `json:"category"`
	CreatedAt      string   `json:"created_at,omitempty"`
	Content        string   `json:"content,omitempty"`
	MediaURL       string   `json:"media_url,omitempty"`
	MediaName      string   `json:"media_name,omitempty"`
	MediaSize      int64    `json:"media_size,omitempty"`
	MediaWidth     int      `json:"media_width,omitempty"`
	MediaHeight    int      `json:"media_height,omitempty"`
	MediaMimeType  string   `json:"media_mime_type,omitempty"`
	MediaDuration  int64    `json:"media_duration,omitempty"`
	MediaStatus    string   `json:"media_status,omitempty"`
	MediaWaveform  []byte   `json:"media_waveform,omitempty"`
	ThumbImage     string   `json:"thumb_image,omitempty"`
	ThumbURL       string   `json:"thumb_url,omitempty"`
	MediaKey       []byte   `json:"media_key,omitempty"`
	MediaDigest    []byte   `json:"media_digest,omitempty"`
	MediaCreatedAt string   `json:"media_created_at,omitempty"`
	StickerID      string   `json:"sticker_id,omitempty"`
	SharedUserID   string   `json:"shared_user_id,omitempty"`
	Mentions       string   `json:"mentions,omitempty"`
	QuoteID        string   `json:"quote_id,omitempty"`
	QuoteContent   string   `json:"quote_content,omitempty"`
	Caption        string   `json:"caption,omitempty"`
}

// Category returns [CategoryPlainTranscript].
func (Transcript) Category() Category { return CategoryPlainTranscript }

func (t Transcript) data() ([]byte, error) {
	var v validation
	v.check(len(t) > 0, "Transcript", "must not be empty")
	out := make([]transcriptJSON, 0, len(t))
	for i, m := range t {
		out = append(out, m.json(&v, indexed("Transcript", i)))
	}
	return v.marshal(out)
}

func (m TranscriptMessage) json(v *validation, path string) transcriptJSON {
	v.check(m.Category != "", path+".Category", "missing")
	v.check(m.MediaSize >= 0, path+".MediaSize", "must not be negative")
	v.check(m.MediaWidth >= 0, path+".MediaWidth", "must not be negative")
	v.check(m.MediaHeight >= 0, path+".MediaHeight", "must not be negative")
	v.check(m.MediaDuration >= 0, path+".MediaDuration", "must not be negative")
	return transcriptJSON{
		TranscriptID:   v.id(path+".TranscriptID", m.TranscriptID),
		MessageID:      v.id(path+".MessageID", m.MessageID),
		UserID:         v.optionalID(path+".UserID", m.UserID),
		UserFullName:   m.UserFullName,
		Category:       m.Category,
		CreatedAt:      v.time(path+".CreatedAt", m.CreatedAt),
		Content:        m.Content,
		MediaURL:       m.MediaURL,
		MediaName:      m.MediaName,
		MediaSize:      m.MediaSize,
		MediaWidth:     m.MediaWidth,
		MediaHeight:    m.MediaHeight,
		MediaMimeType:  m.MediaMimeType,
		MediaDuration:  m.MediaDuration.Milliseconds(),
		MediaStatus:    m.MediaStatus,
		MediaWaveform:  m.MediaWaveform,
		ThumbImage:     m.ThumbImage,
		ThumbURL:       m.ThumbURL,
		MediaKey:       m.MediaKey,
		MediaDigest:    m.MediaDigest,
		MediaCreatedAt: v.time(path+".MediaCreatedAt", m.MediaCreatedAt),
		StickerID:      v.optionalID(path+".StickerID", m.StickerID),
		SharedUserID:   v.optionalID(path+".SharedUserID", m.SharedUserID),
		Mentions:       m.Mentions,
		QuoteID:        v.optionalID(path+".QuoteID", m.QuoteID),
		QuoteContent:   m.QuoteContent,
		Caption:        m.Caption,
	}
}

func decodeTranscript(_ string, data []byte) (Payload, error) {
	if err := check(data, '[', "a JSON array"); err != nil {
		return nil, err
	}
	messages, err := readObjects("", data, maxTranscript, readTranscriptMessage)
	return Transcript(messages), err
}

func readTranscriptMessage(f *fields) TranscriptMessage {
	return TranscriptMessage{
		TranscriptID:   f.str("transcript_id"),
		MessageID:      f.str("message_id"),
		UserID:         f.str("user_id"),
		UserFullName:   f.str("user_full_name"),
		Category:       Category(f.str("category")),
		CreatedAt:      f.time("created_at"),
		Content:        f.str("content"),
		MediaURL:       f.str("media_url"),
		MediaName:      f.str("media_name"),
		MediaSize:      f.int64("media_size"),
		MediaWidth:     f.int("media_width"),
		MediaHeight:    f.int("media_height"),
		MediaMimeType:  f.str("media_mime_type"),
		MediaDuration:  f.duration("media_duration", time.Millisecond),
		MediaStatus:    f.str("media_status"),
		MediaWaveform:  f.bytes("media_waveform"),
		ThumbImage:     f.str("thumb_image"),
		ThumbURL:       f.str("thumb_url"),
		MediaKey:       f.secret("media_key"),
		MediaDigest:    f.secret("media_digest"),
		MediaCreatedAt: f.time("media_created_at"),
		StickerID:      f.str("sticker_id"),
		SharedUserID:   f.str("shared_user_id"),
		Mentions:       f.str("mentions"),
		QuoteID:        f.str("quote_id"),
		QuoteContent:   f.str("quote_content"),
		Caption:        f.str("caption"),
	}
}
