package blaze

import "fmt"

// Sticker is a sticker of Messenger. It is identified by StickerID, which today's apps write and require, or by Name
// and AlbumID, as in the service's list of websocket messages.
type Sticker struct {
	StickerID string // a UUID; may be empty if Name and AlbumID are set
	AlbumID   string // a UUID; may be empty if StickerID is set
	Name      string // within the album; may be empty if StickerID is set
}

// Category returns [CategoryPlainSticker].
func (Sticker) Category() Category { return CategoryPlainSticker }

func (s Sticker) data() ([]byte, error) {
	var v validation
	v.check(s.named(), "Sticker.StickerID", "missing: set it, or Name and AlbumID")
	return v.marshal(struct {
		Name      string `json:"name,omitempty"`
		AlbumID   string `json:"album_id,omitempty"`
		StickerID string `json:"sticker_id,omitempty"`
	}{s.Name, v.optionalID("Sticker.AlbumID", s.AlbumID), v.optionalID("Sticker.StickerID", s.StickerID)})
}

func (s Sticker) named() bool { return s.StickerID != "" || s.Name != "" && s.AlbumID != "" }

func readSticker(f *fields) Sticker {
	s := Sticker{StickerID: f.str("sticker_id"), AlbumID: f.str("album_id"), Name: f.str("name")}
	if !s.named() {
		f.fail("sticker_id", "missing, and so is name or album_id")
	}
	return s
}

// Contact shares the profile of a user or bot.
type Contact struct {
	UserID string // a UUID
}

// Category returns [CategoryPlainContact].
func (Contact) Category() Category { return CategoryPlainContact }

func (c Contact) data() ([]byte, error) {
	var v validation
	return v.marshal(struct {
		UserID string `json:"user_id"`
	}{v.id("Contact.UserID", c.UserID)})
}

func readContact(f *fields) Contact { return Contact{UserID: f.need("user_id")} }

// Live is a live stream.
type Live struct {
	Width, Height int // in pixels, above 0
	// of a picture shown before the stream plays; may be empty, and is always written because apps expect it
	ThumbURL string
	URL      string // of the stream, for example an .m3u8
}

// Category returns [CategoryPlainLive].
func (Live) Category() Category { return CategoryPlainLive }

func (l Live) data() ([]byte, error) {
	var v validation
	v.dimensions("Live", l.Width, l.Height)
	v.check(l.URL != "", "Live.URL", "missing")
	v.url("Live.URL", l.URL)
	v.url("Live.ThumbURL", l.ThumbURL)
	return v.marshal(struct {
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		ThumbURL string `json:"thumb_url"`
		URL      string `json:"url"`
	}{l.Width, l.Height, l.ThumbURL, l.URL})
}

func readLive(f *fields) Live {
	return Live{Width: f.int("width"), Height: f.int("height"), ThumbURL: f.str("thumb_url"), URL: f.need("url")}
}

// Location is a place on the map. The zero value is a valid place on the equator; Messenger's Android app does not show
// it.
type Location struct {
	Longitude float64 // in degrees, -180 to 180, east positive
	Latitude  float64 // in degrees, -90 to 90, north positive
	Name      string  // may be empty
	Address   string  // may be empty
}

// Category returns [CategoryPlainLocation].
func (Location) Category() Category { return CategoryPlainLocation }

func (l Location) data() ([]byte, error) {
	var v validation
	// Comparisons with NaN are false, so these checks reject NaN.
	v.check(l.Longitude >= -180 && l.Longitude <= 180, "Location.Longitude", "must be within -180 and 180")
	v.check(l.Latitude >= -90 && l.Latitude <= 90, "Location.Latitude", "must be within -90 and 90")
	return v.marshal(struct {
		Longitude float64 `json:"longitude"`
		Latitude  float64 `json:"latitude"`
		Name      string  `json:"name,omitempty"`
		Address   string  `json:"address,omitempty"`
	}{l.Longitude, l.Latitude, l.Name, l.Address})
}

func readLocation(f *fields) Location {
	longitude, east := f.number("longitude")
	latitude, north := f.number("latitude")
	if !east && !north { // some clients omit a coordinate of 0
		f.fail("longitude", "missing, and so is latitude")
	}
	return Location{Longitude: longitude, Latitude: latitude, Name: f.str("name"), Address: f.str("address")}
}

// Recall deletes a message that the sender of the Recall sent earlier. A Recall has a message id of its own.
type Recall struct {
	MessageID string // the message to delete, a UUID
}

// Category returns [CategoryMessageRecall].
func (Recall) Category() Category { return CategoryMessageRecall }

func (r Recall) data() ([]byte, error) {
	var v validation
	return v.marshal(struct {
		MessageID string `json:"message_id"`
	}{v.id("Recall.MessageID", r.MessageID)})
}

func readRecall(f *fields) Recall { return Recall{MessageID: f.need("message_id")} }

// Pin pins messages to the top of a conversation, or unpins them.
type Pin struct {
	Action     string   // "PIN" or "UNPIN"
	MessageIDs []string // UUIDs, at least one
}

// Category returns [CategoryMessagePin].
func (Pin) Category() Category { return CategoryMessagePin }

func (p Pin) data() ([]byte, error) {
	var v validation
	v.check(p.Action == "PIN" || p.Action == "UNPIN", "Pin.Action", "must be PIN or UNPIN")
	v.check(len(p.MessageIDs) > 0, "Pin.MessageIDs", "must not be empty")
	ids := make([]string, 0, len(p.MessageIDs))
	for i, id := range p.MessageIDs {
		ids = append(ids, v.id(indexed("Pin.MessageIDs", i), id))
	}
	return v.marshal(struct {
		Action     string   `json:"action"`
		MessageIDs []string `json:"message_ids"`
	}{p.Action, ids})
}

func readPin(f *fields) Pin {
	p := Pin{Action: f.need("action"), MessageIDs: f.strs("message_ids", maxPinned)}
	if len(p.MessageIDs) == 0 {
		f.fail("message_ids", "missing")
	}
	return p
}

// Text is a plain text message in UTF-8. An @ followed by an identity number mentions a user. Incoming texts are kept
// byte for byte. It must not be empty to be sent.
type Text string

// Textf formats a Text like [fmt.Sprintf].
func Textf(format string, args ...any) Text { return Text(fmt.Sprintf(format, args...)) }

// Category returns [CategoryPlainText].
func (Text) Category() Category { return CategoryPlainText }

func (t Text) data() ([]byte, error) {
	return textData("Text", string(t))
}

// Post is an article in Markdown, UTF-8. It must not be empty to be sent.
type Post string

// Category returns [CategoryPlainPost].
func (Post) Category() Category { return CategoryPlainPost }

func (p Post) data() ([]byte, error) {
	return textData("Post", string(p))
}

func textData(kind, s string) ([]byte, error) {
	var v validation
	v.check(s != "", kind, "must not be empty")
	v.text(kind, s)
	if v.err != nil {
		return nil, v.err
	}
	return []byte(s), nil
}

// Raw is a message that was not decoded: its category has no payload type, its data does not match the category, or it
// cannot be decrypted. A Raw that is sent goes out unchanged and unchecked, as category As. Err is not sent.
type Raw struct {
	As   Category // required to send
	Data []byte   // decoded from base64
	Err  error    // why it was not decoded; nil if the category is unknown. It never quotes Data
}

// Category returns As.
func (r Raw) Category() Category { return r.As }

func (r Raw) data() ([]byte, error) {
	if r.As == "" {
		return nil, invalid("Raw.As", "missing")
	}
	return r.Data, nil
}
