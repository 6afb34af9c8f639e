package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// link writes frames from the Box and answers them, until the link is lost. Replies may come out of order, late, twice
// or not at all.
func link(b *box, rng *rand.Rand, life time.Duration, carriedOut *sync.Map) {
	b.Up()
	defer b.Down(true)
	replies := make(chan string, 10_000)
	lost := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case r := <-replies:
				b.Answer(r[1:], map[byte]string{'k': "ok", 'b': "busy", 'n': "no"}[r[0]])
			case <-lost:
				return
			}
		}
	})
	defer reader.Wait()
	defer close(lost)
	reply := func(r string, after time.Duration) {
		time.AfterFunc(after, func() { replies <- r })
	}
	end := time.After(life)
	for {
		frame, _, wait, _ := b.Next()
		if frame == nil {
			if wait < 0 {
				wait = time.Hour
			}
			select {
			case <-b.Wake():
			case <-time.After(wait):
			case <-end:
				return
			}
			continue
		}
		id, latency := string(frame), time.Duration(rng.IntN(1000))*time.Millisecond
		switch n := rng.IntN(100); {
		case n < 5: // the request is lost
		case n < 10: // the reply is lost
			carriedOut.Store(id, true)
		case n < 20:
			reply("b"+id, latency)
		case n < 22:
			reply("n"+id, latency)
		default:
			carriedOut.Store(id, true)
			reply("k"+id, latency)
			if n < 30 {
				reply("k"+id, 2*latency)
			}
		}
	}
}

func TestAThousandAtOnceOverManyLinks(t *testing.T) {
	const requests = 1000
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Len, cfg.Attempts = 64, -1
		b := &box{outbox.New(cfg)}
		rng := rand.New(rand.NewPCG(1, 2))
		var carriedOut sync.Map
		var callers sync.WaitGroup
		var confirmed, aborted, rejected atomic.Int64
		for i := range requests {
			impatient := i%10 == 0
			callers.Go(func() {
				ctx := context.Background()
				if impatient {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*10*time.Millisecond)
					defer cancel()
				}
				id := fmt.Sprint("request ", i)
				o := b.Do(ctx, t, request(id, outbox.Send), func(context.Context, string) error { return nil })
				_, happened := carriedOut.Load(id)
				switch {
				case o.Err != nil:
					aborted.Add(1)
					assert.True(t, impatient, "%v", o.Err)
					assert.False(t, happened && !o.Unconfirmed, "carried out, but not reported as unconfirmed")
				case o.Answer == "ok":
					confirmed.Add(1)
					assert.True(t, happened, "confirmed, but not carried out")
				default:
					rejected.Add(1)
					assert.Equal(t, "no", o.Answer)
				}
			})
		}
		drained := make(chan struct{})
		go func() {
			callers.Wait()
			close(drained)
		}()
		links := 0
		for open := true; open; links++ {
			link(b, rng, time.Duration(1+rng.IntN(3000))*time.Millisecond, &carriedOut)
			select {
			case <-drained:
				open = false
			default:
			}
		}
		assert.Equal(t, outbox.Left{}, b.Left())
		assert.EqualValues(t, requests, confirmed.Load()+aborted.Load()+rejected.Load())
		assert.Positive(t, aborted.Load())
		t.Logf("%d links, %d confirmed, %d rejected, %d aborted, %d resent",
			links, confirmed.Load(), rejected.Load(), aborted.Load(), b.Len().Resent)
		time.Sleep(time.Hour) // for replies in flight
	})
}

// Everything runs concurrently in real time, without a synctest bubble, for the race detector.
func TestAThousandAtOnce(t *testing.T) {
	cfg := config()
	cfg.Len, cfg.Rest = 64, func(int) time.Duration { return 0 }
	b := &box{outbox.New(cfg)}
	b.Up()
	var callers, writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		busy := make(map[string]bool)
		for {
			frame, _, _, err := b.Next()
			if !assert.NoError(t, err) {
				return
			}
			if frame == nil {
				select {
				case <-b.Wake():
				case <-stop:
					return
				}
				continue
			}
			id := string(frame)
			if id[len(id)-1] == '7' && !busy[id] {
				busy[id] = true
				go b.Answer(id, "busy")
			} else {
				go b.Answer(id, "answer to "+id)
			}
		}
	})
	for i := range 1000 {
		callers.Go(func() {
			id := fmt.Sprint("request ", i)
			if i%100 == 50 {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				o := b.Do(ctx, t, request(id, outbox.Send), nil)
				assert.True(t, o.Err != nil || o.Answer == "answer to "+id)
				return
			}
			o := b.Do(context.Background(), t, request(id, outbox.Send), nil)
			assert.NoError(t, o.Err)
			assert.Equal(t, "answer to "+id, o.Answer)
		})
	}
	callers.Wait()
	close(stop)
	writer.Wait()
	assert.Equal(t, outbox.Left{}, b.Left())
}
