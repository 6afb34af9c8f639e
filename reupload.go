package blaze

import "context"

// Reupload stores an encrypted file unencrypted, for an unencrypted message such as a [Message.NewForward] of an
// encrypted picture. Whoever can read that message can read the file. In the result, ID and Size describe the new file,
// MimeType is copied unless empty, Shareable is copied, and Key and Digest are nil. An Attachment without a Key is
// returned unchanged, without a request.
//
// The file is downloaded and verified like in [Client.Download], and then uploaded. Memory use does not depend on its
// size. The errors are those of Download and Upload. After [ErrDamaged] nothing was stored. Reupload needs no
// Run, works at any time, and may be called again after any error.
func (c *Client) Reupload(ctx context.Context, a Attachment) (Attachment, error) {
	if len(a.Key) == 0 && len(a.Digest) == 0 {
		return a, nil
	}
	file, err := c.verified(ctx, a)
	if err != nil {
		return Attachment{}, err
	}
	defer func() { _ = file.Close() }() // only read
	plain, err := c.Upload(ctx, file, file.size)
	if err != nil {
		return Attachment{}, err
	}
	if a.MimeType != "" {
		plain.MimeType = a.MimeType
	}
	plain.Shareable = a.Shareable
	return plain, nil
}
