package blaze

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/mixin-blaze/blaze/internal/exif"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// Bounds of a picture.
const (
	maxPicture = 64 << 20 // bytes of its file
	// maxPixels is for decoding it: a progressive JPEG takes 20 bytes a pixel.
	maxPixels = 16 << 20
	// maxSide is for making it small, which takes memory by the height, too.
	maxSide   = 16 << 10
	thumbSide = 48 // pixels of a thumbnail's longer side
)

// format reads one kind of picture.
type format struct {
	header func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formats are the pictures that Messenger shows, by MIME type.
var formats = map[string]format{
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode}, // the first of its pictures
	"image/webp": {webp.DecodeConfig, webp.Decode},
}

// UploadImage stores a picture, PNG, JPEG, GIF or WebP, and returns a message that shows it: MIME type and size are
// those of the file, and the thumbnail is a JPEG of at most 48 by 48 pixels. Width, height and thumbnail are those of
// the picture as it is seen: turned and mirrored as the orientation in its Exif data says. The file itself stays as it
// is. Unlike Upload it has the file in memory, at most 64 MiB, and its pixels, at most 16 million: a file that claims
// more of them, or a side of more than 16,384, is refused by its header, before any is decoded. What is no such picture
// is an [InvalidError]; other errors are those of Upload.
func (c *Client) UploadImage(ctx context.Context, r io.Reader) (Image, error) {
	return uploadImage(ctx, r, c.Upload)
}

// UploadEncryptedImage is UploadImage of a picture that is encrypted while it is sent, for an encrypted message: such
// as the reply to one. The thumbnail goes out within the message.
func (c *Client) UploadEncryptedImage(ctx context.Context, r io.Reader) (Image, error) {
	//mutant:encrypted-image
	return uploadImage(ctx, r, c.UploadEncrypted)
}

// uploadImage reads a picture and has upload store its file.
func uploadImage(
	ctx context.Context, r io.Reader, upload func(context.Context, io.Reader, int64) (Attachment, error),
) (Image, error) {
	r, stop := rest.Source(ctx, r)
	defer stop()
	file, err := io.ReadAll(io.LimitReader(r, maxPicture+1))
	if err != nil {
		return Image{}, fmt.Errorf("blaze: cannot read the picture to be uploaded: %w", err)
	}
	if len(file) > maxPicture {
		return Image{}, invalid("picture", "its file has more than %d bytes", maxPicture)
	}
	out, err := readPicture(file)
	if err != nil {
		return Image{}, err
	}
	mimeType := out.MimeType
	if out.Attachment, err = upload(ctx, bytes.NewReader(file), int64(len(file))); err != nil {
		return Image{}, err
	}
	out.MimeType = mimeType
	return out, nil
}

// errOverflow is how image/png refuses a size that does not fit an int of 32 bits.
var errOverflow error = png.UnsupportedError("dimension overflow")

// readPicture fills in what the file itself says.
func readPicture(file []byte) (Image, error) {
	out := Image{Attachment: Attachment{MimeType: http.DetectContentType(file)}}
	f, known := formats[out.MimeType]
	if !known {
		return Image{}, invalid("picture", "looks like %s, and must be PNG, JPEG, GIF or WebP", out.MimeType)
	}
	head, err := f.header(bytes.NewReader(file))
	if err == errOverflow { //nolint:errorlint // a value of image/png
		return Image{}, invalid("picture", "has more pixels than this machine can count: too large")
	}
	if err != nil {
		return Image{}, invalid("picture", "its header is damaged: %v", err)
	}
	if w, h := head.Width, head.Height; w <= 0 || h <= 0 || w > maxSide || h > maxSide || w*h > maxPixels {
		return Image{}, invalid("picture", "of %d by %d pixels: too large; make it smaller, or send it as Data", w, h)
	}
	picture, err := f.decode(bytes.NewReader(file))
	if err != nil {
		return Image{}, invalid("picture", "it is damaged: %v", err)
	}
	turn := exif.Of(file)
	out.Width, out.Height = head.Width, head.Height
	//mutant:image-turned
	if turn.Turned() {
		out.Width, out.Height = out.Height, out.Width
	}
	out.Thumbnail, err = thumbnail(picture, turn)
	return out, err
}

// thumbnail returns a small JPEG in base64. What is transparent becomes white.
func thumbnail(picture image.Image, turn exif.Orientation) (string, error) {
	b := picture.Bounds()
	w, h := fit(b.Dx(), b.Dy())
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	draw.BiLinear.Scale(small, small.Bounds(), picture, b, draw.Over, nil)
	var text bytes.Buffer
	if err := jpeg.Encode(&text, upright(small, turn), nil); err != nil {
		return "", fmt.Errorf("blaze: cannot make a thumbnail: %w", err)
	}
	return base64.StdEncoding.EncodeToString(text.Bytes()), nil
}

// upright returns a picture as it is seen.
func upright(stored *image.RGBA, turn exif.Orientation) image.Image {
	if turn == exif.Upright {
		return stored
	}
	w, h := stored.Rect.Dx(), stored.Rect.Dy()
	size := image.Pt(w, h)
	if turn.Turned() {
		size.X, size.Y = h, w
	}
	seen := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			seen.SetRGBA(x, y, stored.RGBAAt(turn.At(x, y, w, h)))
		}
	}
	return seen
}

// fit makes the longer side that of a thumbnail, if it is longer.
func fit(w, h int) (int, int) {
	longer := max(w, h)
	if longer <= thumbSide {
		return w, h
	}
	return max(w*thumbSide/longer, 1), max(h*thumbSide/longer, 1)
}
