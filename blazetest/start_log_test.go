package blazetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// logged is a test with a readable log.
type logged struct {
	*testing.T
	faults
}

func (l *logged) Logf(format string, args ...any) { l.add(format, args...) }

func TestStartLogsWhyABotSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logged{T: t}
		s, _ := blazetest.Start(l, func(*blaze.Client) blaze.Handler {
			return func(context.Context, *blaze.Message) error { return errors.New("the database is down") }
		}, nil)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")})
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := s.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err,
			"1 connections, 1 with pushes; 1 messages pending, 0 sent; 0 requests unanswered")
		require.Contains(t, strings.Join(l.take(), "\n"), "the database is down")
	})
}

// Replay times out for a client that pings and reconnects but does not write the expected frame.
func TestReplayGivesUpOnALivelyClient(t *testing.T) {
	const list = "b5ddaa00-3a1c-4732-99c8-daac36c8475c"
	const at = `{"at":"2026-11-23T04:19:52Z",`
	lines := at + `"dir":"out","frame":{"id":"` + list + `","action":"LIST_PENDING_MESSAGES"}}` + "\n" +
		at + `"dir":"in","frame":{"id":"` + list + `","action":"LIST_PENDING_MESSAGES"}}` + "\n" +
		at + `"dir":"out","frame":{"id":"` + id1 + `","action":"CREATE_MESSAGE",` +
		`"params":{"message_id":"` + id1 + `","data":"eA=="}}}` + "\n"
	for name, speaks := range map[string]bool{"silent": false, "says something else": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := blazetest.Start(t, func(*blaze.Client) blaze.Handler { return blaze.Route() }, nil)
				sent := make(chan error, 1)
				ctx, stop := context.WithCancel(t.Context())
				if speaks {
					go func() {
						time.Sleep(time.Second) // the replay has started; before that, the server would answer as usual
						_, err := c.Send(ctx, c.ToUser(blazetest.UserID("alice"), blaze.Text("something else")))
						sent <- err
					}()
				}
				err := s.Replay(strings.NewReader(lines))
				require.ErrorContains(t, err, "line 3 of the recording: waiting for CREATE_MESSAGE")
				stop()
				if speaks {
					require.Error(t, <-sent)
				}
			})
		})
	}
}

func TestReplayOfNothing(t *testing.T) {
	s, _ := newServer(t)
	require.ErrorContains(t, s.Replay(nil), "the recording is a nil reader")
}
