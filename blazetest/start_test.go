package blazetest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestStartEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, echo, nil)
		alice := blazetest.UserID("alice")
		id := s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hello")})
		got, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Outgoing{
			ConversationID: c.ConversationWith(alice), Payload: blaze.Text("echo: hello"),
			MessageID: got.MessageID, RecipientID: alice,
		}, got)
		require.NoError(t, s.Idle(t.Context()))
		require.Equal(t, []string{id}, s.Acked())
		require.Len(t, s.Sent(), 1)
	})
}

func TestStartSurvivesCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, echo, nil)
		alice := blazetest.UserID("alice")
		for _, a := range []blazetest.Answer{
			{Cut: true}, {Cut: true, Hang: true}, {Hang: true}, {Bytes: []byte("x")}, blazetest.Refuse(429),
		} {
			s.Intercept(wire.ActionCreateMessage, answer(a))
			s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("hello")})
			require.NoError(t, s.Idle(t.Context()))
			s.Cut()
		}
		require.Len(t, s.Sent(), 5)
		require.NotZero(t, c.Stats().Resent)
	})
}

func TestStartSendOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, nil, func(cfg *blaze.Config) { cfg.SendAttempts = 1 })
		_, err := c.OpenConversation(t.Context(), id1)
		require.NoError(t, err)
		want := blaze.Outgoing{
			ConversationID: c.ConversationWith(id1), Payload: blaze.Sticker{StickerID: id2},
			MessageID: id3, RecipientID: id1, ExpireIn: time.Hour, Silent: true, Mentions: nil,
		}
		_, err = c.Send(t.Context(), want)
		require.NoError(t, err)
		got, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// fakeTB is a TB with failures that do not count.
type fakeTB struct {
	faults
	cleanups []func()
}

func (f *fakeTB) Helper()                           {}
func (f *fakeTB) Errorf(format string, args ...any) { f.add(format, args...) }
func (f *fakeTB) Cleanup(fn func())                 { f.cleanups = append(f.cleanups, fn) }

func (f *fakeTB) end() {
	for i := range f.cleanups {
		f.cleanups[len(f.cleanups)-1-i]()
	}
}

func TestStartFailsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := new(fakeTB)
		s, _ := blazetest.Start(tb, func(*blaze.Client) blaze.Handler { return nil }, nil)
		synctest.Wait()
		// Twice, because the client then tests over HTTP whether its session is valid.
		second := make(chan struct{})
		s.Intercept("GET /", answer(blazetest.Refuse(blaze.CodeUnauthorized)))
		s.Intercept("GET /me", func(blazetest.Frame) blazetest.Answer {
			close(second)
			return blazetest.Refuse(blaze.CodeUnauthorized)
		})
		s.Cut()
		<-second
		synctest.Wait()
		tb.end()
		require.Len(t, tb.take(), 1)
	})
}

func TestStartWithoutAValidConfiguration(t *testing.T) {
	tb := new(fakeTB)
	_, c := blazetest.Start(tb, nil, func(cfg *blaze.Config) { cfg.Endpoints = []string{"gopher://"} })
	require.Nil(t, c)
	tb.end()
	require.Len(t, tb.take(), 1)
}

func TestUserID(t *testing.T) {
	require.Equal(t, "a779277a-deb7-57c7-bbdf-5037368cefc5", blazetest.UserID("alice"))
	require.NotEqual(t, blazetest.UserID("alice"), blazetest.UserID("bob"))
}

func ExampleStart() {
	t := new(exampleTB) // in a test, the *testing.T
	defer t.end()
	s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
		return blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
			return c.Reply(ctx, m, "echo: "+text)
		})
	}, nil)
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hello")})
	answer, err := s.Next(context.Background())
	fmt.Println(answer.Payload, err)
	// Output: echo: hello <nil>
}

type exampleTB struct{ fakeTB }
