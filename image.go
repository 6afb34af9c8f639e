package blaze

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/mixin-blaze/blaze/internal/picture"
	"github.com/mixin-blaze/blaze/internal/rest"
)

const maxPicture = 64 << 20 // bytes of a picture's file

// UploadImage stores a picture, PNG, JPEG, GIF or WebP, and returns a message that shows it: MIME type and size are
// those of the file, and the thumbnail is a JPEG of at most 48 by 48 pixels. Width, height and thumbnail are those of
// the picture as it is seen: turned and mirrored as the orientation in its Exif data says. The file itself stays as it
// is.
//
// Unlike Upload it has the file in memory, at most 64 MiB, and its pixels, at most 16 million: a file that claims more
// of them, or a side of more than 16,384, is refused by its header, before any is decoded. A picture has no thumbnail
// if decoding it would take more than 64 MiB of memory by an estimate from its header, or if it is a JPEG of more than
// 100 scans; it is stored without a look at its pixels. A JPEG with all of its pixels fits, a progressive one of 8
// million with colours of half the size does, and so does a PNG of 15 million. At most two pictures are decoded at the
// same time, in the whole process: others wait.
//
// The end of ctx ends reading, waiting, and decoding between two pieces of the file; scaling is finished first. What is
// no such picture is an [InvalidError]; other errors are those of Upload. It is safe for concurrent use.
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
	seen, err := picture.Read(ctx, file)
	var bad *picture.Error
	if errors.As(err, &bad) {
		return Image{}, invalid("picture", "%s", bad.Reason)
	}
	if err != nil {
		return Image{}, fmt.Errorf("blaze: the picture was not uploaded: %w", err)
	}
	out := Image{
		Width: seen.Width, Height: seen.Height, Thumbnail: base64.StdEncoding.EncodeToString(seen.Thumbnail),
	}
	if out.Attachment, err = upload(ctx, bytes.NewReader(file), int64(len(file))); err != nil {
		return Image{}, err
	}
	out.MimeType = seen.MIMEType
	return out, nil
}
