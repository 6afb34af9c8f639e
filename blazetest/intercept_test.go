package blazetest_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestInterceptReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connect(t, s)
		s.Intercept(wire.ActionCreateMessage, func(req blazetest.Frame) blazetest.Answer {
			require.Contains(t, string(req.Params), id2)
			next := &blazetest.Frame{Data: []byte(`{"category":""}`)}
			s.Intercept(wire.ActionCreateMessage, answer(blazetest.Answer{Reply: next}))
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		reply := c.call(wire.ActionCreateMessage, textMessage(nil))
		require.Equal(t, &wire.Error{Status: 202, Code: 403, Description: "Forbidden"}, reply.Error)
		require.JSONEq(t, `{"category":""}`, string(c.call(wire.ActionCreateMessage, textMessage(nil)).Data))
		require.Empty(t, s.Sent())

		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Answer{}))
		require.Nil(t, c.call(wire.ActionCreateMessage, textMessage(nil)).Error)
		require.Len(t, s.Sent(), 1)

		failure := &blazetest.Frame{ID: id3, Action: "ERROR", Error: &blaze.Error{Code: 401}}
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Answer{Reply: failure}))
		c.write(wire.ActionCreateMessage, textMessage(nil))
		require.Equal(t, wire.Frame{ID: id3, Action: "ERROR", Error: &wire.Error{Code: 401}}, c.read())
		require.NoError(t, s.Idle(ctx(t)))
	})
}

func TestInterceptHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x"), MessageID: id1})
		c := connect(t, s)
		s.Intercept(wire.ActionListPending, answer(blazetest.Answer{Hang: true}))
		c.write(wire.ActionListPending, nil)
		require.Equal(t, id1, c.pushed().MessageID, "carried out, and never answered")
		s.Intercept(wire.ActionAck, answer(blazetest.Answer{Hang: true, Cut: true}))
		c.write(wire.ActionAck, object{"message_id": id1, "status": "READ"})
		require.Error(t, c.ended())
		require.NoError(t, s.Idle(ctx(t)))
		require.Equal(t, []string{id1}, s.Acked())
	})
}

func TestInterceptCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		for _, a := range []blazetest.Answer{{Cut: true}, {Cut: true, Hang: true}} {
			c := connect(t, s)
			s.Intercept(wire.ActionCreateMessage, answer(a))
			c.write(wire.ActionCreateMessage, textMessage(nil))
			require.True(t, websocket.IsCloseError(c.ended(), websocket.CloseAbnormalClosure), "no close frame")
			require.Equal(t, a.Hang, len(s.Sent()) == 1)
		}
	})
}

func TestInterceptBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Answer{Bytes: []byte("garbage"), Cut: true}))
		c.write(wire.ActionCreateMessage, textMessage(nil))
		_, p, err := c.ws.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, "garbage", string(p))
		require.Error(t, c.ended())
		require.Empty(t, s.Sent())
	})
}

func TestInterceptInvalidReplyIsMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := connect(t, s)
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Answer{Reply: &blazetest.Frame{Data: []byte("{")}}))
		c.write(wire.ActionCreateMessage, textMessage(nil))
		require.Nil(t, c.call(wire.ActionListPending, nil).Error)
		require.Len(t, f.take(), 1)
		require.NoError(t, s.Idle(ctx(t)))
	})
}

func TestRefuse(t *testing.T) {
	for code, want := range map[blaze.Code]blaze.Error{
		500:   {Code: 500, Status: 500, Description: "Internal Server Error"},
		7000:  {Code: 7000, Status: 500, Description: "Blaze server error"},
		7001:  {Code: 7001, Status: 500, Description: "Blaze operation timeout"},
		401:   {Code: 401, Status: 202, Description: "Unauthorized"},
		10002: {Code: 10002, Status: 202, Description: "Invalid field"},
		10006: {Code: 10006, Status: 202, Description: "Update required"},
		20116: {Code: 20116, Status: 202, Description: "The group is full"},
		20140: {Code: 20140, Status: 202, Description: "Conversation checksum is not valid"},
		12345: {Code: 12345, Status: 202, Description: "Rejected"},
	} {
		require.Equal(t, &want, blazetest.Refuse(code).Reply.Error)
	}
}

// TestCloseJoins relies on synctest, which fails a test with remaining goroutines.
func TestCloseJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		var clients []*raw
		for range 3 {
			clients = append(clients, connectAndList(t, s))
		}
		// One client does not read, another has sent nothing yet.
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		idle, err := s.Config.DialContext(ctx(t), "tcp", "localhost:80")
		require.NoError(t, err)
		release := make(chan struct{})
		s.Intercept(wire.ActionCreateMessage, func(blazetest.Frame) blazetest.Answer {
			<-release
			return blazetest.Answer{}
		})
		clients[0].write(wire.ActionCreateMessage, textMessage(nil))
		waiting := make(chan error)
		go func() {
			_, err := s.Next(ctx(t))
			waiting <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(s.Close)
		wg.Go(s.Close)
		wg.Wait()
		require.ErrorContains(t, <-waiting, "closed")
		for _, c := range clients {
			require.Error(t, c.ended())
		}
		_, err = idle.Read(make([]byte, 1))
		require.Error(t, err)
		_, err = s.Config.DialContext(ctx(t), "tcp", "localhost:80")
		require.Error(t, err)
		require.Error(t, s.Idle(ctx(t)))
		close(release)
	})
}

func TestCloseInsideIntercept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		c := connect(t, s)
		s.Intercept(wire.ActionListPending, func(blazetest.Frame) blazetest.Answer {
			s.Close()
			return blazetest.Answer{}
		})
		c.write(wire.ActionListPending, nil)
		require.Error(t, c.ended())
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		short, cancel := contextWithTimeout(t, time.Minute)
		defer cancel()
		_, err := s.Next(short)
		require.ErrorIs(t, err, short.Err())
		require.ErrorIs(t, s.Idle(short), short.Err())
	})
}

func TestManyClientsAtOnce(t *testing.T) {
	s, _ := newLenientServer(t)
	const most, each = 4, 25
	var clients []*raw
	for range most {
		clients = append(clients, connectAndList(t, s))
	}
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			alice := blazetest.UserID(fmt.Sprint("user ", i))
			for j := range each {
				s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("x")})
				c.write(wire.ActionCreateMessage, textMessage(object{"message_id": blazetest.UserID(fmt.Sprint(i, j))}))
				_, _, _ = s.Sent(), s.Pending(), s.Acked()
			}
			for range 2*most*each + each { // every message, the replies to its acknowledgement, and those to sends
				c.acknowledge()
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Idle(ctx(t)))
	require.Len(t, s.Sent(), most*each)
	require.Len(t, s.Acked(), most*each)
}

func TestErrorfDefaultsToStandardError(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	s := blazetest.NewServer()
	defer s.Close()
	s.Deliver("alice", blaze.Outgoing{})
	os.Stderr = stderr
	require.NoError(t, w.Close())
	p := make([]byte, 1000)
	n, err := r.Read(p)
	require.NoError(t, err)
	require.Equal(t, "blazetest: Deliver: the user's id must be a UUID in lowercase\n", string(p[:n]))
}
