package rest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Errors of the source of an upload.
var (
	ErrShort = errors.New("rest: the source has fewer bytes than it was said to have")
	ErrLong  = errors.New("rest: the source has more bytes than it was said to have")
)

// errAddress is why a file is not moved.
var errAddress = errors.New("an address without TLS: it must begin with https://, or the API be on this machine itself")

// Put writes a file of exactly size bytes to an address that the API gave. It is not repeated: the source can be read
// once. The error is ErrShort or ErrLong where the size is wrong, and then nothing was stored, because the last byte is
// held back until the source has ended; an [Error] where the storage refuses; else a [NoAnswerError]. No token is sent.
// After Put the source is left alone, but for a Read that has begun before.
func (c *Client) Put(ctx context.Context, address string, src io.Reader, size int64) error {
	const name = "PUT of a file"
	if err := c.checkAddress(address); err != nil {
		return &NoAnswerError{Request: name, Err: err}
	}
	exact := &exactly{src: src, left: size}
	defer exact.over.Store(true)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address, exact)
	if err != nil {
		return &NoAnswerError{Request: name, Err: errAddress}
	}
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody
		if _, err := exact.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return err
		}
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-Amz-Acl", "public-read")
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		if wrong := exact.wrong.Load(); wrong != nil {
			return *wrong
		}
		return &NoAnswerError{Request: name, Err: unwrapURL(err)}
	}
	defer func() { _ = resp.Body.Close() }() // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if err := storage(name, resp); err != nil {
		return err
	}
	if !exact.ended.Load() {
		return &NoAnswerError{Request: name, Err: errors.New("answered before it had the whole file")}
	}
	return nil
}

// Get opens a file at an address that the API gave. The caller closes it.
func (c *Client) Get(ctx context.Context, address string) (io.ReadCloser, error) {
	const name = "GET of a file"
	if err := c.checkAddress(address); err != nil {
		return nil, &NoAnswerError{Request: name, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: errAddress}
	}
	// Whatever compresses on the way would change the length that is checked.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, &NoAnswerError{Request: name, Err: unwrapURL(err)}
	}
	if err := storage(name, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// storage says what a status of the storage means. What it writes beside it is not the service's.
func storage(name string, resp *http.Response) error {
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return nil
	}
	code := resp.StatusCode
	if code >= http.StatusInternalServerError {
		code = http.StatusInternalServerError
	}
	return &Error{Request: name, Refusal: &wire.Error{Status: resp.StatusCode, Code: code}}
}

// checkAddress keeps files off the open network, unless the API itself is on this machine, without TLS.
func (c *Client) checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("an address that is no URL")
	case u.Scheme == "https", u.Scheme == "http" && c.plain && isLoopback(u.Hostname()):
		return nil
	}
	return errAddress
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
