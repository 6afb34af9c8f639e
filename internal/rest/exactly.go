package rest

import (
	"errors"
	"io"
	"sync/atomic"
)

// Exactly returns a Reader of the size bytes of src. It returns the last byte only after src has ended. If src has
// another size, the error is [ErrShort] or [ErrLong].
func Exactly(src io.Reader, size int64) io.Reader { return &exactly{src: src, left: size} }

// exactly reads left bytes of a source, and fails if the source has more or fewer. It returns the last byte only after
// the source has ended, so a caller with all bytes can rely on the size.
type exactly struct {
	src   io.Reader
	left  int64
	ended atomic.Bool           // the whole source was read
	over  atomic.Bool           // Read fails from now on; net/http continues to read after an early response
	wrong atomic.Pointer[error] // the error of the source, which net/http may replace
}

var errOver = errors.New("rest: the upload has ended")

func (e *exactly) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.over.Load() {
		return 0, errOver
	}
	if e.left <= 1 && !e.ended.Load() {
		return e.last(p)
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.src.Read(p[:min(int64(len(p)), e.left-1)])
	e.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && n > 0:
		err = nil // the next Read returns the error
	case errors.Is(err, io.EOF):
		err = e.fail(ErrShort)
	case err != nil:
		err = e.fail(err)
	}
	return n, err
}

// last reads the remaining byte, if there is one, and the end of the source.
func (e *exactly) last(p []byte) (int, error) {
	var b [2]byte
	n, err := io.ReadFull(e.src, b[:e.left+1])
	switch {
	case err == nil:
		return 0, e.fail(ErrLong)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, e.fail(err)
	case int64(n) < e.left:
		return 0, e.fail(ErrShort)
	}
	e.left = 0
	e.ended.Store(true)
	if n == 0 {
		return 0, io.EOF
	}
	p[0] = b[0]
	return 1, nil
}

func (e *exactly) fail(err error) error {
	e.wrong.CompareAndSwap(nil, &err)
	return err
}
