package blazetest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestTwoConnectionsAreReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		first, second := connect(t, s), connect(t, s)
		synctest.Wait()
		for _, c := range []*raw{first, second, first} {
			require.Nil(t, c.call("PING", nil).Error, "both are served")
		}
		synctest.Wait()
		third := connect(t, s)
		synctest.Wait()
		require.Nil(t, second.call("PING", nil).Error)
		require.Nil(t, third.call("PING", nil).Error)
		reports := f.take()
		require.Len(t, reports, 1)
		require.Contains(t, reports[0], "two connections at once, 1 and 2")
	})
}

func TestTwoConnectionsThatAreNotReported(t *testing.T) {
	for name, end := range map[string]func(*blazetest.Server, *raw){
		"cut":     func(s *blazetest.Server, _ *raw) { s.Cut() },
		"dropped": func(_ *blazetest.Server, c *raw) { _ = c.ws.NetConn().Close() },
		"closed": func(_ *blazetest.Server, c *raw) {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, ""), time.Time{})
		},
		"silent": func(*blazetest.Server, *raw) {}, // the network has failed, and the connection is not closed
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newServer(t)
				older := connect(t, s)
				end(s, older)
				newer := connect(t, s)
				for range 5 {
					require.Nil(t, newer.call("PING", nil).Error)
				}
			})
		})
	}
}

// A pong for a ping that preceded the second connection does not count.
func TestALatePongIsNoSecondConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		older := connect(t, s)
		pings := make(chan string, 10)
		older.ws.SetPingHandler(func(payload string) error {
			pings <- payload
			return nil
		})
		go func() { _ = older.ended() }()
		before := <-pings
		synctest.Wait()
		connect(t, s)
		<-pings // the ping of the second connection is not answered
		require.NoError(t, older.ws.WriteControl(websocket.PongMessage, []byte(before), time.Time{}))
		require.NoError(t, older.ws.WriteControl(websocket.PongMessage, []byte("unasked"), time.Time{}))
		synctest.Wait()
	})
}

// A connection with a rejected token does not count.
func TestARefusedConnectionIsNoSecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		for range 2 {
			ws, _, err := handshake(s, nil)
			require.NoError(t, err)
			rejection := &raw{t: t, ws: ws}
			require.Equal(t, 401, rejection.read().Error.Code)
			go func() { _ = rejection.ended() }()
			t.Cleanup(func() { _ = ws.Close() })
		}
		c := connect(t, s)
		require.Nil(t, c.call("PING", nil).Error)
		_, _, err := handshake(s, nil)
		require.NoError(t, err)
		synctest.Wait()
		require.Nil(t, c.call("PING", nil).Error)
		synctest.Wait()
		require.Len(t, f.take(), 3, "their tokens, and no more")
	})
}

// A client that replaces its connection is not reported, even while the old connection is closing.
func TestAReplacedConnectionIsNoSecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
			return blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
				time.Sleep(time.Second)
				return c.Reply(ctx, m, text[:1])
			})
		}, func(cfg *blaze.Config) { cfg.InboxBytes, cfg.Workers = 8<<10, 1 })
		text := blaze.Text(strings.Repeat("x", 2<<10))
		for range 20 {
			s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: text})
		}
		require.NoError(t, s.Idle(t.Context()))
		require.Greater(t, c.Stats().Connects, uint64(1), "it has listed again, on another connection")
	})
}
