package blaze

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/mixin-blaze/blaze/internal/address"
	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// sniffed is the number of bytes that determine a file's type. Source: the WHATWG's MIME sniffing, which net/http
// implements.
const sniffed = 512

// Upload stores a file of exactly size bytes for use in a message: as the Attachment of an [Image], [Data], [Audio] or
// [Video]. It streams, so memory use does not depend on size. MimeType is detected from the first 512 bytes; sound in
// Ogg, Opus included, is audio/ogg. Upload needs no Run and works at any time. Only ctx limits the duration of the
// transfer.
//
// A reader with more or fewer bytes is an [InvalidError], and nothing is stored. An *[Error] means that the service or
// its storage rejected the upload (403: the upload address has expired). Any other error is [ErrNoAnswer], the error of
// r, or the error of ctx. A storage at a private address is [ErrNoAnswer]; see Config.AllowPrivateStorage. After any
// error, call Upload again with a new reader. Upload does not use r after it has returned, except for a Read that had
// begun before. The body of the storage's response is not awaited.
//
// Source: POST /attachments of the service's HTTP API.
func (c *Client) Upload(ctx context.Context, r io.Reader, size int64) (Attachment, error) {
	return c.upload(ctx, r, size, func(file io.Reader) (Attachment, error) {
		id, err := c.store(ctx, file, size)
		return Attachment{ID: id}, err
	})
}

// UploadEncrypted is like Upload, and encrypts the file while it is sent. Key and Digest of the returned Attachment
// decrypt it and belong in encrypted messages only. Size is the size before encryption.
func (c *Client) UploadEncrypted(ctx context.Context, r io.Reader, size int64) (Attachment, error) {
	return c.upload(ctx, r, size, func(file io.Reader) (Attachment, error) {
		// The plain size is checked: files of different sizes may have the same encrypted size.
		e, err := seal.NewEncrypter(rest.Exactly(file, size))
		if err != nil {
			return Attachment{}, fmt.Errorf("blaze: cannot encrypt the file: %w", err)
		}
		id, err := c.store(ctx, e, seal.EncryptedSize(size))
		if err != nil {
			return Attachment{}, err
		}
		return Attachment{ID: id, Key: e.Key(), Digest: e.Digest()}, nil
	})
}

// upload validates and sniffs a file, stores it with store, and fills in the Attachment.
func (c *Client) upload(
	ctx context.Context, r io.Reader, size int64, store func(io.Reader) (Attachment, error),
) (Attachment, error) {
	if err := checkSize(size); err != nil {
		return Attachment{}, err
	}
	r, stop := rest.Source(ctx, r)
	defer stop()
	r, mimeType, err := sniff(r)
	if err != nil {
		return Attachment{}, err
	}
	a, err := store(r)
	if err != nil {
		return Attachment{}, err
	}
	a.MimeType, a.Size = mimeType, size
	return a, nil
}

func checkSize(size int64) error {
	if size < 0 || size > maxBytes {
		return invalid("size", "must be the number of bytes in the reader, and not %d", size)
	}
	return nil
}

// sniff detects the type of a file, and returns a Reader of the whole file.
func sniff(r io.Reader) (all io.Reader, mimeType string, err error) {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", fmt.Errorf("blaze: cannot read the file to be uploaded: %w", err)
	}
	return io.MultiReader(bytes.NewReader(head[:n]), r), typeOf(head[:n]), nil
}

// typeOf returns the MIME type for the beginning of a file. An Ogg file that begins with a packet of sound is
// "audio/ogg", which Messenger plays. Source: RFC 3533, section 6; RFC 5334, section 4.
func typeOf(head []byte) string {
	const segments = 26 // offset of the number of segments in a page header
	kind := http.DetectContentType(head)
	if kind != "application/ogg" || len(head) <= segments {
		return kind
	}
	if data := segments + 1 + int(head[segments]); data < len(head) {
		for _, codec := range []string{"OpusHead", "\x01vorbis", "Speex   ", "\x7fFLAC"} {
			if bytes.HasPrefix(head[data:], []byte(codec)) {
				return "audio/ogg"
			}
		}
	}
	return kind
}

// store uploads a file and returns its id.
func (c *Client) store(ctx context.Context, r io.Reader, size int64) (id string, err error) {
	var p place
	if err := c.rest.Do(ctx, "POST", "/attachments", nil, &p); err != nil {
		return "", httpError(err)
	}
	err = c.rest.Put(ctx, p.upload, r, size)
	if errors.Is(err, rest.ErrShort) || errors.Is(err, rest.ErrLong) {
		return "", invalid("size", "is not the number of bytes in the reader: nothing was stored")
	}
	return p.id, fileError(err)
}

// fileError converts an error of the storage.
func fileError(err error) error {
	if errors.As(err, new(*address.Error)) {
		return fmt.Errorf("%w: to allow this address, set Config.AllowPrivateStorage", httpError(err))
	}
	return httpError(err)
}
