package show_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

func newBot(c *blaze.Client) blaze.Handler {
	return blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.Payload) error {
		if m.Category.System() {
			return nil
		}
		return c.Reply(ctx, m, p)
	})
}

func TestPlay(t *testing.T) {
	const want = `  alice       hello
  bot         hello
  alice       (transfer of 2, memo "rent")
              (paid)
              (the bot starts again)
  bob         [Yes] [No]
  bot         [Yes] [No]
              (staff: CREATE)
  bob@staff   one
              two
  bot@staff   one
              two
  bob         (encrypted)
  bot         secret
`
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, show.Demo{
			Bot: newBot, Script: "alice: hello\nbot> hello\n",
			Talk: func(ctx context.Context, st *show.Stage) error {
				bob := st.User("bob")
				st.Transfer(st.User("alice").ID(), "2", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "rent")
				require.NoError(t, st.Note(ctx, "paid"))
				st.Stop()
				bob.Send(blaze.ButtonGroup{blaze.SayButton("Yes", "yes"), blaze.SayButton("No", "no")})
				st.Start() //nolint:contextcheck // the bot ends with Play
				require.NoError(t, st.Idle(ctx))
				st.Group("staff", bob).As(bob).Say("one\ntwo")
				require.NoError(t, st.Idle(ctx))
				bob.SendEncrypted(blaze.Text("secret"))
				return nil
			},
		}.Play(t.Context(), &out))
		require.Equal(t, want, out.String())
	})
}

// A conversation that differs from the script ends at once, although the bot handles its message again and again.
func TestPlayFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := show.Demo{Bot: func(*blaze.Client) blaze.Handler {
			return func(context.Context, *blaze.Message) error { return context.DeadlineExceeded }
		}, Script: "alice: hello\nbot> hello\n"}.Play(t.Context(), new(bytes.Buffer))
		require.ErrorContains(t, err, "testdata/demo.txt:2: the bot sent no message")
		require.Less(t, time.Since(began), 30*time.Second)
	})
}
