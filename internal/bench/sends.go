package bench

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Phases of sending.
const (
	warming int32 = iota
	counting
	ended
)

// sends measures concurrent callers. Each caller sends one message at a time.
type sends struct {
	Task
	phase atomic.Int32
	once  sync.Once
	any   chan struct{} // closed after the first counted send
	took  [][]time.Duration
}

// measureSends calls send until the time of the task has passed, or until send returns an error.
func (t Task) measureSends(ctx context.Context, send func(ctx context.Context, caller int) error) (Result, error) {
	s := &sends{Task: t, any: make(chan struct{}), took: make([][]time.Duration, t.Callers)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for caller := range t.Callers {
		s.took[caller] = make([]time.Duration, 0, 1<<20/t.Callers) // avoids measuring the growth of this slice
		wg.Go(func() {
			if err := s.call(ctx, caller, send); err != nil {
				cancel(err)
			}
		})
	}
	first, last, err := s.watch(ctx)
	s.phase.Store(ended)
	wg.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	return s.result(first, last), nil
}

// call runs one caller.
func (s *sends) call(ctx context.Context, caller int, send func(ctx context.Context, caller int) error) error {
	for s.phase.Load() != ended {
		began := time.Now()
		if err := send(ctx, caller); err != nil {
			return err
		}
		if s.phase.Load() == counting {
			s.took[caller] = append(s.took[caller], time.Since(began))
			s.once.Do(func() { close(s.any) })
		}
	}
	return nil
}

// watch advances the phases.
func (s *sends) watch(ctx context.Context) (first, last mark, err error) {
	if err := wait(ctx, s.Warm); err != nil {
		return mark{}, mark{}, err
	}
	first = begin()
	s.phase.Store(counting)
	if err := wait(ctx, s.For); err != nil {
		return mark{}, mark{}, err
	}
	select {
	case <-s.any:
	case <-ctx.Done():
		return mark{}, mark{}, context.Cause(ctx)
	}
	s.phase.Store(ended)
	last = finish()
	return first, last, nil
}

func (s *sends) result(first, last mark) Result {
	all := slices.Concat(s.took...)
	slices.Sort(all)
	r := between(first, last, len(all))
	r.P50Micros, r.P99Micros = micros(all[len(all)/2]), micros(all[len(all)*99/100])
	return r
}

// wait waits for d.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until checks every millisecond whether something has happened.
func until(ctx context.Context, happened func() bool) error {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for !happened() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), errors.New("while waiting"))
		}
	}
	return nil
}

// recipient has the addressee and the text of a message.
type recipient struct {
	conversation, user, text string
}

// recipients returns n recipients.
func recipients(n, size int) []recipient {
	m := newMaker(uint64(n)) //nolint:gosec // G115: not negative
	list := make([]recipient, n)
	for i := range list {
		list[i] = recipient{m.id(), m.id(), string(m.text(size))}
	}
	return list
}
