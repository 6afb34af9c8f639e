package blaze_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// People know identity numbers, so an error says that an id is another thing.
func TestIdentityNumbersAreNoIDs(t *testing.T) {
	const number = "7000101488"
	c := prepare(t, nil).Client
	_, toUser := c.Send(t.Context(), c.ToUser(number, blaze.Text("hi")))
	_, open := c.OpenConversation(t.Context(), number)
	_, contact := blaze.EncodePayload(blaze.Contact{UserID: number})
	for _, err := range []error{toUser, open, contact} {
		require.ErrorIs(t, err, blaze.ErrInvalid)
		assert.ErrorContains(t, err, "is an identity number: use the id of the user")
	}
	_, err := c.OpenConversation(t.Context(), number+"x")
	assert.ErrorContains(t, err, "is not a UUID")
}
