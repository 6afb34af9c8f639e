package blazetest_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func nextOf(t *testing.T, from interface {
	Next(ctx context.Context) (blaze.Outgoing, error)
},
) blaze.Outgoing {
	t.Helper()
	out, err := from.Next(t.Context())
	require.NoError(t, err)
	return out
}

// Every cursor is one of its own: what one returned, the others return too.
func TestCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, echo, nil)
		alice, bob := s.User("alice"), s.User("bob")
		staff := s.Group("staff", alice, bob)
		alice.Say("1")
		require.Equal(t, blaze.Text("echo: 1"), nextOf(t, alice).Payload)
		bob.Say("2")
		require.Equal(t, blaze.Text("echo: 2"), nextOf(t, bob).Payload)
		staff.As(bob).Say("3")
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff).Payload)
		alice.Say("4")
		require.Equal(t, blaze.Text("echo: 4"), nextOf(t, alice).Payload)
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff.As(alice)).Payload)
		require.Equal(t, blaze.Text("echo: 3"), nextOf(t, staff.As(bob)).Payload)
		for _, text := range []blaze.Text{"echo: 1", "echo: 2", "echo: 3", "echo: 4"} {
			require.Equal(t, text, nextOf(t, s).Payload)
		}
		require.NoError(t, s.Idle(t.Context()))
	})
}
