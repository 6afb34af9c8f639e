package blazetest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// watch collects events of the given kinds, or of all. They may be read after synctest.Wait.
func watch(s *blazetest.Server, kinds ...string) *[]blazetest.Event {
	events := new([]blazetest.Event)
	s.Watch(func(e blazetest.Event) {
		if kinds == nil || strings.Contains(strings.Join(kinds, " "), e.Kind) {
			*events = append(*events, e)
		}
	})
	return events
}

func TestWatchASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		events := watch(s)
		c := connectAndList(t, s)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x"), MessageID: id1})
		require.Equal(t, id1, c.pushed().MessageID)
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": id1, "status": "READ"}).Error)
		require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(nil)).Error)
		require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(nil)).Error)
		s.Cut()
		require.Error(t, c.ended())
		synctest.Wait()
		var got []string
		for _, e := range *events {
			require.Equal(t, time.Now(), e.At)
			require.Equal(t, e.Kind != "message" && e.Kind != "ack" && e.Kind != "http", e.Link == 1, e.Kind)
			if e.Kind == "in" || e.Kind == "out" {
				require.Equal(t, len(e.Frame), e.Size)
				f, err := wire.Parse(e.Frame)
				require.NoError(t, err)
				require.Equal(t, f.Action, e.Text)
			}
			if e.Kind != "http" { // the handshake's event may come at any time after the connection's
				got = append(got, e.Kind+" "+e.Text)
			}
		}
		require.Len(t, *events, len(got)+1)
		require.Equal(t, []string{
			"connected ", "out LIST_PENDING_MESSAGES", "in LIST_PENDING_MESSAGES", "in CREATE_MESSAGE",
			"out ACKNOWLEDGE_MESSAGE_RECEIPT", "ack READ", "in ACKNOWLEDGE_MESSAGE_RECEIPT",
			"out CREATE_MESSAGE", "message ", "in CREATE_MESSAGE", "out CREATE_MESSAGE", "in CREATE_MESSAGE",
			"disconnected ",
		}, got)
		for _, e := range *events {
			switch e.Kind {
			case "message":
				require.Equal(t, &s.Sent()[0], e.Message)
			case "ack":
				require.Equal(t, &blaze.Outgoing{MessageID: id1}, e.Message)
			case "http":
				require.Equal(t, []any{"GET", "/", 101}, []any{e.Method, e.Path, e.Status})
			}
		}
	})
}

func TestWatchHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		events := watch(s, "http", "fault", "misuse", "connected")
		client := httpClient(s)
		resp, err := client.Get(s.Config.API + "/me?x=y")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		connectNothing(t, s)
		s.Intercept("GET /me", answer(blazetest.Answer{Cut: true}))
		_, err = client.Get(s.Config.API + "/me")
		require.Error(t, err)
		synctest.Wait()
		_, _, err = handshake(s, nil)
		require.NoError(t, err)
		synctest.Wait()
		s.Deliver("alice", blaze.Outgoing{})
		synctest.Wait()
		var got []string
		for _, e := range *events {
			idOrMisuse := strings.Join([]string{e.Kind, e.Method, e.Path, http.StatusText(e.Status)}, " ")
			got = append(got, strings.TrimSpace(idOrMisuse))
		}
		require.Equal(t, []string{
			"fault", "http GET /me Accepted", "http GET / Internal Server Error", "http GET /me",
			"fault", "connected", "http GET / Switching Protocols", "misuse",
		}, got)
		require.Equal(t, len(unauthorized), (*events)[1].Size)
		require.NotEmpty(t, (*events)[5].Text, "why its token is refused")
		require.Equal(t, "Deliver: the user's id must be a UUID in lowercase", (*events)[7].Text)
		require.Len(t, f.take(), 3)
	})
}

func TestWatchWhatIsNoFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		events := watch(s, "in")
		c := connect(t, s)
		s.Intercept("PING", answer(blazetest.Answer{Bytes: []byte("garbage")}))
		c.write("PING", nil)
		_, _, err := c.ws.ReadMessage()
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, *events, 1)
		require.Nil(t, (*events)[0].Frame)
		require.Equal(t, len("garbage"), (*events)[0].Size)
	})
}

// The function may call the Server, and end the watch.
func TestWatchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		var got []string
		var stop func()
		stop = s.Watch(func(e blazetest.Event) {
			got = append(got, e.Text)
			if len(got) == 1 {
				s.Receipt(id1, "SEEN") // another event during this one
				return
			}
			stop()
			stop()
		})
		all := watch(s)
		s.Deliver("alice", blaze.Outgoing{})
		synctest.Wait()
		s.Deliver("alice", blaze.Outgoing{})
		synctest.Wait()
		require.Len(t, got, 2)
		require.Contains(t, got[1], "must be DELIVERED or READ")
		require.Len(t, *all, 3)
		require.Len(t, f.take(), 3)
		s.Watch(nil)()
		require.Len(t, f.take(), 1)
	})
}

// Close waits for queued events.
func TestCloseJoinsWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		var got []string
		s.Watch(func(e blazetest.Event) {
			time.Sleep(time.Minute)
			got = append(got, e.Kind)
		})
		c := connect(t, s)
		synctest.Wait()
		s.Close()
		require.Error(t, c.ended())
		require.ElementsMatch(t, []string{"connected", "http", "disconnected"}, got)
		s.Watch(func(blazetest.Event) { t.Error("closed") })()
		s.Deliver("alice", blaze.Outgoing{})
	})
}
