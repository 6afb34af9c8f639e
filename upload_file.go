package blaze

import (
	"context"
	"fmt"
	"mime"
	"os"
	"path/filepath"
)

// UploadFile stores a file of the file system, as Upload does, and returns it as a message with Name, Size and
// MimeType. Name is the last element of path. If the content does not determine the type, the extension of the name
// does. To report progress, call Upload with a reader that counts.
//
// The error of a file that cannot be opened or read wraps an *[io/fs.PathError]. Anything but a regular file is an
// [InvalidError]. Other errors are those of Upload.
func (c *Client) UploadFile(ctx context.Context, path string) (Data, error) {
	// Opening a pipe would wait for its other end.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Data{}, fmt.Errorf("blaze: cannot open the file to be uploaded: %w", err)
	//mutant:upload-pipe
	case !info.Mode().IsRegular():
		return Data{}, invalid("path", "is not a regular file: pass a pipe or device to Upload, and the files of a "+
			"directory one by one")
	}
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the file to upload
	if err != nil {
		return Data{}, fmt.Errorf("blaze: cannot open the file to be uploaded: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	a, err := c.Upload(ctx, f, info.Size())
	if err != nil {
		return Data{}, err
	}
	d := Data{Attachment: a, Name: filepath.Base(path)}
	if vague[d.MimeType] {
		if byName := mime.TypeByExtension(filepath.Ext(path)); byName != "" {
			d.MimeType = byName
		}
	}
	return d, nil
}

// vague are the types of files that many formats share.
var vague = map[string]bool{
	"application/octet-stream": true, "application/zip": true,
	"text/plain; charset=utf-8": true, "text/xml; charset=utf-8": true,
}
