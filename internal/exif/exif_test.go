package exif_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/exif"
)

// Entries of the first directory, and the data around them.
const (
	big      = "MM\x00*\x00\x00\x00\x08"
	little   = "II*\x00\x08\x00\x00\x00"
	six      = "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
	sixLE    = "\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
	other    = "\x01\x0f\x00\x02\x00\x00\x00\x04abc\x00"
	orient6  = big + "\x00\x01" + six
	app0     = "\xff\xe0\x00\x04ab"
	pngStart = "\x89PNG\r\n\x1a\n"
	ihdr     = "\x00\x00\x00\x02IHDRxxcccc"
)

func segment(data string) string { return "\xff\xe1\x00" + string([]byte{byte(len(data) + 2)}) + data }

func jpegOf(segments ...string) string {
	return "\xff\xd8" + strings.Join(segments, "") + "\xff\xda\x00\x02"
}

func pngOf(chunks ...string) string {
	return pngStart + ihdr + strings.Join(chunks, "") + "\x00\x00\x00\x00IENDcccc"
}

func chunk(name, data string) string {
	return "\x00\x00\x00" + string([]byte{byte(len(data))}) + name + data + "cccc"
}

func webpOf(chunks ...string) string { return "RIFF\x00\x00\x00\x00WEBP" + strings.Join(chunks, "") }

func riff(name, data string) string {
	return name + string([]byte{byte(len(data))}) + "\x00\x00\x00" + data + strings.Repeat("\x00", len(data)%2)
}

func TestOf(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want exif.Orientation
	}{
		"JPEG": {jpegOf(segment("Exif\x00\x00" + orient6)), 6},
		"JPEG, behind others": {
			jpegOf(app0, segment("http://ns.adobe.com/xap/1.0/\x00x"), segment("Exif\x00\x00"+orient6)), 6,
		},
		"JPEG, filled":               {jpegOf(app0, "\xff\xff", segment("Exif\x00\x00"+orient6)), 6},
		"JPEG, little endian":        {jpegOf(segment("Exif\x00\x00" + little + "\x01\x00" + sixLE)), 6},
		"JPEG, behind other entries": {jpegOf(segment("Exif\x00\x00" + big + "\x00\x03" + other + other + six)), 6},
		"JPEG, a directory elsewhere": {
			jpegOf(segment("Exif\x00\x00" + "MM\x00*\x00\x00\x00\x0a" + "xx\x00\x01" + six)), 6,
		},
		"JPEG, a long": {
			jpegOf(segment("Exif\x00\x00" + big + "\x00\x01" + "\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00\x08")), 8,
		},
		"PNG":         {pngOf(chunk("eXIf", orient6)), 6},
		"PNG, at end": {pngOf(chunk("IDAT", "x"), chunk("eXIf", orient6)), 6},
		"WebP":        {webpOf(riff("VP8X", "0123456789"), riff("VP8L", "odd"), riff("EXIF", orient6)), 6},
		"WebP, as in a JPEG": {
			webpOf(riff("VP8L", "odd"), riff("EXIF", "Exif\x00\x00"+orient6)), 6,
		},

		"nothing":                  {"", 1},
		"text":                     {"hello", 1},
		"GIF":                      {"GIF89a" + orient6, 1},
		"no Exif data":             {jpegOf(app0), 1},
		"behind the scan":          {"\xff\xd8\xff\xda\x00\x02" + segment("Exif\x00\x00"+orient6), 1},
		"in another segment":       {jpegOf("\xff\xe2" + segment("Exif\x00\x00" + orient6)[2:]), 1},
		"a segment of no length":   {jpegOf("\xff\xe0\x00\x00", segment("Exif\x00\x00"+orient6)), 1},
		"a segment that is cut":    {"\xff\xd8\xff\xe1\xff\xffExif\x00\x00" + orient6, 1},
		"an entry that is cut":     {jpegOf(segment("Exif\x00\x00" + orient6[:len(orient6)-1])), 1},
		"a directory past the end": {jpegOf(segment("Exif\x00\x00MM\x00*\xff\xff\xff\xff\x00\x01" + six)), 1},
		"a directory at the end":   {jpegOf(segment("Exif\x00\x00MM\x00*\x00\x00\x00\x09\x00")), 1},
		"no entries":               {jpegOf(segment("Exif\x00\x00" + big + "\x00\x00" + six)), 1},
		"no byte order":            {jpegOf(segment("Exif\x00\x00" + "MI" + orient6[2:])), 1},
		"0":                        {jpegOf(segment("Exif\x00\x00" + big + "\x00\x01" + six[:9] + "\x00\x00\x00")), 1},
		"9":                        {jpegOf(segment("Exif\x00\x00" + big + "\x00\x01" + six[:9] + "\x09\x00\x00")), 1},
		"262": {
			jpegOf(segment("Exif\x00\x00" + big + "\x00\x01" + six[:8] + "\x01\x06\x00\x00")), 1,
		},
		"of another type":       {jpegOf(segment("Exif\x00\x00" + big + "\x00\x01" + "\x01\x12\x00\x02" + six[4:])), 1},
		"a PNG chunk too long":  {pngStart + "\xff\xff\xff\xffeXIf" + orient6, 1},
		"a WebP chunk too long": {"RIFF\x00\x00\x00\x00WEBPEXIF\xff\xff\xff\xff" + orient6, 1},
		"a WebP without a pad":  {"RIFF\x00\x00\x00\x00WEBPVP8L\x01\x00\x00\x00x", 1},
	} {
		assert.Equal(t, tt.want, exif.Of([]byte(tt.file)), name)
	}
}

// Of accepts any bytes, in time linear in their number, and does not allocate.
func FuzzOf(f *testing.F) {
	for _, file := range []string{
		jpegOf(segment("Exif\x00\x00" + orient6)), pngOf(chunk("eXIf", orient6)), webpOf(riff("EXIF", orient6)),
		"\xff\xd8\xff\xff\xff\xff", "RIFF\x00\x00\x00\x00WEBP\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		o := exif.Of(file)
		if o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		const w, h = 3, 2
		seen := map[[2]int]bool{}
		width, height := w, h
		if o.Turned() {
			width, height = h, w
		}
		for y := range height {
			for x := range width {
				sx, sy := o.At(x, y, w, h)
				if sx < 0 || sy < 0 || sx >= w || sy >= h {
					t.Fatalf("orientation %d: %d, %d", o, sx, sy)
				}
				seen[[2]int{sx, sy}] = true
			}
		}
		if len(seen) != w*h {
			t.Errorf("orientation %d: %d pixels", o, len(seen))
		}
	})
}

func TestOfAllocatesNothing(t *testing.T) {
	file := []byte(jpegOf(segment("Exif\x00\x00" + big + "\xff\xff" + strings.Repeat(other, 18))))
	assert.Zero(t, testing.AllocsPerRun(10, func() { exif.Of(file) }))
}
