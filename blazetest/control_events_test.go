package blazetest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

// stream reads server-sent events.
type stream struct {
	t  *testing.T
	sc *bufio.Scanner
}

func (c *controls) listen(header ...string) *stream {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.s.Config.API+"/blazetest/events", nil)
	require.NoError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, res.StatusCode)
	require.Equal(c.t, "text/event-stream", res.Header.Get("Content-Type"))
	c.t.Cleanup(func() { _ = res.Body.Close() })
	sc := bufio.NewScanner(res.Body)
	sc.Buffer(nil, 1<<20)
	return &stream{c.t, sc}
}

// next returns the next event, without comments.
func (s *stream) next() (id, kind string, data map[string]any) {
	s.t.Helper()
	for s.sc.Scan() {
		name, value, _ := strings.Cut(s.sc.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			require.NoError(s.t, json.Unmarshal([]byte(value), &data))
		case "":
			if kind != "" {
				return id, kind, data
			}
		}
	}
	require.Fail(s.t, "the stream has ended", "%v", s.sc.Err())
	return
}

// until reads up to an event of the kind.
func (s *stream) until(kind string) (id string, data map[string]any) {
	s.t.Helper()
	for {
		id, got, data := s.next()
		if got == kind {
			return id, data
		}
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		live := c.listen()
		time.Sleep(time.Minute) // only comments are sent
		c.call("POST", "/users/{user}/say", `{"text":"hi"}`, "alice")
		id, data := live.until("message")
		require.Equal(t, "what is hi?", data["message"].(map[string]any)["text"])
		_, data = live.until("ack")
		require.Equal(t, "READ", data["text"])
		_, data = live.until("in")
		require.Equal(t, "ACKNOWLEDGE_MESSAGE_RECEIPT", data["frame"].(map[string]any)["action"])

		again := c.listen("Last-Event-ID", id)
		next, _, _ := again.next()
		require.Equal(t, fmt.Sprint(number(t, id)+1), next)
		all := c.listen("Last-Event-ID", "0")
		first, _, _ := all.next()
		require.Equal(t, "1", first)
		other := c.listen("Last-Event-ID", "1000000")
		first, _, _ = other.next()
		require.Equal(t, "1", first, "an id of another server")
	})
}

func number(t *testing.T, id string) int {
	t.Helper()
	var n int
	_, err := fmt.Sscan(id, &n)
	require.NoError(t, err)
	return n
}

// The last 10,000 events are stored. A client that reconnects too late is sent the number of lost events.
func TestEventsThatAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newControls(t, s)
		c.call("GET", "/state", "")
		for range 10_005 {
			s.CutLink(1) // misuse, which is an event
		}
		synctest.Wait()
		require.Len(t, f.take(), 10_005)
		late := c.listen("Last-Event-ID", "2")
		id, kind, data := late.next()
		require.Equal(t, []any{"", "lost", map[string]any{"lost": 3.0}}, []any{id, kind, data})
		for want := 6; want <= 10_005; want++ {
			id, kind, _ := late.next()
			require.Equal(t, []string{fmt.Sprint(want), "misuse"}, []string{id, kind})
		}
		s.CutLink(1)
		id, _, _ = late.next()
		require.Equal(t, "10006", id)
		require.Len(t, f.take(), 1)
	})
}
