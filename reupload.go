package blaze

import "context"

// Reupload stores an encrypted file once more as a plain one, for a message in plain text: a [Message.NewForward] of an
// encrypted picture, for example. Whoever can read that message can read the file. ID and Size of the result are the
// new file's, MimeType is a's where it is set, Shareable is a's, and Key and Digest are nil. An Attachment without a
// Key is a plain file already: it is returned as it is, and nothing is requested.
//
// The file is downloaded and verified as by [Client.Download], and only then uploaded. The memory that takes does not
// depend on the size. Its errors are those of Download and Upload. A file that does not fit Size, where that is above
// 0, Key or Digest is [ErrDamaged], and nothing is stored then. It works before, during and without Run, and may be
// called again after each error.
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
