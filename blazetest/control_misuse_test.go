package blazetest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

// answered is the answer to a request that was sent beside others.
type answered struct {
	status int
	text   string
}

// beside sends a request, and does not wait for its answer.
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

// A request that waits gets its message, whatever others do meanwhile.
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
		require.Contains(t, c.refused(400, "POST", "/cut", `{"link":99}`), "CutLink(99)")
		require.Len(t, reports, 1)
		idle := c.beside("/idle", "")
		require.Contains(t, c.refused(400, "POST", "/cut", `{"link":98}`), "CutLink(98)")
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
	})
}

// Of two requests at once, each is refused for its own misuse.
func TestMisuseIsThatOfOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		defer s.Close()
		reported, goOn := make(chan struct{}, 2), make(chan struct{})
		s.Errorf = func(string, ...any) {
			reported <- struct{}{}
			<-goOn
		}
		c := newControls(t, s)
		one := c.beside("/cut", `{"link":98}`)
		<-reported
		two := c.beside("/cut", `{"link":99}`)
		three := c.beside("/users", `{"name":"alice"}`)
		synctest.Wait()
		require.Empty(t, three, "they take turns")
		close(goOn)
		for link, got := range map[int]answered{98: <-one, 99: <-two} {
			require.Equal(t, 400, got.status)
			reason := fmt.Sprintf("CutLink(%d): there were 0 connections", link)
			require.Equal(t, reason, member(t, got.text, "reason"))
		}
		require.Equal(t, http.StatusOK, (<-three).status)
	})
}

// Misuse refuses a request where it has no answer, and takes no answer away.
func TestMisuseRefusesWhatWasNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newControls(t, s)
		c.call("POST", "/groups", `{"name":"staff","members":["alice"]}`)
		pending := c.call("GET", "/pending", "")
		for _, test := range [][]string{
			{"/groups/{group}/remove", `{"name":"bob"}`, "staff", "bob is not in the group"},
			{"/users/{user}/say", `{"text":"hi","group":"staff"}`, "bob", "bob is not in the group"},
			{"/users/{user}/transfer", `{"amount":"0","asset":"BTC"}`, "alice", "amount"},
		} {
			require.Contains(t, c.refused(400, "POST", test[0], test[1], test[2]), test[3])
		}
		require.Len(t, f.take(), 2, "no amount is refused before")
		require.Contains(t, c.call("GET", "/groups", ""), `"members":["alice"]`)
		require.Equal(t, pending, c.call("GET", "/pending", ""), "nothing was said")
	})
}

// A script that fails by misuse is answered with its report.
func TestAScriptOverHTTPReportsMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		memo := strings.Repeat("x", 201)
		answer := newControls(t, s).call("POST", "/scripts", "# pays\nalice transfers 1 BTC "+memo+"\n")
		require.Contains(t, answer, `"failed":[{"line":2,"reason":"the server refused it`)
		require.Len(t, f.take(), 1)
	})
}
