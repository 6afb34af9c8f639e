package rest_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
)

func TestSource(t *testing.T) {
	for _, n := range []int{0, 1, 100_000} {
		file := strings.Repeat("x", n)
		for _, as := range []func(io.Reader) io.Reader{iotest.HalfReader, iotest.OneByteReader, iotest.DataErrReader} {
			src, stop := rest.Source(t.Context(), as(strings.NewReader(file)))
			require.NoError(t, iotest.TestReader(src, []byte(file)))
			stop()
			stop()
		}
	}
	src, stop := rest.Source(t.Context(), iotest.ErrReader(assert.AnError))
	defer stop()
	_, err := io.ReadAll(src)
	require.ErrorIs(t, err, assert.AnError)
}

// After stop, before or during a Read, reads fail, and the source is not read again.
func TestSourceThatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		src, stop := rest.Source(t.Context(), r)
		ended := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(src)
			ended <- err
		}()
		_, err := w.Write([]byte("some"))
		require.NoError(t, err)
		synctest.Wait()
		stop()
		require.ErrorContains(t, <-ended, "has ended")
		_, err = src.Read(make([]byte, 1))
		require.ErrorContains(t, err, "has ended")
		_ = r.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		r, _ := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		src, stop := rest.Source(ctx, r)
		cancel()
		_, err := src.Read(make([]byte, 1))
		require.ErrorIs(t, err, context.Canceled)
		stop()
		_ = r.Close()
	})
}

// readerFunc is a Reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestASourceThatDoesNotReturn(t *testing.T) {
	for want, end := range map[string]func(){
		"panic: boom": func() { panic("boom") }, "runtime.Goexit was called": runtime.Goexit,
	} {
		src, stop := rest.Source(t.Context(), readerFunc(func([]byte) (int, error) {
			end()
			return 0, nil
		}))
		for range 2 {
			_, err := src.Read(make([]byte, 1))
			assert.EqualError(t, err, want)
		}
		stop()
	}
}
