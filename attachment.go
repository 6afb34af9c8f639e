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

// sniffed is how much of a file tells its type. Source: the WHATWG's MIME sniffing, which net/http follows.
const sniffed = 512

// Upload stores a file of exactly size bytes for use in a message: as Attachment of an [Image], [Data], [Audio] or
// [Video]. It streams: the memory it takes does not depend on size. MimeType is detected from the first 512 bytes:
// audio/ogg for Opus and other sound in Ogg; set what you know better.
//
// It works before, during and without Run. A reader with more or fewer bytes is an [InvalidError], and nothing is
// stored then. An *[Error] is a refusal, of the service or of its storage (403: the address for the upload has
// expired); a file cannot be written twice from one reader, so after any error call Upload again with a new one.
// Anything else is [ErrNoAnswer], the error of r, or that of ctx. Only ctx limits the time; the body of the storage's
// answer is not waited for. A storage at an address that is not public is [ErrNoAnswer], see
// Config.AllowPrivateStorage. After Upload has returned, r is left alone, but for a Read that blocked when ctx ended.
//
// Source: POST /attachments of the service's HTTP API.
func (c *Client) Upload(ctx context.Context, r io.Reader, size int64) (Attachment, error) {
	return c.upload(ctx, r, size, func(file io.Reader) (Attachment, error) {
		id, err := c.store(ctx, file, size)
		return Attachment{ID: id}, err
	})
}

// UploadEncrypted is Upload of a file that is encrypted while it is sent. Key and Digest of the Attachment open it;
// they belong in encrypted messages only. Size is that of the file before it was encrypted.
func (c *Client) UploadEncrypted(ctx context.Context, r io.Reader, size int64) (Attachment, error) {
	return c.upload(ctx, r, size, func(file io.Reader) (Attachment, error) {
		e, err := seal.NewEncrypter(rest.Exactly(file, size)) // whose size says less: it is rounded up to blocks
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

// upload checks and sniffs a file, has store store it, and adds what is known.
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
	if size < 0 || size > mostBytes {
		return invalid("size", "must be the number of bytes in the reader, and not %d", size)
	}
	return nil
}

// sniff tells the type of a file, and returns a Reader of all of it.
func sniff(r io.Reader) (all io.Reader, mimeType string, err error) {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "", fmt.Errorf("blaze: cannot read the file to be uploaded: %w", err)
	}
	return io.MultiReader(bytes.NewReader(head[:n]), r), typeOf(head[:n]), nil
}

// typeOf returns the MIME type that the beginning of a file looks like. Of Ogg files it looks at the first packet:
// those that begin with sound are "audio/ogg", which Messenger plays. Source: RFC 3533, section 6; RFC 5334, section 4.
func typeOf(head []byte) string {
	const segments = 26 // of the number of bytes between the head of the page and its data
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

// fileError makes a Client's error of one of the storage.
func fileError(err error) error {
	if errors.As(err, new(*address.Error)) {
		return fmt.Errorf("%w: set Config.AllowPrivateStorage if it is meant", httpError(err))
	}
	return httpError(err)
}
