package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mixin-blaze/blaze"
)

// decoding is the bound of memory for a picture: 64 MiB of pixels and coefficients, and the rest of an upload.
const decoding = 80 * mib

// noPicture returns the outcome of a rejected picture.
func noPicture(reason string) outcome {
	return outcome{
		text: "the error is InvalidError with the reason: " + reason + "; nothing is uploaded",
		check: func(r *run) {
			if !errors.Is(r.err, blaze.ErrInvalid) || !strings.Contains(r.err.Error(), reason) {
				r.t.Errorf("the error is %v", short(r.err))
			}
			if n := len(r.called("/attachments")); n > 0 {
				r.t.Errorf("%d uploads", n)
			}
		},
	}
}

// Outcomes of other pictures.
var (
	noThumbnail = outcome{text: "the picture is uploaded, without decoding or thumbnail", check: func(r *run) {
		uploads(r, 1)
		if r.number > 0 {
			r.t.Errorf("the picture has a thumbnail")
		}
	}}
	uploaded = outcome{text: "the picture is uploaded, with a thumbnail", check: func(r *run) {
		uploads(r, 1)
		if r.number == 0 {
			r.t.Errorf("the picture has no thumbnail")
		}
	}}
)

// uploads checks that no call failed, and the number of uploads.
func uploads(r *run, want int) {
	r.t.Helper()
	if r.err != nil {
		r.t.Errorf("the error is %v", short(r.err))
	}
	if n := len(r.called("/attachments")); n != want {
		r.t.Errorf("%d uploads", n)
	}
}

// shows returns the attack of a user who makes the bot upload a picture.
func shows(name string, o outcome, picture func() []byte) attack {
	return attack{
		name: name, outcome: o, bytes: picture, heap: decoding, work: 256 * mib,
		does: func(r *run) {
			image, err := r.c.UploadImage(r.ctx, bytes.NewReader(r.bytes))
			r.fails(err)
			r.number = len(image.Thumbnail)
		},
	}
}

