package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
	"github.com/mixin-blaze/blaze/examples/internal/show/showtest"
)

func TestBot(t *testing.T) {
	showtest.Run(t, func(t *testing.T) show.Demo {
		return show.Demo{Bot: newBot(filepath.Join(t.TempDir(), "payments"), believe), Script: script}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The message about a payment proves nothing. The bot books the payment that the HTTP API returns.
func TestLookUp(t *testing.T) {
	const id = "0f2b6f2e-5d3c-4a9e-9a25-3f0a3c1d2b4e"
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		defer s.Close()
		cfg := s.Config
		cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "GET /safe/snapshots/"+id, r.Method+" "+r.URL.Path)
			return &http.Response{
				StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(
					`{"data":{"snapshot_id":"` + id + `","opponent_id":"","amount":"-1"}}`)),
			}, nil
		})}
		c, err := blaze.New(s.Key, &cfg)
		require.NoError(t, err)
		p, err := lookUp(t.Context(), c, blaze.SafeSnapshot{SnapshotID: id, Amount: "1000"})
		require.NoError(t, err)
		assert.Equal(t, payment{SnapshotID: id, Amount: "-1"}, p)
	})
}

// The process dies after it has booked a payment, and in the middle of the next line. The next process books and thanks
// once.
func TestAPaymentIsBookedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payments")
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		alice := s.User("alice")
		ctx, die := context.WithCancel(t.Context())
		cfg := s.Config
		cfg.Drain = -1
		c, err := blaze.New(s.Key, &cfg)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() {
			dying := func(ctx context.Context, c *blaze.Client, s blaze.SafeSnapshot) (payment, error) {
				p, err := believe(ctx, c, s)
				assert.NoError(t, (&book{path: path}).add(p))
				die()
				<-ctx.Done()
				return p, err
			}
			ended <- c.Run(ctx, newBot(path, dying)(c))
		}()
		s.Transfer(blazetest.UserID("alice"), "0.5", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "")
		require.ErrorIs(t, <-ended, blaze.ErrDrain)
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		_, err = file.WriteString(`{"snapshot_id":"half`)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		_, _ = blazetest.Run(t, s, newBot(path, believe), nil)
		require.NoError(t, s.Idle(t.Context()))
		alice.Say("/balance")
		s.Transfer(blazetest.UserID("alice"), "1", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "")
		require.NoError(t, s.Idle(t.Context()))
		alice.Say("/balance")
		require.NoError(t, s.Idle(t.Context()))
		var texts []blaze.Payload
		for _, out := range s.Sent() {
			texts = append(texts, out.Payload)
		}
		assert.Equal(t, []blaze.Payload{
			blaze.Text("Thank you for 0.5 BTC."), blaze.Text("0.5 BTC"),
			blaze.Text("Thank you for 1 BTC."), blaze.Text("1.5 BTC"),
		}, texts)
	})
}

// The process dies after its thanks, and before the message is acknowledged. The next process thanks again with the
// same id, so there is one message.
func TestThanksAreSentOnce(t *testing.T) {
	bot := newBot(filepath.Join(t.TempDir(), "payments"), believe)
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		t.Cleanup(s.Close)
		kill := showtest.Kill(t, s, bot)
		alice := s.User("alice")
		s.Transfer(alice.ID(), "0.5", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "")
		_, err := alice.Next(t.Context())
		require.NoError(t, err)
		kill()
		require.Len(t, s.Pending(), 1)
		_, _ = blazetest.Run(t, s, bot, nil)
		require.NoError(t, s.Idle(t.Context()))
		assert.Len(t, s.Sent(), 1)
	})
}

// Deposits and payments of the bot itself are not booked, and nobody is thanked.
func TestOtherSnapshotsAreNotBooked(t *testing.T) {
	for name, p := range map[string]payment{
		"a deposit":            {SnapshotID: "1", Amount: "1"},
		"a payment of the bot": {SnapshotID: "1", OpponentID: blazetest.UserID("alice"), Amount: "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "payments")
			synctest.Test(t, func(t *testing.T) {
				look := func(context.Context, *blaze.Client, blaze.SafeSnapshot) (payment, error) { return p, nil }
				s, _ := blazetest.Start(t, newBot(path, look), nil)
				s.Transfer(s.User("alice").ID(), "1", "c6d0c728-2624-429b-8e0d-d9d19b6592fa", "")
				require.NoError(t, s.Idle(t.Context()))
				assert.Empty(t, s.Sent())
				assert.NoFileExists(t, path)
			})
		})
	}
}
