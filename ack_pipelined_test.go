package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// slowAcks confirms acknowledgements after a round trip, in order.
func slowAcks(t *testing.T, roundTrip time.Duration) *rawServer {
	t.Helper()
	s := newReplyingServer(t)
	s.answer = func(r request) bool {
		if r.Action != actionAck && r.Action != actionAcks {
			return false
		}
		s.mu.Lock()
		s.acked = append(s.acked, r.ids()...)
		s.mu.Unlock()
		time.AfterFunc(roundTrip, r.confirm)
		return true
	}
	return s
}

func manyIDs(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = blaze.DeriveID(prefix, fmt.Sprint(i))
	}
	return ids
}

// A hundred frames need a few round trips and are written in order.
func TestAckOfManyIDsIsPipelined(t *testing.T) {
	for _, batch := range []int{1, 10} {
		bubble(t, fmt.Sprint("frames of ", batch), func(t *testing.T) {
			s := slowAcks(t, time.Second)
			r := s.run(nil, func(cfg *blaze.Config) { cfg.AckBatch = batch })
			synctest.Wait()
			ids := manyIDs("m", 100*batch)
			began := time.Now()
			require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, ids...))
			assert.Equal(t, ids, s.ackedIDs())
			// At most 32 frames are unanswered, so four round trips confirm 32, 64, 96 and 100 frames.
			assert.Equal(t, 4*time.Second, time.Since(began))
			assert.EqualValues(t, len(ids), r.Stats().Acked)
		})
	}
}

// All callers share 512 slots for frames. Callers that wait for slots cannot deadlock.
func TestAcksOfManyIDsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 40 // with 32 frames each, they need more than 512 slots
		s := slowAcks(t, time.Second)
		r := s.run(nil, func(cfg *blaze.Config) { cfg.AckBatch = 1 })
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() { assert.NoError(t, r.Ack(t.Context(), blaze.StatusRead, manyIDs(fmt.Sprint(i), 100)...)) })
		}
		all.Wait()
		assert.Len(t, s.ackedIDs(), callers*100)
		assert.Zero(t, r.Stats().AcksWaiting)
	})
}

// Each unconfirmed id has its own error, even if its frame was not written.
func TestAnAckOfManyIDsThatIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		confirmed := 0
		s.answer = func(r request) bool {
			if r.Action == actionAck {
				confirmed++
			}
			return confirmed > 10
		}
		r := s.run(nil, func(cfg *blaze.Config) { cfg.AckBatch, cfg.Drain = 1, -1 })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.Ack(ctx, blaze.StatusRead, manyIDs("m", 100)...)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var joined interface{ Unwrap() []error }
		require.True(t, errors.As(err, &joined))
		assert.Len(t, joined.Unwrap(), 90)
		assert.EqualValues(t, 10, r.Stats().Acked)
		_ = r.stop()
	})
}

// A context that ends the caller's goroutine does not leak a slot.
func TestAnAckWithAContextThatExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowAcks(t, time.Second)
		r := s.run(nil, func(cfg *blaze.Config) { cfg.AckBatch = 1 })
		synctest.Wait()
		for range 40 { // with 32 slots each
			ctx := &fickleContext{Context: t.Context()}
			ctx.calls.Store(1)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = r.Ack(ctx, blaze.StatusRead, manyIDs("m", 32)...)
			}()
			<-ended
		}
		require.NoError(t, r.Ack(t.Context(), blaze.StatusRead, manyIDs("n", 32)...))
	})
}
