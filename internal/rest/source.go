package rest

import (
	"context"
	"io"
	"sync"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// Source returns a Reader of r that reads until ctx ends or stop is called. It does not wait for a Read that blocks.
// Its goroutine ends with the Read in progress when stop is called, and does not use r afterwards. Later reads of the
// Source fail; net/http makes some after an early response. A panic of r, a Goexit or an impossible count is returned
// as an error.
func Source(ctx context.Context, r io.Reader) (source io.Reader, stop func()) {
	s := &patient{ctx: ctx, ask: make(chan int), got: make(chan chunk, 1), done: make(chan struct{})}
	go s.pump(r)
	return s, sync.OnceFunc(func() { close(s.done) })
}

// sourceBytes is the maximum size of one Read.
const sourceBytes = 32 << 10

// patient requests the next bytes from a goroutine. At most one Read is in progress.
type patient struct {
	ctx   context.Context
	ask   chan int
	got   chan chunk
	done  chan struct{}
	rest  chunk // bytes read and not returned yet
	asked bool
}

type chunk struct {
	b   []byte
	err error
}

func (s *patient) pump(r io.Reader) {
	buf := make([]byte, sourceBytes)
	for {
		select {
		case most := <-s.ask:
			n := 0
			guard.Call(func() (err error) {
				p := buf[:min(most, len(buf))]
				n, err = r.Read(p)
				n, err = guard.Count(n, len(p), err)
				return guard.ReadError(err)
			}, func(err error) {
				s.got <- chunk{buf[:n], err} // does not block: the previous chunk was received
			})
		case <-s.done:
			return
		}
	}
}

// Read implements [io.Reader].
func (s *patient) Read(p []byte) (int, error) {
	for len(s.rest.b) == 0 && s.rest.err == nil && len(p) > 0 {
		if err := s.next(len(p)); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest.b)
	if s.rest.b = s.rest.b[n:]; len(s.rest.b) > 0 {
		return n, nil
	}
	return n, s.rest.err
}

func (s *patient) next(most int) error {
	select {
	case <-s.done: // checked first, because select picks any case that is ready
		return errOver
	default:
	}
	if !s.asked {
		select {
		case s.ask <- most:
			s.asked = true
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-s.done:
			return errOver
		}
	}
	select {
	case s.rest = <-s.got:
		s.asked = false
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-s.done:
		return errOver
	}
}
