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

// UploadImage uploads a PNG, JPEG, GIF or WebP picture and returns an [Image] for a message. MIME type and size are
// those of the file. Width, Height and the thumbnail, a JPEG of at most 48 by 48 pixels, follow the Exif orientation.
// The file itself is not changed.
//
// Unlike Upload, it holds the file in memory. Limits:
//
//   - The file has at most 64 MiB, 16,777,216 pixels and 16,384 pixels a side. The header is checked before decoding.
//   - There is no thumbnail if decoding would need more than 64 MiB of memory, by an estimate from the header, or for
//     a JPEG with more than 100 scans. Such a file is uploaded without being decoded. A baseline JPEG of 16 million
//     pixels fits, a progressive one of 8 million with subsampled colours, and a PNG of 15 million.
//   - At most two pictures in the process are decoded at the same time. Others wait.
//
// The end of ctx ends reading, waiting and decoding. Scaling that has begun is completed. A file that is not such a
// picture or exceeds the first limit is an [InvalidError]; other errors are those of Upload. UploadImage is safe for
// concurrent use.
func (c *Client) UploadImage(ctx context.Context, r io.Reader) (Image, error) {
	return uploadImage(ctx, r, c.Upload)
}

// UploadEncryptedImage is like UploadImage, and encrypts the picture for an encrypted message, such as the reply to
// one. The thumbnail is part of the message.
func (c *Client) UploadEncryptedImage(ctx context.Context, r io.Reader) (Image, error) {
	//mutant:encrypted-image
	return uploadImage(ctx, r, c.UploadEncrypted)
}

// uploadImage reads a picture and stores its file with upload.
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
