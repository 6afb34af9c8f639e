package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/mixin-blaze/blaze/internal/address"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Errors of the source of an upload.
var (
	ErrShort = errors.New("rest: the source has fewer bytes than it was said to have")
	ErrLong  = errors.New("rest: the source has more bytes than it was said to have")
)

// ErrTooLarge is the error of a file with more bytes than the caller of Get accepts.
var ErrTooLarge = errors.New("rest: the file is larger than is accepted")

// errAddress is why a file is not moved.
var errAddress = errors.New("an address without TLS: it must begin with https://, or the API be on this machine itself")

// Put writes a file of exactly size bytes to an address that the API gave. It is not repeated: the source can be read
// once. The error is ErrShort or ErrLong where the size is wrong, and then nothing was stored, because the last byte is
// held back until the source has ended; an [Error] where the storage refuses; else a [NoAnswerError]. No token is sent.
// The status of the answer decides; its body is not waited for. After Put the source is left alone, but for a Read that
// has begun before.
func (c *Client) Put(ctx context.Context, at string, src io.Reader, size int64) error {
	const name = "PUT of a file"
	exact := &exactly{src: src, left: size}
	defer exact.over.Store(true)
	req, err := c.fileRequest(ctx, http.MethodPut, at, exact)
	if err != nil {
		return &NoAnswerError{Request: name, Err: err}
	}
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody
		if _, err := exact.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return err
		}
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-Amz-Acl", "public-read")
	resp, err := c.cfg.Files.Do(req)
	if err != nil {
		if wrong := exact.wrong.Load(); wrong != nil {
			return *wrong
		}
		return &NoAnswerError{Request: name, Err: unwrapURL(err)}
	}
	//mutant:put-body
	_ = resp.Body.Close() // it may never end
	// 202 says that the file is not stored yet; the others of 2xx are no answers to a PUT.
	if err := storage(name, resp, http.StatusOK, http.StatusCreated, http.StatusNoContent); err != nil {
		return err
	}
	if !exact.ended.Load() {
		return &NoAnswerError{Request: name, Err: errors.New("answered before it had the whole file")}
	}
	return nil
}

// Get opens a file of at most most bytes at an address that the API gave. One with more bytes is [ErrTooLarge], of Get
// where the answer says so, else of a Read. The caller closes it.
func (c *Client) Get(ctx context.Context, at string, most int64) (io.ReadCloser, error) {
	const name = "GET of a file"
	req, err := c.fileRequest(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: err}
	}
	// Whatever compresses on the way would change the length that is checked.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.cfg.Files.Do(req)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: unwrapURL(err)}
	}
	//mutant:get-status
	err = storage(name, resp, http.StatusOK) // only 200 comes with the whole file
	if err == nil && resp.ContentLength > most {
		err = ErrTooLarge
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return &atMost{ReadCloser: resp.Body, left: most}, nil
}

// atMost is a body that may have as many bytes as are left.
type atMost struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (a *atMost) Read(p []byte) (int, error) {
	// One byte more than is accepted tells a file that is too large from one that ends.
	p = p[:min(int64(len(p)), max(a.left, 0)+1)]
	n, err := a.ReadCloser.Read(p)
	//mutant:get-most
	if a.left -= int64(n); a.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// fileRequest returns a request to the storage. Userinfo in the address is not sent: net/http would make a header of
// it.
func (c *Client) fileRequest(ctx context.Context, method, at string, body io.Reader) (*http.Request, error) {
	u, err := c.checkAddress(at)
	if err != nil {
		return nil, err
	}
	//mutant:file-userinfo
	u.User = nil
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, errors.New("an address that is no URL")
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	return req, nil
}

// storage says what a status of the storage means, unless it is one of those that were asked for. What the storage
// writes beside it is not the service's.
func storage(name string, resp *http.Response, want ...int) error {
	code := resp.StatusCode
	switch {
	case slices.Contains(want, code):
		return nil
	case succeeds(code):
		return &NoAnswerError{Request: name, Err: fmt.Errorf("status %d, which must be one of %v", code, want)}
	case code >= http.StatusInternalServerError:
		code = http.StatusInternalServerError
	}
	return &Error{Request: name, Refusal: &wire.Error{Status: resp.StatusCode, Code: code}}
}

// checkAddress keeps files off the open network, unless the API itself is on this machine, without TLS, and off
// addresses that are not public, unless those are accepted.
func (c *Client) checkAddress(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("an address that is no URL")
	case u.Scheme == "https", u.Scheme == "http" && c.plain && isLoopback(u.Hostname()):
	default:
		return nil, errAddress
	}
	//mutant:file-private
	if !c.private {
		if err := address.CheckHost(u.Hostname()); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// Local reports whether an API is on this machine. Its files may then be there, too.
func Local(bases []string) bool {
	return !slices.ContainsFunc(bases, func(base string) bool {
		u, err := url.Parse(base)
		return err != nil || !isLoopback(u.Hostname())
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
