package blazetest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestAUserIsNoConversation(t *testing.T) {
	s, faults := newServer(t)
	c, err := blaze.New(s.Key, &s.Config)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context(), nil) }()
	t.Cleanup(func() { assert.NoError(t, <-ended) })
	alice := blazetest.UserID("alice")
	s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hi")})
	_, err = c.Send(t.Context(), blaze.To(alice, blaze.Text("hi")))
	require.ErrorIs(t, err, blaze.CodeInvalidField)
	require.Len(t, faults.take(), 1)
	_, err = c.Send(t.Context(), c.ToUser(alice, blaze.Text("hi")))
	require.NoError(t, err)
	assert.Len(t, s.Sent(), 1)
}

func TestInterceptKnowsItsActions(t *testing.T) {
	s, faults := newServer(t)
	usual := func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{} }
	for _, action := range []string{
		"LIST_PENDING_MESSAGES", "CREATE_MESSAGE", "CREATE_PLAIN_MESSAGES", "ACKNOWLEDGE_MESSAGE_RECEIPT",
		"ACKNOWLEDGE_MESSAGE_RECEIPTS", "GET /", "POST /attachments",
	} {
		s.Intercept(action, usual)
	}
	assert.Empty(t, faults.take())
	s.Intercept("CREATE_MESAGE", usual)
	assert.Len(t, faults.take(), 1)
}
