package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// ackFrame is the default number of acknowledgements in one frame.
const ackFrame = 80

// ourClient is a running client of this library.
type ourClient struct {
	*blaze.Client
	stop context.CancelFunc
	lost context.Context // ends with Run; its cause is the error
	wg   sync.WaitGroup
}

// newOurs makes a client with the default Config, except for the settings to reach the server.
func (t Task) newOurs(edit func(*blaze.Config)) (*blaze.Client, error) {
	cfg := &blaze.Config{
		Endpoints: []string{"wss://" + t.Address + "/"}, TLSClientConfig: t.tls, Logger: slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(cfg)
	}
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // never fails
	return blaze.New(blaze.Keystore{
		AppID: uuid.Must(uuid.NewV4()).String(), SessionID: uuid.Must(uuid.NewV4()).String(),
		SessionPrivateKey: hex.EncodeToString(seed),
	}, cfg)
}

// start runs a client. The caller must call close.
func start(ctx context.Context, c *blaze.Client, h blaze.Handler) *ourClient {
	r := &ourClient{Client: c}
	run, stop := context.WithCancel(ctx)
	lost, lose := context.WithCancelCause(ctx)
	r.stop, r.lost = stop, lost
	r.wg.Go(func() {
		err := c.Run(run, h)
		if err == nil {
			err = errors.New("Run has ended")
		}
		lose(err)
	})
	return r
}

// close ends Run, and returns an error if anything failed.
func (r *ourClient) close() error {
	stats := r.Stats()
	var err error
	if r.lost.Err() != nil {
		err = context.Cause(r.lost)
	}
	r.stop()
	r.wg.Wait()
	switch {
	case err != nil:
		return fmt.Errorf("run: %w", err)
	case stats.Connects != 1 || stats.BadFrames > 0 || stats.AcksForgotten > 0 || stats.Failed > 0:
		return fmt.Errorf("something went wrong: %+v", stats)
	}
	return nil
}

// connected waits for the connection, and until no request is in flight.
func (r *ourClient) connected() error {
	return until(r.lost, func() bool {
		s := r.Stats()
		return s.Connected && s.FramesRead > 0 && s.OutboxRequests == 0
	})
}

// ours does the task with this library.
func (t Task) ours(ctx context.Context) (Result, error) {
	switch t.Scenario {
	case Receive80, Receive1K, Receive100K:
		return t.oursReceive(ctx, nil, nil)
	case ReceiveNoAck80:
		return t.oursReceive(ctx, func(cfg *blaze.Config) { cfg.Ack = blaze.AckManual }, nil)
	case Burst:
		return t.oursBurst(ctx, nil)
	case BurstSlow:
		return t.oursBurst(ctx, compute)
	case Send1, Send16, Send256:
		return t.oursSend(ctx)
	case Batch:
		return t.oursBatch(ctx)
	case Idle:
		return t.oursIdle(ctx)
	}
	return Result{}, errors.New("not a scenario of this contender")
}

// compute keeps a processor busy, like a handler with work to do.
func compute() {
	for began := time.Now(); time.Since(began) < slowHandler; {
	}
}

// oursReceive measures until all messages are handled and acknowledged.
func (t Task) oursReceive(ctx context.Context, edit func(*blaze.Config), work func()) (r Result, err error) {
	c, err := t.newOurs(edit)
	if err != nil {
		return Result{}, err
	}
	m := newMeter(t.Count, t.Before)
	m.read = func() int { return int(c.Stats().FramesRead) } //nolint:gosec // G115: a count
	run := start(ctx, c, blaze.On(func(_ context.Context, _ *blaze.Message, text blaze.Text) error {
		if len(text) != t.Size {
			return nil
		}
		if work != nil {
			work()
		}
		m.tick()
		return nil
	}))
	defer func() { err = errors.Join(err, run.close()) }()
	select {
	case <-m.full:
	case <-run.lost.Done():
		return Result{}, context.Cause(run.lost)
	}
	if t.Scenario != ReceiveNoAck80 {
		if err := t.acked(run, m); err != nil {
			return Result{}, err
		}
	}
	r = m.result()
	r.Duplicates = c.Stats().Duplicates
	return r, nil
}

// acked waits until everything is acknowledged. The last acknowledgements wait to share a frame, which is not work, so
// the clock stops when the rest fits into one frame.
func (t Task) acked(run *ourClient, m *meter) error {
	missing := func(n int) func() bool {
		return func() bool {
			return run.Stats().Acked+uint64(n) >= uint64(t.Count) //nolint:gosec // G115: not negative
		}
	}
	if err := until(run.lost, missing(min(ackFrame, t.Count))); err != nil {
		return err
	}
	m.last = finish()
	return until(run.lost, missing(0))
}

// oursBurst measures the memory for all pending messages arriving at once.
func (t Task) oursBurst(ctx context.Context, work func()) (Result, error) {
	runtime.GC()
	runtime.GC() // collects objects after their finalizers ran
	before := gauge.Heap()
	w := gauge.WatchHeap(time.Millisecond)
	r, err := t.oursReceive(ctx, nil, work)
	r.HeapMiB = mib(w.Stop(), before)
	return r, err
}

// sender starts a client that only sends, and waits until it is connected.
func (t Task) sender(ctx context.Context) (*ourClient, error) {
	c, err := t.newOurs(nil)
	if err != nil {
		return nil, err
	}
	run := start(ctx, c, nil)
	if err := until(run.lost, func() bool { return c.Stats().Connected }); err != nil {
		return nil, errors.Join(err, run.close())
	}
	return run, nil
}

func (t Task) oursSend(ctx context.Context) (r Result, err error) {
	run, err := t.sender(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	outs := letters(users, t.Size)
	return t.measureSends(ctx, func(ctx context.Context, caller int) error {
		_, err := run.Send(ctx, outs[caller%len(outs)])
		return err
	})
}

// letters returns n messages in n conversations.
func letters(n, size int) []blaze.Outgoing {
	outs := make([]blaze.Outgoing, n)
	for i, to := range recipients(n, size) {
		outs[i] = blaze.Outgoing{ConversationID: to.conversation, RecipientID: to.user, Payload: blaze.Text(to.text)}
	}
	return outs
}

// oursBatch sends the same batch repeatedly, with new ids.
func (t Task) oursBatch(ctx context.Context) (r Result, err error) {
	run, err := t.sender(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, run.close()) }()
	outs := letters(t.Count, t.Size)
	if _, err := run.SendBatch(ctx, outs...); err != nil {
		return Result{}, err
	}
	n := 0
	first := begin()
	for n == 0 || time.Since(first.at) < t.For {
		if _, err := run.SendBatch(ctx, outs...); err != nil {
			return Result{}, err
		}
		n += t.Count
	}
	return between(first, finish(), n), nil
}

// oursIdle measures clients that are connected and idle.
func (t Task) oursIdle(ctx context.Context) (r Result, err error) {
	clients := make([]*ourClient, 0, t.Count)
	defer func() {
		for _, c := range clients {
			err = errors.Join(err, c.close())
		}
	}()
	before, goroutines := settled(), runtime.NumGoroutine()
	for range t.Count {
		c, err := t.newOurs(nil)
		if err != nil {
			return Result{}, err
		}
		run := start(ctx, c, func(context.Context, *blaze.Message) error { return nil })
		clients = append(clients, run)
		if err := run.connected(); err != nil {
			return Result{}, err
		}
	}
	return t.idleResult(before, goroutines), nil
}
