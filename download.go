package blaze

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/spool"
)

// maxInMemory is the size, in bytes, up to which the encrypted form of a file is kept in memory, until Close.
const maxInMemory = 4 << 20

// Download opens the file of an incoming message or of an Upload. The caller must close it. Download needs no
// Run and works at any time.
//
// An encrypted file is verified before Download returns: Key, Digest and, if above 0, Size. A file that does not match
// is [ErrDamaged], and no byte of it is returned. The encrypted form is kept until Close: up to 4 MiB in memory, a
// larger file as a temporary file in Config.TempDir. It is decrypted while it is read. ctx limits the download only.
//
// An unencrypted file has no digest and is streamed. ctx also limits the reading. If Size is above 0 and the file is
// shorter or longer, the last Read returns [ErrDamaged] instead of [io.EOF]. [Client.DownloadFile] checks the size
// before the file appears at its path.
//
// Errors:
//
//   - [InvalidError]: the Attachment is invalid, its Size exceeds Config.MaxDownload, or Size is unknown and the file
//     exceeds it. Download returns the error, except for an unencrypted file without a length in the response of the
//     storage: a Read returns it then.
//   - *[Error]: the API or the storage rejected the request, with [CodeNotFound] if the file is gone. The service keeps
//     files for a limited time.
//   - [ErrNoAnswer]: no usable response of the API or the storage, or a storage at a private address (see
//     Config.AllowPrivateStorage).
//   - An error that wraps that of the connection: it was lost during the transfer.
//   - An error that names Config.TempDir: the temporary file cannot be written.
//   - [fs.ErrClosed]: Read after Close.
//
// The reader is for one goroutine at a time, except that Close may be called during a Read.
func (c *Client) Download(ctx context.Context, a Attachment) (io.ReadCloser, error) {
	//mutant:download-verified
	open := c.verified
	if len(a.Key) == 0 && len(a.Digest) == 0 {
		open = func(ctx context.Context, a Attachment) (*download, error) { return c.fetch(ctx, a, nil) }
	}
	d, err := open(ctx, a)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DownloadFile saves the file of an incoming message or of an Upload at path. It writes a temporary file ".blaze-*" in
// the directory of path, verifies it like [Client.Download], and renames it to path. A symbolic link at path is
// replaced. After an error the temporary file is removed and path is unchanged. A killed process may leave the
// temporary file behind.
//
// The file is readable and writable by the current user only (0600). The errors are those of Download and of the file
// system; the latter name the directory. [Data.SafeName] returns a safe file name for path.
func (c *Client) DownloadFile(ctx context.Context, a Attachment, path string) error {
	if path == "" {
		return invalid("path", "must not be empty")
	}
	err := spool.Replace(path, func(w io.Writer) error {
		d, err := c.fetch(ctx, a, nil)
		if err != nil {
			return err
		}
		defer func() { _ = d.Close() }() // only read
		_, err = io.Copy(w, d)
		return err
	})
	var failed *spool.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("blaze: attachment %s cannot be saved: %w", clip(a.ID), err)
	}
	return err
}

// verified downloads and verifies an encrypted file. The result has the file's actual size.
func (c *Client) verified(ctx context.Context, a Attachment) (*download, error) {
	most := maxInMemory
	if a.Size > maxInMemory {
		most = 0
	}
	kept := spool.New(c.cfg.TempDir, most)
	stream, err := c.fetch(ctx, a, kept)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, stream) // its last Read verifies
	_ = stream.Close()                   // only read
	var decrypted io.Reader
	if err == nil {
		decrypted, err = seal.NewDecrypter(kept, a.Key, a.Digest)
	}
	if err != nil {
		_ = kept.Close() // the file is discarded
		return nil, err
	}
	return &download{r: decrypted, from: kept, id: stream.id, size: stream.read, most: stream.most}, nil
}

