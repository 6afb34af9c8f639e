package blaze_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Without the plural action each acknowledgement is a frame of its own. No frame waits for more ids.
func TestSingleAcknowledgementsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, func(*blaze.Client) blaze.Handler {
			return blaze.On(func(context.Context, *blaze.Message, blaze.Payload) error { return nil })
		}, nil)
		s.Intercept("ACKNOWLEDGE_MESSAGE_RECEIPTS", func(blazetest.Frame) blazetest.Answer {
			return blazetest.Refuse(blaze.CodeInvalidField)
		})
		deliver := func() {
			for range 20 {
				s.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")})
			}
			require.NoError(t, s.Idle(t.Context()))
		}
		deliver() // the client learns that the action is missing
		began := time.Now()
		deliver()
		assert.Less(t, time.Since(began), 100*time.Millisecond)
	})
}
