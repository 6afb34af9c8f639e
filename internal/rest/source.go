package rest

import (
	"context"
	"io"
	"sync"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// Source reads r for as long as ctx lives and stop was not called: a Read that blocks is left behind. Its goroutine
// ends with the Read that is under way when stop is called, after which r is left alone: who still reads, as net/http
// does after an early answer, gets an error. A panic of r, a Goexit or an impossible count is an error of the Read.
func Source(ctx context.Context, r io.Reader) (source io.Reader, stop func()) {
	s := &patient{ctx: ctx, ask: make(chan int), got: make(chan chunk, 1), done: make(chan struct{})}
	go s.pump(r)
	return s, sync.OnceFunc(func() { close(s.done) })
}

// sourceBytes is how much is read at once.
const sourceBytes = 32 << 10

// patient asks a goroutine for the next bytes. One Read is under way at a time.
type patient struct {
	ctx   context.Context
	ask   chan int
	got   chan chunk
	done  chan struct{}
	rest  chunk // what was read, and not asked for yet
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
				s.got <- chunk{buf[:n], err} // there is room: the one before was taken
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
	case <-s.done: // first: of several that are ready, select takes any
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
