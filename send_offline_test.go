package blaze_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// After a rejected connection, a send that cannot wait fails with an error that is not a rejection of its message.
// Otherwise a handler's message would be dropped at once.
func TestSendWhileTheConnectionWasRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		s.Intercept(actionList, rejected(blaze.CodeInvalidField))
		lost := make(chan struct{}, 1)
		cfg := s.Config
		cfg.Trace = &blaze.Trace{Disconnected: func(error, time.Duration) {
			select {
			case lost <- struct{}{}:
			default:
			}
		}}
		c, err := blaze.New(s.Key, &cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- c.Run(ctx, blaze.On(func(context.Context, *blaze.Message, blaze.Payload) error { return nil }))
		}()
		<-lost

		expired, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Send(expired, c.ToUser(userID("alice"), blaze.Text("hi")))
		require.ErrorIs(t, err, context.Canceled)
		assert.Contains(t, err.Error(), "LIST_PENDING_MESSAGES rejected")
		var rejected *blaze.Error
		assert.NotErrorAs(t, err, &rejected)
		stop()
		require.NoError(t, <-ended)
	})
}

// A second Run fails whatever the first one does, even while the first one is in backoff.
func TestASecondRunWhileThereIsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		lost := make(chan struct{}, 100)
		cfg := s.Config
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, assert.AnError }
		cfg.Trace = &blaze.Trace{Disconnected: func(error, time.Duration) { lost <- struct{}{} }}
		c, err := blaze.New(s.Key, &cfg)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, nil) }()
		<-lost
		synctest.Wait() // Run is in backoff now
		assert.ErrorIs(t, c.Run(ctx, nil), blaze.ErrClosed)
		stop()
		require.NoError(t, <-ended)
	})
}
