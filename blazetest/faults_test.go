package blazetest_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func nanoseconds(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }

// signed returns the headers of a handshake by a client with a clock offset.
func signed(t *testing.T, s *blazetest.Server, offset time.Duration) http.Header {
	t.Helper()
	return http.Header{"Authorization": {"Bearer " + token(t, s, func(c jwt.MapClaims) {
		c["iat"] = time.Now().Add(offset).Unix()
		c["exp"] = time.Now().Add(offset + time.Hour).Unix()
	})}}
}

// connectSigned connects with a clock offset and lists pending messages.
func connectSigned(t *testing.T, s *blazetest.Server, offset time.Duration) *raw {
	t.Helper()
	ws, _, err := handshake(s, signed(t, s, offset), "Mixin-Blaze-1")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ws.Close() })
	c := &raw{t: t, ws: ws, d: new(wire.Deflater)}
	require.Nil(t, c.call(wire.ActionListPending, nil).Error)
	return c
}

func TestInterceptAllStaysUntilUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		c := connect(t, s)
		code := func() int {
			reply := c.call(wire.ActionCreateMessage, textMessage(nil))
			if reply.Error == nil {
				return 0
			}
			return reply.Error.Code
		}
		undo := s.InterceptAll(wire.ActionCreateMessage, answer(blazetest.Refuse(403)))
		require.Equal(t, []int{403, 403}, []int{code(), code()})
		newer := s.InterceptAll(wire.ActionCreateMessage, answer(blazetest.Refuse(429)))
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Refuse(7000)))
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Refuse(7001)))
		got := []int{code(), code(), code(), code()}
		require.Equal(t, []int{7000, 7001, 429, 429}, got, "those of one request first")
		newer()
		require.Equal(t, 403, code(), "the one before it is asked again")
		newer()
		require.Equal(t, 403, code(), "undo undoes its own")
		undo()
		require.Zero(t, code())
		require.Empty(t, s.Armed())
	})
}

func TestInterceptIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		first := s.Intercept(wire.ActionCreateMessage, answer(blazetest.Refuse(403)))
		second := s.Intercept(wire.ActionCreateMessage, answer(blazetest.Refuse(429)))
		first()
		require.Equal(t, 429, c.call(wire.ActionCreateMessage, textMessage(nil)).Error.Code)
		s.Intercept(wire.ActionCreateMessage, answer(blazetest.Refuse(7000)))
		second()
		require.Equal(t, 7000, c.call(wire.ActionCreateMessage, textMessage(nil)).Error.Code)
	})
}

func TestUndoByTheFunctionItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		var undo func()
		undo = s.InterceptAll("PING", func(blazetest.Frame) blazetest.Answer {
			undo()
			return blazetest.Refuse(500)
		})
		require.NotNil(t, c.call("PING", nil).Error)
		require.Nil(t, c.call("PING", nil).Error)
	})
}

func TestArmed(t *testing.T) {
	s, f := newServer(t)
	usual := answer(blazetest.Answer{})
	require.Empty(t, s.Armed())
	s.InterceptAll("POST /attachments", usual)
	undo := s.Intercept("POST /attachments", usual)
	s.Intercept("POST /attachments", usual)
	s.InterceptAll("handshake", usual)
	s.Intercept("handshake", usual)
	s.InterceptAll("CREATE_MESSAGE", usual)
	require.Equal(t, []string{
		"CREATE_MESSAGE always", "GET / once", "GET / always",
		"POST /attachments once", "POST /attachments once", "POST /attachments always",
	}, s.Armed())
	undo()
	require.Len(t, s.Armed(), 5)
	require.Empty(t, f.take())
	s.InterceptAll("CREATE_MESAGE", usual)
	s.InterceptAll("CREATE_MESSAGE", nil)()
	require.Len(t, f.take(), 2)
}

// "handshake" is another name of "GET /". The answers are those of a proxy or the service.
func TestInterceptTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		header := http.Header{"Authorization": {"Bearer " + token(t, s, nil)}}
		const page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
		for _, test := range []struct {
			answer blazetest.Answer
			status int
		}{
			{blazetest.Refuse(401), 401},
			{blazetest.Refuse(502), 502},
			{blazetest.Answer{Bytes: []byte(page)}, 200},
		} {
			undo := s.InterceptAll("handshake", answer(test.answer))
			for range 2 {
				_, resp, err := handshake(s, header, "Mixin-Blaze-1")
				require.Error(t, err)
				require.Equal(t, test.status, resp.StatusCode)
			}
			undo()
		}
		connect(t, s)
	})
}

func TestCutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServerWith(t, blazetest.Options{Lenient: true})
		s.CutLink(1)
		require.Len(t, f.take(), 1)
		first, second, third := connect(t, s), connect(t, s), connect(t, s)
		s.CutLink(2)
		require.True(t, websocket.IsCloseError(second.ended(), websocket.CloseAbnormalClosure), "no close frame")
		synctest.Wait()
		s.CutLink(2)
		require.Nil(t, first.call("PING", nil).Error)
		require.Nil(t, third.call("PING", nil).Error)
		fourth := connect(t, s)
		s.CutLink(4)
		require.Error(t, fourth.ended(), "numbers are not used again")
		require.Empty(t, f.take())
		s.CutLink(0)
		s.CutLink(5)
		require.Len(t, f.take(), 2)
	})
}

func TestPushAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice := blazetest.UserID("alice")
		c := connectAndList(t, s)
		s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("one"), MessageID: id1})
		s.Deliver(alice, blaze.Outgoing{Payload: blaze.Text("two"), MessageID: id2})
		s.PushAgain()
		for _, id := range []string{id1, id2, id1, id2} {
			require.Equal(t, id, c.pushed().MessageID)
		}
		require.Nil(t, c.call(wire.ActionAck, object{"message_id": id1, "status": "READ"}).Error)
		s.PushAgain()
		require.Equal(t, id2, c.pushed().MessageID)
	})
}

// Nothing is pushed on a connection before it has listed pending messages.
func TestPushAgainOnlyToThoseWhoListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("one")})
		s.PushAgain()
		require.Nil(t, c.call("PING", nil).Error, "the reply comes first")
	})
}

func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, nil, nil)
		a, err := c.Upload(t.Context(), strings.NewReader("hello"), 5)
		require.NoError(t, err)
		file, ok := s.File(a.ID)
		require.True(t, ok)
		require.Equal(t, "hello", string(file))
		file[0] = 'j'
		again, _ := s.File(a.ID)
		require.Equal(t, "hello", string(again), "a copy")
		_, ok = s.File(id1)
		require.False(t, ok)
	})
}

func TestSlowLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		s.Slow(2*time.Second, 0)
		began := time.Now()
		c := connect(t, s)
		require.Equal(t, 2*time.Second, time.Since(began), "the handshake")
		for range 2 {
			began = time.Now()
			c.write("PING", nil)
			c.write("PING", nil)
			c.read()
			c.read()
			require.Equal(t, 2*time.Second, time.Since(began), "frames share the latency")
			s.Slow(2*time.Second, 0)
		}
		s.Slow(0, 0)
		began = time.Now()
		c.call("PING", nil)
		connectNothing(t, s)
		require.Zero(t, time.Since(began))
		s.Slow(-1, 0)
		s.Slow(0, -1)
		require.Len(t, f.take(), 2)
	})
}

// httpClient returns a client that does not reuse connections.
func httpClient(s *blazetest.Server) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true}}
}

// connectNothing sends a handshake that must be rejected.
func connectNothing(t *testing.T, s *blazetest.Server) {
	t.Helper()
	s.Intercept("handshake", answer(blazetest.Refuse(500)))
	_, resp, err := handshake(s, nil)
	require.Error(t, err)
	require.Equal(t, 500, resp.StatusCode)
}

// Frames in transit do not wait for a speed limit that was removed.
func TestSlowEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connect(t, s)
		s.Slow(time.Hour, 1)
		began := time.Now()
		replied := make(chan wire.Frame, 1)
		go func() {
			id := c.write("PING", nil)
			f := c.read()
			require.Equal(t, id, f.ID)
			replied <- f
		}()
		fetched := make(chan error, 1)
		go func() {
			resp, err := httpClient(s).Get(s.Config.API + "/files/" + id1)
			if err == nil {
				err = resp.Body.Close()
			}
			fetched <- err
		}()
		time.Sleep(time.Second)
		require.Empty(t, replied)
		require.Empty(t, fetched)
		s.Slow(0, 0)
		<-replied
		require.NoError(t, <-fetched)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestSlowBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := blazetest.Start(t, nil, nil)
		synctest.Wait()
		file := bytes.Repeat([]byte("x"), 10_000)
		s.Slow(0, 100)
		began := time.Now()
		a, err := c.Upload(t.Context(), bytes.NewReader(file), int64(len(file)))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 100*time.Second)
		require.Less(t, time.Since(began), 110*time.Second, "the answers of the API are short")
		stored, _ := s.File(a.ID)
		require.Equal(t, file, stored)

		began = time.Now()
		body, err := c.Download(t.Context(), a)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, file, got)
		require.GreaterOrEqual(t, time.Since(began), 100*time.Second)
		require.Less(t, time.Since(began), 110*time.Second)
	})
}

// A frame that takes longer than the pong timeout does not end its connection.
func TestSlowFramesEndNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newLenientServer(t)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: "PLAIN_TEXT", Data: noise(10_000)}})
		c := connect(t, s)
		s.Slow(0, 100)
		c.write(wire.ActionListPending, nil)
		c.read()
		began := time.Now()
		require.NotEmpty(t, c.pushed().MessageID)
		require.Greater(t, time.Since(began), 100*time.Second)
		c.write(wire.ActionCreateMessage, textMessage(object{"data": strings.Repeat("A", 40)}))
		s.Slow(0, 0)
		require.Nil(t, c.read().Error)
	})
}

// noise returns incompressible bytes.
func noise(n int) []byte {
	p := make([]byte, n)
	x := uint32(1)
	for i := range p {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x)
	}
	return p
}

func TestSlowConnectionsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connectAndList(t, s)
		s.Slow(time.Hour, 1)
		s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("x")})
		synctest.Wait()
		s.Cut()
		require.Error(t, c.ended())
		s.Close()
	})
}
