package blaze

import (
	"context"
	"io"
)

// Reupload stores an encrypted file once more as a plain one, for a message in plain text: a [Message.NewForward] of an
// encrypted picture, for example. Whoever can read that message can read the file. ID and Size of the result are the
// new file's, MimeType is a's where it is set, Shareable is a's, and Key and Digest are nil. An Attachment without a
// Key is a plain file already: it is returned as it is, and nothing is requested.
//
// It streams: the memory it takes does not depend on the size. Where a.Size is not above 0, the file is downloaded
// twice, first to count its bytes. Its errors are those of Download and Upload. A file that does not fit Size, Key or
// Digest is [ErrDamaged], and nothing is stored then. It works before, during and without Run, and may be called again
// after each error.
func (c *Client) Reupload(ctx context.Context, a Attachment) (Attachment, error) {
	if len(a.Key) == 0 && len(a.Digest) == 0 {
		return a, nil
	}
	if a.Size <= 0 || a.Size > maxUpload { // not said, or wrong; an empty file has 0
		size, err := c.measure(ctx, a)
		if err != nil {
			return Attachment{}, err
		}
		a.Size = size
	}
	file, err := c.Download(ctx, a)
	if err != nil {
		return Attachment{}, err
	}
	defer func() { _ = file.Close() }() // only read
	// The digest is known to fit once the whole file was read. Until then Upload holds the last byte back.
	plain, err := c.Upload(ctx, file, a.Size)
	if err != nil {
		return Attachment{}, err
	}
	if a.MimeType != "" {
		plain.MimeType = a.MimeType
	}
	plain.Shareable = a.Shareable
	return plain, nil
}

// measure returns how many bytes an encrypted file has once it is decrypted.
func (c *Client) measure(ctx context.Context, a Attachment) (size int64, err error) {
	file, err := c.Download(ctx, a)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // only read
	return io.Copy(io.Discard, file)
}
