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
	ErrShort = errors.New("rest: the source has fewer bytes than its declared size")
	ErrLong  = errors.New("rest: the source has more bytes than its declared size")
)

// ErrTooLarge is the error of a file with more bytes than the caller of Get accepts.
var ErrTooLarge = errors.New("rest: the file is larger than the maximum")

// errAddress is the error of an upload or a download without TLS.
var errAddress = errors.New("the address is without TLS: it must use https:// (http:// only if the API is on loopback)")

// Put writes a file of exactly size bytes to an address from the API. It sends no token, and it does not retry, because
// the source can be read only once. The error is ErrShort or ErrLong if the size is wrong. Nothing was stored then,
// because the last byte is sent only after the source has ended. It is an [Error] if the storage rejects the file,
// otherwise a [NoAnswerError].
//
// The status of the response decides; its body is not awaited. Put does not use src after it has returned, except for a
// Read that had begun before.
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
	_ = resp.Body.Close() // without reading it: it may never end
	// 202 means that the file is not stored yet. Other 2xx statuses do not confirm a PUT.
	if err := storage(name, resp, http.StatusOK, http.StatusCreated, http.StatusNoContent); err != nil {
		return err
	}
	if !exact.ended.Load() {
		return &NoAnswerError{Request: name, Err: errors.New("the storage responded before it received the whole file")}
	}
	return nil
}

// Get opens a file of at most most bytes at an address from the API. A larger file is [ErrTooLarge]: from Get if the
// response has a Content-Length, otherwise from a Read. The caller closes the body.
func (c *Client) Get(ctx context.Context, at string, most int64) (io.ReadCloser, error) {
	const name = "GET of a file"
	req, err := c.fileRequest(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: err}
	}
	// A compressed transfer would change the length, which is checked.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.cfg.Files.Do(req)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: unwrapURL(err)}
	}
	//mutant:get-status
	err = storage(name, resp, http.StatusOK) // other statuses do not have the whole file
	if err == nil && resp.ContentLength > most {
		err = ErrTooLarge
	}
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return &atMost{ReadCloser: resp.Body, left: most}, nil
}

// atMost is a body of at most left bytes.
type atMost struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (a *atMost) Read(p []byte) (int, error) {
	// Reading one byte more than the maximum distinguishes a file that is too large from one that ends.
	p = p[:min(int64(len(p)), max(a.left, 0)+1)]
	n, err := a.ReadCloser.Read(p)
	//mutant:get-max
	if a.left -= int64(n); a.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// fileRequest returns a request to the storage. It removes userinfo from the address, because net/http would send it in
// a header.
func (c *Client) fileRequest(ctx context.Context, method, at string, body io.Reader) (*http.Request, error) {
	u, err := c.checkAddress(at)
	if err != nil {
		return nil, err
	}
	//mutant:file-userinfo
	u.User = nil
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, errors.New("the address is not a valid URL")
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	return req, nil
}

// storage returns the error of a response of the storage, or nil if its status is in want. The body is not the
// service's and is ignored.
func storage(name string, resp *http.Response, want ...int) error {
	code := resp.StatusCode
	switch {
	case slices.Contains(want, code):
		return nil
	case succeeds(code):
		return &NoAnswerError{Request: name, Err: fmt.Errorf("unexpected status %d, want one of %v", code, want)}
	case code >= http.StatusInternalServerError:
		code = http.StatusInternalServerError
	}
	return &Error{Request: name, Rejection: &wire.Error{Status: resp.StatusCode, Code: code}}
}

// checkAddress rejects an address without TLS, unless the API is on this machine and has no TLS either. It rejects a
// private address, unless the Client allows these.
func (c *Client) checkAddress(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("the address is not a valid URL")
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

// Local reports whether all hosts of an API are on this machine. Its files may then be there, too.
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
