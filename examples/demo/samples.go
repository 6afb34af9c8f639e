package main

import (
	"time"

	"github.com/mixin-blaze/blaze"
)

// id is used for attachments, albums and users. The in-memory server does not look it up.
const id = "d9c1e4a0-6c0e-4b6e-9b53-8f0f5c1a7e21"

// samples returns one payload of each category that a user can send.
func samples() []blaze.Payload {
	file := blaze.Attachment{ID: id, MimeType: "application/pdf", Size: 1024}
	picture := blaze.Attachment{ID: id, MimeType: "image/png", Size: 1024}
	sound := blaze.Attachment{ID: id, MimeType: "audio/ogg", Size: 1024}
	film := blaze.Attachment{ID: id, MimeType: "video/mp4", Size: 1024}
	return []blaze.Payload{
		blaze.Text("hello"),
		blaze.Post("# Hello\n\nthis is *Markdown*"),
		blaze.Image{Attachment: picture, Width: 1024, Height: 768},
		blaze.Data{Attachment: file, Name: "paper.pdf"},
		blaze.Sticker{Name: "hello", AlbumID: id},
		blaze.Contact{UserID: id},
		blaze.ButtonGroup{{Label: "Mixin Website", Color: "#ABABAB", Action: "https://mixin.one"}},
		blaze.Card{
			IconURL: "https://mixin.one/assets/98b586edb270556d1972112bd7985e9e.png", Title: "Mixin",
			Description: "A network for digital assets", Action: "https://mixin.one",
		},
		blaze.Audio{
			Attachment: sound, Duration: 2 * time.Second, Waveform: blaze.Waveform([]int16{0, 1200, -2400, 3600}),
		},
		blaze.Video{Attachment: film, Width: 640, Height: 360, Duration: 3 * time.Second},
		blaze.Live{Width: 650, Height: 366, ThumbURL: "https://mixin.one/logo.png", URL: "https://mixin.one/live.m3u8"},
		blaze.Location{
			Longitude: 126.5893955829421, Latitude: 53.47845177824066, Name: "China", Address: "中国北京市",
		},
	}
}