// fetch opens a file, and decrypts it if it is encrypted. The result is not verified before [io.EOF]. fetch writes the
// bytes from the storage to kept, unless that is nil.
func (c *Client) fetch(ctx context.Context, a Attachment, kept io.Writer) (*download, error) {
	id, ok := canonicalUUID(a.ID)
	switch {
	case !ok:
		return nil, invalid("Attachment.ID", "is not a UUID")
	case (len(a.Key) == 0) != (len(a.Digest) == 0):
		return nil, invalid("Attachment.Key", "Key and Digest come together, or not at all")
	case a.Size > c.cfg.MaxDownload:
		return nil, invalid("Attachment.Size", "is %d, and Config.MaxDownload is %d bytes", a.Size, c.cfg.MaxDownload)
	}
	p := place{asked: id}
	if err := c.rest.Do(ctx, "GET", "/attachments/"+id, nil, &p); err != nil {
		return nil, httpError(err)
	}
	d := &download{id: id, size: a.Size, most: c.cfg.MaxDownload}
	most := d.most
	if len(a.Key) > 0 {
		most = seal.EncryptedSize(most)
	}
	body, err := c.rest.Get(ctx, p.view, most)
	if errors.Is(err, rest.ErrTooLarge) {
		return nil, d.tooLarge()
	}
	if err != nil {
		return nil, fileError(err)
	}
	d.r, d.from = body, body
	if kept != nil {
		d.r = io.TeeReader(body, kept)
	}
	if len(a.Key) > 0 {
		if d.r, err = seal.NewDecrypter(d.r, a.Key, a.Digest); err != nil {
			_ = body.Close()
			return nil, invalid("Attachment.Key", "%v", err)
		}
	}
	return d, nil
}

// download checks the number of bytes read and converts errors.
type download struct {
	r      io.Reader
	from   io.Closer
	id     string // of the attachment
	size   int64  // not above 0: unknown
	most   int64  // maximum number of bytes
	read   int64
	err    error
	closed atomic.Bool
}

// Close implements [io.Closer].
func (d *download) Close() error {
	d.closed.Store(true)
	return d.from.Close()
}

// Read implements [io.Reader].
func (d *download) Read(p []byte) (int, error) {
	if d.closed.Load() {
		return 0, fmt.Errorf("blaze: attachment %s was read after Close: %w", d.id, fs.ErrClosed)
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.r.Read(p)
	d.read += int64(n)
	if d.err = d.check(err); d.tooMany() {
		n = 0
	}
	return n, d.err
}

func (d *download) tooMany() bool { return d.read > d.most || d.size > 0 && d.read > d.size }

// check converts the error of a Read.
func (d *download) check(err error) error {
	var full *spool.Error
	switch {
	case errors.Is(err, rest.ErrTooLarge), d.tooMany():
		return d.tooLarge()
	case err == io.EOF && d.read < d.size: //nolint:errorlint // readers compare io.EOF with ==
		return fmt.Errorf("%w: attachment %s has %d of %d bytes", ErrDamaged, d.id, d.read, d.size)
	case err == nil, err == io.EOF: //nolint:errorlint // see above
		return err
	case errors.Is(err, seal.ErrDigest), errors.Is(err, seal.ErrMAC), errors.Is(err, seal.ErrDamaged):
		return fmt.Errorf("%w: attachment %s: %w", ErrDamaged, d.id, err)
	case errors.As(err, &full):
		return fmt.Errorf("blaze: attachment %s cannot be stored in Config.TempDir: %w", d.id, err)
	}
	return fmt.Errorf("blaze: the download of attachment %s failed: %w", d.id, err)
}

// tooLarge returns the error for a file that is larger than its Size or than MaxDownload.
func (d *download) tooLarge() error {
	if d.size > 0 {
		return fmt.Errorf("%w: attachment %s has more than %d bytes", ErrDamaged, d.id, d.size)
	}
	return invalid("Config.MaxDownload", "attachment %s has more than %d bytes", d.id, d.most)
}
