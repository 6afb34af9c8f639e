package blazetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestRecorderRoundTrip(t *testing.T) {
	var recording bytes.Buffer
	receipts := 0
	edit := func(cfg *blaze.Config) { cfg.OnReceipt = func(blaze.Receipt) { receipts++ } }
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, echo, func(cfg *blaze.Config) {
			edit(cfg)
			cfg.Trace = blazetest.Recorder(&recording, nil)
		})
		for _, user := range []string{"alice", "bob", "alice"} {
			s.Deliver(blazetest.UserID(user), blaze.Outgoing{Payload: blaze.Text("hello")})
		}
		require.NoError(t, s.Idle(t.Context()))
		sent, err := c.Send(t.Context(), c.ToUser(blazetest.UserID("alice"), blaze.Text("by the way")))
		require.NoError(t, err)
		s.Receipt(sent.MessageID, blaze.StatusRead)
		synctest.Wait()
	})
	require.Equal(t, 1, receipts)
	replayTo(t, recording.String(), echo, edit, func(ctx context.Context, c *blaze.Client) {
		_, err := c.Send(ctx, c.ToUser(blazetest.UserID("alice"), blaze.Text("by the way")))
		require.NoError(t, err)
	})
	require.Equal(t, 2, receipts)
}

func TestRecorderRemovesSecrets(t *testing.T) {
	var w bytes.Buffer
	trace := blazetest.Recorder(&w, nil)
	trace.FrameRead([]byte(`{"b":1.50,"a":{"Key":"s3cret","list":[{"pin":123456},{"token":["s3cret"]}]},` +
		`"session_id":"` + id1 + `","private_key":{"x":"s3cret"}}`))
	trace.FrameWritten([]byte(`{"sessions":[{"session_id":"` + id1 + `"},{"session_id":""},` +
		`{"session_id":"` + id2 + `"}],"t":"<&>"}`))
	require.NotContains(t, w.String(), "s3cret")
	require.NotContains(t, w.String(), "123456")
	require.NotContains(t, w.String(), id1)
	lines := strings.Split(w.String(), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0],
		`"dir":"in","frame":{"b":1.50,"a":{"Key":"","list":[{"pin":""},{"token":""}]},"session_id":"`)
	var read struct {
		Frame struct {
			SessionID string `json:"session_id"`
		} `json:"frame"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &read))
	require.Contains(t, lines[1], `"dir":"out","frame":{"sessions":[`+
		`{"session_id":"`+read.Frame.SessionID+`"},{"session_id":""},{"session_id":"`)
	require.Contains(t, lines[1], `"t":"<&>"`)

	w.Reset()
	trace.FrameRead([]byte(`{"pin":"s3cret`))
	trace.FrameRead([]byte(`"s3cret"`))
	require.Equal(t, 2, strings.Count(w.String(), `"raw":"`))
	require.Equal(t, 2, strings.Count(w.String(), "\n"))
}

func TestRecorderCallsNext(t *testing.T) {
	var calls []string
	displayName := func(name string) { calls = append(calls, name) }
	trace := blazetest.Recorder(failing{}, &blaze.Trace{
		Connected:    func(string) { displayName("connected") },
		Disconnected: func(error, time.Duration) { displayName("disconnected") },
		FrameRead:    func(p []byte) { displayName("read " + string(p)) },
		FrameWritten: func(p []byte) { displayName("written " + string(p)) },
		HandlerError: func(*blaze.Message, error) { displayName("handler error") },
		Dropped:      func(*blaze.Message, error) { displayName("dropped") },
	})
	trace.Connected("")
	trace.Disconnected(nil, 0)
	trace.FrameRead([]byte("{}"))
	trace.FrameWritten([]byte("{}"))
	trace.HandlerError(nil, nil)
	trace.Dropped(nil, nil)
	require.Equal(t, []string{"connected", "disconnected", "read {}", "written {}", "handler error", "dropped"}, calls)
	require.Nil(t, blazetest.Recorder(failing{}, &blaze.Trace{}).Connected)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	var w bytes.Buffer
	trace := blazetest.Recorder(&w, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				trace.FrameRead([]byte(`{"id":"1"}`))
				trace.FrameWritten([]byte(`{"id":"1"}`))
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8*20*2, strings.Count(w.String(), "\n"))
}
