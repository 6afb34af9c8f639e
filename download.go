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

// mostInMemory is how many bytes of an encrypted file are kept in memory until it is verified.
const mostInMemory = 4 << 20

// Download opens the file of a message that was received, or of an Upload. The caller closes it.
//
// An encrypted file is verified before Download returns: it fits Key, Digest and, where that is above 0, Size. Until
// Close its encrypted form is kept, up to 4 MiB of it in memory, a larger one in a temporary file in Config.TempDir. It
// is decrypted while it is read, and ctx limits the download only. A file that does not fit is [ErrDamaged], and
// nothing of it can be read. If the temporary file cannot be written, the error names its directory.
//
// Of a plain file only the size can be checked, so it streams: ctx limits the reading, too, and a file that is shorter
// or longer than Size, where that is above 0, is the error [ErrDamaged] of the last Read, in place of [io.EOF].
// [Client.DownloadFile] checks that first.
//
// A file of more than Config.MaxDownload bytes is an [InvalidError], or [ErrDamaged] where Size says less: of Download
// if Size or the storage says so, else at the latest of the Read that would exceed it. An *[Error] with [CodeNotFound]
// means that the file is gone: the service keeps files for some time only. A storage at an address that is not public
// is [ErrNoAnswer], see Config.AllowPrivateStorage; so is an answer that does not have the whole file. It works before,
// during and without Run. The reader is for one goroutine at a time; Close may be called during a Read. A Read after
// Close is [fs.ErrClosed].
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

// DownloadFile saves the file of a message that was received, or of an Upload, at path. It writes a temporary file
// ".blaze-*" in the directory of path, verifies Size, Key and Digest as [Client.Download] does, and renames it to path.
// After any error nothing of it remains, and what was at path stays as it was. A process that is killed may leave the
// temporary file. A symbolic link at path is replaced.
//
// Only this user can read and write the file (0600). Its errors are those of Download, and those of the file system,
// which name the directory. [Data.SafeName] makes a name for path of one that a user chose.
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

// verified downloads an encrypted file and verifies it. The size of what it returns is that of the file.
func (c *Client) verified(ctx context.Context, a Attachment) (*download, error) {
	most := mostInMemory
	if a.Size > mostInMemory {
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
		_ = kept.Close() // the file is worthless
		return nil, err
	}
	return &download{r: decrypted, from: kept, id: stream.id, size: stream.read, most: stream.most}, nil
}

// fetch opens a file, and decrypts it if it is encrypted. What it gives is not verified before [io.EOF]. What comes
// from the storage is written to kept, unless that is nil.
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

// download checks the size of what is read, and says in the Client's words what else is wrong.
type download struct {
	r      io.Reader
	from   io.Closer
	id     string // of the attachment
	size   int64  // not above 0: not known
	most   int64  // bytes that it may have
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
		return 0, fmt.Errorf("blaze: attachment %s is read after it was closed: %w", d.id, fs.ErrClosed)
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

// check returns the error of a Read that got err.
func (d *download) check(err error) error {
	var full *spool.Error
	switch {
	case errors.Is(err, rest.ErrTooLarge), d.tooMany():
		return d.tooLarge()
	case err == io.EOF && d.read < d.size: //nolint:errorlint // whoever reads compares it with ==, too
		return fmt.Errorf("%w: attachment %s has %d of %d bytes", ErrDamaged, d.id, d.read, d.size)
	case err == nil, err == io.EOF: //nolint:errorlint // see above
		return err
	case errors.Is(err, seal.ErrDigest), errors.Is(err, seal.ErrMAC), errors.Is(err, seal.ErrDamaged):
		return fmt.Errorf("%w: attachment %s: %w", ErrDamaged, d.id, err)
	case errors.As(err, &full):
		return fmt.Errorf("blaze: attachment %s cannot be kept, see Config.TempDir: %w", d.id, err)
	}
	return fmt.Errorf("blaze: the download of attachment %s broke off: %w", d.id, err)
}

// tooLarge is the error of a file that is larger than it was said to be, or than is accepted.
func (d *download) tooLarge() error {
	if d.size > 0 {
		return fmt.Errorf("%w: attachment %s has more than %d bytes", ErrDamaged, d.id, d.size)
	}
	return invalid("Config.MaxDownload", "attachment %s has more than %d bytes", d.id, d.most)
}
