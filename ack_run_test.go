package blaze_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// An Ack that comes too late while Run drains returns ErrClosed. It must not look confirmed.
func TestAckWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		c := s.newClient(botID, nil)
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, nil) }()
		sent := make(chan error, 1)
		go func() {
			_, err := c.Send(t.Context(), textA)
			sent <- err
		}()
		r := s.next()
		cancel()
		synctest.Wait() // the send keeps Run from ending
		assert.ErrorIs(t, c.Ack(t.Context(), blaze.StatusRead, messageA), blaze.ErrClosed)
		_, err := c.Send(t.Context(), textA)
		assert.ErrorIs(t, err, blaze.ErrClosed)
		r.confirm()
		require.NoError(t, <-sent)
		s.cut()
		require.NoError(t, <-ended)
		s.none()
	})
}

// An Ack before Run waits for Run. Its Ledger gets a context all the same.
func TestAckBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		var contexts []context.Context
		l := ledgerFuncs{record: func(ctx context.Context, _ string) error {
			contexts = append(contexts, ctx)
			return ctx.Err()
		}}
		c := s.newClient(botID, func(cfg *blaze.Config) { cfg.Ack, cfg.Ledger = blaze.AckManual, l })
		early, cancelEarly := context.WithTimeout(t.Context(), time.Second)
		defer cancelEarly()
		err := c.Ack(early, blaze.StatusRead, messageA)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, blaze.ErrNotRunning)

		acked := make(chan error, 1)
		go func() { acked <- c.Ack(t.Context(), blaze.StatusRead, messageB) }()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, nil) }()
		s.next().confirm()
		require.NoError(t, <-acked)
		cancel()
		s.cut()
		require.NoError(t, <-ended)
		require.Len(t, contexts, 2)
		for _, ctx := range contexts {
			assert.NotNil(t, ctx)
		}
	})
}
