package blazetest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

// answered is the response to a concurrent request.
type answered struct {
	status int
	text   string
}

// beside sends a request without waiting for its response.
func (c *controls) beside(path, body string) <-chan answered {
	got := make(chan answered, 1)
	url := c.s.Config.API + "/blazetest" + path
	go func() {
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			got <- answered{0, err.Error()}
			return
		}
		res, err := c.http.Do(req)
		if err != nil {
			got <- answered{0, err.Error()}
			return
		}
		defer func() { _ = res.Body.Close() }()
		p, err := io.ReadAll(res.Body)
		if err != nil {
			p = []byte(err.Error())
		}
		got <- answered{res.StatusCode, string(p)}
	}()
	return got
}

// A waiting request receives its message in spite of concurrent misuse.
func TestMisuseLeavesRequestsAloneThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		var reports []string
		s.Errorf = func(format string, args ...any) { reports = append(reports, fmt.Sprintf(format, args...)) }
		c := newControls(t, s)
		c.call("POST", "/groups", `{"name":"staff","members":["alice"]}`)
		waiting := map[string]<-chan answered{}
		for _, path := range []string{"/users/alice/next", "/groups/staff/next", "/next"} {
			waiting[path] = c.beside(path, `{"timeout":"1m"}`)
		}
		script := c.beside("/scripts", "bob: hello\nbot> what is hello?\nwait 10s\n")
		synctest.Wait()
		require.Contains(t, c.rejection(404, "POST", "/cut", `{"link":99}`), "CutLink(99)")
		idle := c.beside("/idle", "")
		require.Contains(t, c.rejection(404, "POST", "/cut", `{"link":98}`), "CutLink(98)")
		s.CutLink(97)
		s.User("alice").Say("hi")
		s.Group("staff").As(s.User("alice")).Say("ho")
		for path, text := range map[string]string{"/users/alice/next": "hi", "/groups/staff/next": "ho"} {
			got := <-waiting[path]
			require.Equal(t, http.StatusOK, got.status, got.text)
			require.Equal(t, "what is "+text+"?", member(t, got.text, "text"))
		}
		require.Equal(t, http.StatusOK, (<-waiting["/next"]).status)
		require.Equal(t, http.StatusOK, (<-idle).status)
		require.Equal(t, answered{http.StatusOK, `{"failed":[]}`}, <-script)
		require.Equal(t, []string{"blazetest: CutLink(97): unknown connection; there were 1 so far"}, reports)
	})
}

// Misuse by Go code does not fail a concurrent request.
func TestMisuseElsewhereRefusesNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		defer s.Close()
		var reports atomic.Int64
		s.Errorf = func(string, ...any) { reports.Add(1) }
		c := newControls(t, s)
		var misusing sync.WaitGroup
		for range 8 {
			misusing.Go(func() {
				for range 2000 {
					s.CutLink(99)
				}
			})
		}
		for range 50 {
			c.call("POST", "/cut", "{}")
		}
		misusing.Wait()
		require.EqualValues(t, 8*2000, reports.Load())
	})
}

// Misuse in a request is its response, and is not reported.
func TestMisuseOverHTTPIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newControls(t, s)
		alice, bob := s.User("alice"), s.User("bob")
		s.Group("staff", alice)
		s.Group("left", alice).RemoveBot()
		alice.Say("hello")
		sent := textMessage(object{"conversation_id": alice.ConversationID(), "message_id": id1, "data": "aGk="})
		newRESTClient(t, s).get("POST", "/messages", sent)
		pending := s.Pending()
		long := strings.Repeat("x", 201)
		const message = `{"message_id":"` + id1 + `"`
		for _, test := range []struct {
			status                     int
			path, body, value, contain string
		}{
			{409, "/groups/{group}/remove", `{"name":"bob"}`, "staff", "bob is not in the group"},
			{409, "/groups/{group}/remove", `{"bot":true}`, "left", "the bot is not in the group"},
			{400, "/groups/{group}/remove", `{}`, "left", "one of name and bot"},
			{400, "/groups/{group}/add", `{"bot":true,"name":"bob"}`, "left", "one of name and bot"},
			{409, "/users/{user}/say", `{"text":"hi","group":"staff"}`, "bob", "bob is not in the group"},
			{409, "/users/{user}/say", `{"text":"hi","group":"left"}`, "alice", "the bot is not in the group"},
			{400, "/users/{user}/send", `{"category":"SYSTEM_X","data":{},"encrypted":true}`, "alice", "PLAIN_"},
			{400, "/users/{user}/transfer", `{"amount":"0","asset":"BTC"}`, "alice", "amount"},
			{400, "/users/{user}/transfer", `{"amount":"1","asset":"BTC","memo":"` + long + `"}`, "alice", "memo"},
			{404, "/users/{user}/tap", message + `,"label":"x"}`, "alice", "no button"},
			{409, "/users/{user}/reads", message + `}`, "bob", "bob is not in the conversation"},
			{404, "/receipts", `{"message_id":"` + id2 + `","status":"READ"}`, "", "no client has sent"},
			{400, "/receipts", message + `,"status":"SENT"}`, "", "must be DELIVERED or READ"},
			{400, "/deliver", `{"user_id":"x","category":"PLAIN_TEXT","data":"x"}`, "", "must be a UUID"},
			{409, "/deliver", `{"user_id":"` + bob.ID() + `","conversation_id":"` + s.Group("left").ID() +
				`","category":"PLAIN_TEXT","data":"x"}`, "", "the bot is not in the conversation"},
			{400, "/slow", `{"latency":"-1s"}`, "", "negative"},
			{404, "/cut", `{"link":7}`, "", "CutLink(7)"},
		} {
			var values []string
			if test.value != "" {
				values = []string{test.value}
			}
			reason := c.rejection(test.status, "POST", test.path, test.body, values...)
			require.Contains(t, reason, test.contain, test.path)
		}
		require.Empty(t, f.take())
		require.Equal(t, pending, s.Pending(), "nothing was delivered")
		require.Contains(t, c.call("POST", "/groups/{group}/add", `{"bot":true}`, "left"), `"members":["alice"]`)
		c.call("POST", "/users/{user}/say", `{"text":"hi","group":"left"}`, "alice")
	})
}

// Misuse in a script is in the response's report.
func TestAScriptOverHTTPReportsMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		memo := strings.Repeat("x", 201)
		answer := newControls(t, s).call("POST", "/scripts", "# pays\nalice transfers 1 BTC "+memo+"\n")
		require.Contains(t, answer, `"failed":[{"line":2,"reason":"Transfer: the memo must have at most 200 bytes`)
		require.Empty(t, f.take())
	})
}
