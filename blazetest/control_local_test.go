package blazetest_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

// remote is a listener with clients that have the address of another machine.
type remote struct{ net.Listener }

type remoteConn struct{ net.Conn }

func (l remote) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return remoteConn{c}, err
}

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4} }

// The control interface answers no client on the network, whatever its headers are.
func TestTheListenerControlsOnlyForThisMachine(t *testing.T) {
	for _, test := range []struct {
		network, address string
		remote           bool
	}{{"tcp", "127.0.0.1:0", false}, {"tcp", "127.0.0.1:0", true}, {"unix", t.TempDir() + "/socket", false}} {
		ln, err := net.Listen(test.network, test.address)
		require.NoError(t, err)
		if test.remote {
			ln = remote{ln}
		}
		s, _ := collecting(t, blazetest.NewServerWith(blazetest.Options{Listener: ln}))
		dial := s.Config.DialContext
		if dial == nil {
			dial = new(net.Dialer).DialContext
		}
		client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.Config.API+"/blazetest/keystore", nil)
		require.NoError(t, err)
		req.Host = "localhost"
		res, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		want := http.StatusOK
		if test.remote {
			want = http.StatusForbidden
		}
		require.Equal(t, want, res.StatusCode, test)
	}
}

// A rejected request does not start the collection of events.
func TestARefusedRequestBeginsNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newControls(t, s)
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.Config.API+"/blazetest/state", nil)
		require.NoError(t, err)
		req.Host = "example.com"
		res, err := c.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusForbidden, res.StatusCode)
		s.CutLink(1) // misuse, which is an event
		c.call("GET", "/state", "")
		s.CutLink(2)
		id, _, data := c.listen("Last-Event-ID", "0").next()
		require.Equal(t, "1", id)
		require.Contains(t, data["text"], "CutLink(2)")
		require.Len(t, f.take(), 2)
	})
}

// A replay ends when its client disconnects.
func TestAReplayEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		const tape = `{"at":"2023-04-28T10:01:32Z","dir":"out","frame":` +
			`{"id":"` + id1 + `","action":"LIST_PENDING_MESSAGES"}}`
		for range 2 { // the second replay could not start if the first were running
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			req := httptest.NewRequestWithContext(ctx, "POST", "/blazetest/replay", strings.NewReader(tape))
			req.Host, req.RemoteAddr = "localhost", "127.0.0.1:40000"
			w := httptest.NewRecorder()
			s.Control().ServeHTTP(w, req)
			require.Equal(t, http.StatusConflict, w.Code)
			require.Contains(t, w.Body.String(), "context deadline exceeded")
			require.Equal(t, time.Second, time.Since(began))
		}
	})
}

// A recording contains everything that preceded the request for it.
func TestARecordingIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		c.call("POST", "/recording", "")
		text := strings.Repeat("x", 10_000)
		const messages = 200
		for range messages {
			s.User("alice").Say(text)
		}
		c.call("POST", "/idle", "")
		res := c.open("GET", "/recording", "")
		defer func() { _ = res.Body.Close() }()
		require.Equal(t, "false", res.Header.Get("Recording-Full"))
		tape := c.call("GET", "/recording", "")
		require.Equal(t, messages, strings.Count(tape, `"action":"CREATE_MESSAGE","params"`), "answers of the bot")
	})
}
