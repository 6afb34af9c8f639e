package model

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/inbox"
	"github.com/mixin-blaze/blaze/internal/outbox"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// boxes has a real inbox and a real outbox, connected as in the engine.
type boxes struct {
	t   *testing.T
	in  *inbox.Box[int]
	out *outbox.Box

	quiet <-chan struct{} // from Quiesce
	list  int             // number of lists
	since time.Time       // start of the link

	mu      sync.Mutex
	began   []int // messages since the last call of takeBegun
	ledger  [messages]bool
	verdict [messages]chan inbox.Verdict
	wakes   [messages]time.Time // when the next attempt is due
	names   map[string]int      // the set of ids of a request for acknowledgements
	ends    [sends]outbox.Outcome
	ended   [sends]bool
}

// never is longer than any test.
const never = 1000 * time.Hour

func newBoxes(t *testing.T, workers, capacity int) *boxes {
	b := &boxes{t: t, names: make(map[string]int)}
	for i := range b.verdict {
		b.verdict[i] = make(chan inbox.Verdict)
	}
	b.in = inbox.New(inbox.Config[int]{
		Workers: workers, Bytes: int64(capacity) * inbox.Overhead,
		Handle: b.handle, Due: func(bool) {}, OnBackoff: func() {}, OnReleased: func(int) {},
	})
	b.out = outbox.New(outbox.Config{
		Len: sends, Bytes: 1 << 20, ReplyTimeout: never, Attempts: attempts,
		Judge: func(*wire.Error) outbox.Verdict { return outbox.Final },
		Rest:  func(int) time.Duration { return never },
	})
	return b
}

// handle handles a message like the deliverer and the engine.
func (b *boxes) handle(i, _ int, v *inbox.Verdict) {
	b.mu.Lock()
	b.began = append(b.began, i)
	known := b.ledger[i]
	b.mu.Unlock()
	if !known {
		*v = <-b.verdict[i]
	}
	if v.Then == inbox.Done {
		b.mu.Lock()
		b.ledger[i] = true
		b.mu.Unlock()
		b.in.Hold(fmt.Sprint(i))
	}
}

// takeBegun returns the messages with an attempt that began since the last call.
func (b *boxes) takeBegun() []int {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	began := b.began
	b.began = nil
	return began
}

func (b *boxes) finish(i int) { b.verdict[i] <- inbox.Verdict{Then: inbox.Done} }

func (b *boxes) retry(i int, after time.Duration) {
	b.wakes[i] = time.Now().Add(after)
	b.verdict[i] <- inbox.Verdict{Then: inbox.Retry, After: after}
}

// acknowledge makes a request for the ids in a set.
func (b *boxes) acknowledge(ids int) {
	b.out.Go(b.ackRequest(ids), func(o outbox.Outcome) {
		if o.Kind == outbox.Confirmed || o.Kind == outbox.Split || errors.Is(o.Err, outbox.ErrLinkLost) {
			b.in.Release(names(ids)...)
		}
	})
}

func (b *boxes) ackRequest(ids int) outbox.Request {
	id := fmt.Sprint("ack ", len(b.names))
	b.names[id] = ids
	r := outbox.Request{ID: id, Class: outbox.Ack, Frame: []byte(id)}
	if bits.OnesCount(uint(ids)) > 1 {
		r.Family = "several"
		r.Split = func() (parts []outbox.Part, err error) {
			for i := range messages {
				if ids&(1<<i) != 0 {
					parts = append(parts, outbox.Part{Request: b.ackRequest(1 << i)})
				}
			}
			return parts, nil
		}
	}
	return r
}

func names(ids int) (all []string) {
	for i := range messages {
		if ids&(1<<i) != 0 {
			all = append(all, fmt.Sprint(i))
		}
	}
	return all
}

func (b *boxes) send(j int) {
	id := fmt.Sprint("send ", j)
	go func() {
		o := b.out.Do(context.Background(), outbox.Request{ID: id, Class: outbox.Send, Frame: []byte(id)})
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ends[j], b.ended[j] = o, true
	}()
}

// connect does the same as the beginning of engine.Engine.serve.
func (b *boxes) connect(sendOnly bool) {
	b.in.Reopen()
	b.out.Up()
	b.since = time.Now()
	if sendOnly {
		return
	}
	b.list++
	id := b.listID()
	b.out.Go(outbox.Request{ID: id, Class: outbox.List, Frame: []byte(id)}, func(outbox.Outcome) {})
}

func (b *boxes) listID() string { return fmt.Sprint("list ", b.list) }

// write gets the next frame of the outbox and its number. kind is "" if there is none, "list", or the kind of the
// request.
func (b *boxes) write(c *client) (kind string, r int) {
	frame, _, _, err := b.out.Next()
	require.NoError(b.t, err)
	id := string(frame)
	switch kind, _, _ = strings.Cut(id, " "); kind {
	case "ack":
		return kind, c.find(b.names[id])
	case "send":
		_, err := fmt.Sscanf(id, "send %d", &r)
		require.NoError(b.t, err)
		r += ackFrames
	}
	return kind, r
}

// find returns the request for the ids in a set.
func (c *client) find(ids int) int {
	for r := range ackFrames {
		if c.rq[r] != free && c.mask[r] == ids {
			return r
		}
	}
	return none
}

// answer replies to a request that was written.
func (b *boxes) answer(c *client, r int) {
	id := fmt.Sprint("send ", r-ackFrames)
	if isAck(r) {
		for name, ids := range b.names {
			if ids == c.mask[r] && b.out.Answer([]byte(name), nil) {
				return
			}
		}
		require.Fail(b.t, "unknown acknowledgement")
	}
	require.True(b.t, b.out.Answer([]byte(id), nil))
}

// down ends a link.
func (b *boxes) down(lost bool) {
	b.quiet = nil
	b.out.Down(lost)
}