func pictureAttacks() []attack {
	all := []attack{
		shows("a PNG of 65,535 by 65,535 pixels", noPicture("too large"), func() []byte {
			return pngOf(65535, 65535, 8, 6, zlibZeros(1))
		}),
		shows("a PNG of 2^31 pixels a side", noPicture("too large"), func() []byte {
			return pngOf(1<<31-1, 1<<31-1, 8, 6, zlibZeros(1))
		}),
		shows("a PNG with width 0", noPicture("its header is damaged"), func() []byte {
			return pngOf(0, 10, 8, 6, zlibZeros(1))
		}),
		shows("a PNG of 16,384 by 1,024 pixels of 8 bytes", noThumbnail, func() []byte {
			return pngOf(16384, 1024, 16, 6, zlibZeros(129))
		}),
		shows("a PNG of 4,096 by 4,096 pixels, interlaced", noThumbnail, func() []byte {
			b := pngOf(4096, 4096, 8, 0, zlibZeros(17))
			b[28] = 1 // interlaced
			return fixPNG(b)
		}),
		shows("a PNG of one pixel and a gigabyte of data", noPicture("too much pixel data"), func() []byte {
			return pngOf(1, 1, 8, 0, zlibZeros(1000))
		}),
		shows("a PNG with a text of a gigabyte", uploaded, func() []byte {
			return pngWith(pngOf(1, 1, 8, 0, zlibBytes(make([]byte, 2))),
				chunk("zTXt", append([]byte("x\x00\x00"), zlibZeros(1000)...)))
		}),
		shows("a PNG with a profile of a gigabyte", uploaded, func() []byte {
			return pngWith(pngOf(1, 1, 8, 0, zlibBytes(make([]byte, 2))),
				chunk("iCCP", append([]byte("x\x00\x00"), zlibZeros(1000)...)))
		}),
		shows("a PNG of a million chunks", noThumbnail, func() []byte {
			return pngWith(pngOf(1, 1, 8, 0, zlibBytes(make([]byte, 2))), bytes.Repeat(chunk("teXt", nil), 1_000_000))
		}).slowly(),
		shows("a truncated PNG", noPicture("it is damaged"), func() []byte {
			b := pngOf(500, 500, 8, 6, zlibZeros(1))
			return b[:len(b)/2]
		}),
		shows("a PNG chunk that claims 2 GB", noPicture("it is damaged"), func() []byte {
			return append(pngOf(9, 9, 8, 6, nil)[:33], 0x7f, 0xff, 0xff, 0xff, 'I', 'D', 'A', 'T')
		}),
		shows("a GIF of 65,535 by 65,535 pixels", noPicture("too large"), func() []byte {
			return gifOf(65535, 65535, 1, 1, 1)
		}),
		shows("a GIF with a too large frame", noPicture("frame bounds larger than image bounds"), func() []byte {
			b := gifOf(1, 1, 1, 1, 1)
			copy(b[24:], "\xff\xff\xff\xff") // width and height of its frame
			return b
		}),
		shows("a GIF of 200,000 frames", uploaded, func() []byte { return gifOf(10, 10, 10, 10, 200_000) }),
		shows("a GIF of 4,096 by 4,096 pixels in few bytes", uploaded, func() []byte {
			return gifOf(4096, 4096, 4096, 4096, 1)
		}),
		shows("a progressive JPEG with 500 scans", noThumbnail, func() []byte { return jpegOf(4096, 2048, 500) }),
		shows("a progressive JPEG with 5,000 small scans", noThumbnail, func() []byte { return jpegOf(64, 64, 5000) }),
		shows("a progressive JPEG of 16 million pixels", noThumbnail, func() []byte { return jpegOf(4096, 4096, 3) }),
		shows("a progressive JPEG of 65,535 by 65,535 pixels", noPicture("too large"), func() []byte {
			return jpegHead(65535, 65535)
		}),
		shows("a JPEG of a header alone", noPicture("it is damaged"), func() []byte { return jpegHead(4096, 2048) }),
		shows("a JPEG with a million comments", uploaded, func() []byte {
			b := jpegOf(64, 64, 2)
			return append(append(bytes.Clone(b[:2]), bytes.Repeat([]byte{0xff, 0xfe, 0, 2}, 1_000_000)...), b[2:]...)
		}),
		shows("a JPEG with a million fill bytes", uploaded, func() []byte {
			b := jpegOf(64, 64, 2)
			return append(append(bytes.Clone(b[:2]), bytes.Repeat([]byte{0xff}, 1_000_000)...), b[2:]...)
		}),
		shows("a WebP that claims 16,384 by 16,384 pixels", noPicture("too large"), func() []byte {
			return webpOf(16384, 16384)
		}),
		shows("a WebP of 16,383 by 1,000 pixels in few bytes", noThumbnail, func() []byte {
			return webpOf(16383, 1000)
		}),
		shows("a WebP chunk that claims 4 GB", noPicture("its header is damaged"), func() []byte {
			return append([]byte("RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff"), make([]byte, 100)...)
		}),
		shows("an HTML page", noPicture("looks like text/html"),
			text2bytes("<html><img src=x></html>")),
		shows("an SVG of a billion laughs", noPicture("looks like text/plain"),
			text2bytes(`<!DOCTYPE l [<!ENTITY a "ha">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>`)),
		shows("a TIFF", noPicture("looks like application/octet-stream"), text2bytes("II*\x00\x08\x00\x00\x00")),
		{
			name: "a picture of 65 MiB", slow: true, heap: 200 * mib, work: 512 * mib,
			outcome: noPicture("its file has more than"),
			bytes: func() []byte {
				return jpegOf(64, 64, 2)
			},
			does: func(r *run) {
				_, err := r.c.UploadImage(r.ctx,
					io.MultiReader(bytes.NewReader(r.bytes), io.LimitReader(zeros{}, 65*mib)))
				r.fails(err)
			},
		},
		{
			name:    "a picture from a blocked reader",
			outcome: failsWith("the error is the context's", context.DeadlineExceeded),
			does: func(r *run) {
				ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
				defer cancel()
				in, out := io.Pipe()
				_, err := r.c.UploadImage(ctx, in)
				r.fails(err)
				_ = out.Close()
			},
		},
		{
			name: "eight pictures at once", slow: true, heap: 2 * decoding, work: 800 * mib,
			outcome: outcome{text: "all are uploaded, with thumbnails", check: func(r *run) {
				uploads(r, 8)
				if r.number != 8 {
					r.t.Errorf("%d thumbnails", r.number)
				}
			}},
			bytes: func() []byte { return jpegOf(4096, 2048, 50) },
			does: func(r *run) {
				var (
					wg         sync.WaitGroup
					thumbnails atomic.Int64
				)
				for range 8 {
					wg.Go(func() {
						image, err := r.c.UploadImage(r.ctx, bytes.NewReader(r.bytes))
						r.saw(err)
						if err == nil && image.Thumbnail != "" {
							thumbnails.Add(1)
						}
					})
				}
				wg.Wait()
				r.number = int(thumbnails.Load())
			},
		},
		{
			name:    "a picture of many scans, and a canceled context",
			outcome: failsWith("the error is the context's", context.Canceled),
			heap:    decoding, work: 256 * mib, bytes: func() []byte { return jpegOf(4096, 2048, 90) },
			does: func(r *run) {
				ctx, cancel := context.WithCancel(r.ctx)
				src := &ending{Reader: bytes.NewReader(r.bytes), end: cancel}
				_, err := r.c.UploadImage(ctx, src)
				r.fails(err)
			},
		},
	}
	return append(all, exifAttacks()...)
}

// exifAttacks are JPEGs with invalid Exif data. The picture is uploaded without rotation.
func exifAttacks() (all []attack) {
	entry := func(tag, kind uint16, count, value uint32) []byte {
		b := binary.BigEndian.AppendUint16(nil, tag)
		b = binary.BigEndian.AppendUint16(b, kind)
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, count), value)
	}
	directory := func(next uint32, entries ...[]byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(len(entries)))
		return binary.BigEndian.AppendUint32(append(b, bytes.Join(entries, nil)...), next)
	}
	const orientation, exif, short16, long32 = 0x0112, 0x8769, 3, 4
	tiff := func(offset uint32, rest []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte("MM\x00*"), offset), rest...)
	}
	for _, v := range []struct {
		name string
		tiff []byte
	}{
		{"Exif with a directory that follows itself", tiff(8, directory(8, entry(exif, long32, 1, 8)))},
		{"Exif with a directory outside its data", tiff(0xfffffff0, nil)},
		{"Exif with a directory at its header", tiff(0, nil)},
		{"Exif with 65,535 missing entries", tiff(8, []byte{0xff, 0xff})},
		{"Exif with an orientation of 4 GB", tiff(8, directory(0, entry(orientation, short16, 0xffffffff, 8)))},
		{"Exif with an orientation out of range", tiff(8, directory(0, entry(orientation, short16, 1, 0xffff0000)))},
		{"Exif of an unknown byte order", []byte("XX\x00*\x00\x00\x00\x08")},
		{"empty Exif", nil},
	} {
		segment := append([]byte("Exif\x00\x00"), v.tiff...)
		head := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(segment)+2))
		b := jpegOf(64, 64, 2)
		picture := append(append(append(bytes.Clone(b[:2]), head...), segment...), b[2:]...)
		all = append(all, shows(v.name, uploaded, of(picture)))
		if v.name == "Exif with a directory that follows itself" {
			many := append(append(bytes.Clone(b[:2]), bytes.Repeat(append(head, segment...), 20_000)...), b[2:]...)
			all = append(all, shows("20,000 segments of Exif", uploaded, of(many)))
		}
	}
	return all
}

func text2bytes(s string) func() []byte {
	return func() []byte { return []byte(s + strings.Repeat(" ", 600)) }
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// ending is a reader that calls end at the end of its data.
type ending struct {
	io.Reader
	end func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		e.end()
	}
	return n, err
}
