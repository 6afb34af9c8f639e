package blazetest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// controls is a client of the control interface on a Server's own listener.
type controls struct {
	t    *testing.T
	s    *blazetest.Server
	http *http.Client
	used map[string]bool // operations, as in "post /blazetest/users/{user}/say"
}

func newControls(t *testing.T, s *blazetest.Server) *controls {
	return &controls{t, s, &http.Client{
		Transport: &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true},
	}, map[string]bool{}}
}

// open sends a request. path is the pattern of a route; values replace its parameters.
func (c *controls) open(method, path, body string, values ...string) *http.Response {
	c.t.Helper()
	c.used[strings.ToLower(method)+" /blazetest"+path] = true
	for _, v := range values {
		path = path[:strings.IndexByte(path, '{')] + v + path[strings.IndexByte(path, '}')+1:]
	}
	url := c.s.Config.API + "/blazetest" + path
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	require.NoError(c.t, err)
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	return res
}

// call sends a request that must succeed, and returns the response.
func (c *controls) call(method, path, body string, values ...string) string {
	c.t.Helper()
	status, answer := c.try(method, path, body, values...)
	require.Equal(c.t, http.StatusOK, status, "%s %s: %s", method, path, answer)
	return answer
}

func (c *controls) try(method, path, body string, values ...string) (status int, answer string) {
	c.t.Helper()
	res := c.open(method, path, body, values...)
	defer func() { _ = res.Body.Close() }()
	p, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res.StatusCode, string(p)
}

// rejection sends a request that must fail, and returns the reason.
func (c *controls) rejection(status int, method, path, body string, values ...string) string {
	c.t.Helper()
	got, answer := c.try(method, path, body, values...)
	require.Equal(c.t, status, got, answer)
	return member(c.t, answer, "reason")
}

// member returns a string member of an object.
func member(t *testing.T, object, name string) string {
	t.Helper()
	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &all), object)
	s, ok := all[name].(string)
	require.True(t, ok, "%s: %s", name, object)
	return s
}

// Every request in the OpenAPI file is served, and no other.
func TestEveryRouteOfTheFileAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)

		require.Equal(t, `[]`, c.call("GET", "/users", ""))
		alice := s.User("alice")
		require.JSONEq(t, `{"name":"alice","id":"`+blazetest.UserID("alice")+
			`","identity_number":"`+alice.IdentityNumber()+`","conversation_id":"`+alice.ConversationID()+`"}`,
			c.call("POST", "/users", `{"name":"alice"}`))
		id := member(t, c.call("POST", "/users/{user}/say", `{"text":"/price BTC"}`, "alice"), "message_id")
		text := c.call("POST", "/users/{user}/next", `{"timeout":"1s"}`, "alice")
		require.Equal(t, "BTC is 3", member(t, text, "data"))
		require.Equal(t, "QlRDIGlzIDM=", member(t, text, "data_base64"))
		buttons := c.call("POST", "/users/{user}/next", ``, "alice")
		require.Equal(t, "[buttons: BTC, ETH]", member(t, buttons, "text"))
		require.Equal(t, "APP_BUTTON_GROUP", member(t, buttons, "category"))
		message := `{"message_id":"` + member(t, buttons, "message_id") + `"`
		tapped := c.call("POST", "/users/{user}/tap", message+`,"label":"ETH"}`, "alice")
		require.NotEmpty(t, member(t, tapped, "message_id"))
		require.Equal(t, "ETH is 3", member(t, c.call("POST", "/users/{user}/next", `{}`, "alice"), "text"))
		c.call("POST", "/users/{user}/reads", message+"}", "alice")
		c.call("POST", "/receipts", message+`,"status":"READ"}`)
		c.call("POST", "/idle", ``)
		require.Contains(t, c.call("GET", "/acked", ""), id)
		require.Equal(t, "[]", c.call("GET", "/pending", ""))

		file := c.call("POST", "/users/{user}/upload", "GIF89a", "alice")
		require.Contains(t, file, `"mime_type":"image/gif","size":6`)
		require.Equal(t, "GIF89a", c.call("GET", "/files/{file}", "", member(t, file, "attachment_id")))
		c.call("POST", "/users/{user}/send", `{"category":"PLAIN_POST","data":"# x","encrypted":true}`, "alice")
		c.call("POST", "/users/{user}/transfer", `{"amount":"0.5","asset":"BTC","memo":"thanks"}`, "alice")

		require.Contains(t, c.call("POST", "/groups", `{"name":"staff","members":["alice"]}`), `"members":["alice"]`)
		two := c.call("POST", "/groups/{group}/add", `{"name":"bob"}`, "staff")
		require.Contains(t, two, `"members":["alice","bob"]`)
		one := c.call("POST", "/groups/{group}/remove", `{"name":"bob"}`, "staff")
		require.Contains(t, one, `"members":["alice"]`)
		require.Contains(t, c.call("GET", "/groups", ""), s.Group("staff").ID())
		c.call("POST", "/users/{user}/say", `{"text":"hi","group":"staff"}`, "alice")
		inGroup := c.call("POST", "/groups/{group}/next", ``, "staff")
		require.Equal(t, "what is hi?", member(t, inGroup, "text"))
		require.Equal(t, "staff", member(t, inGroup, "group"))
		forAlice := c.call("POST", "/users/{user}/next", `{"group":"staff"}`, "alice")
		require.Equal(t, inGroup, forAlice, "a cursor of her own")

		c.call("POST", "/deliver", `{"user_id":"`+id1+`","category":"PLAIN_TEXT","data_base64":"eA=="}`)
		c.call("POST", "/idle", ``)
		require.Equal(t, "BTC is 3", member(t, c.call("POST", "/next", ``), "text"), "its cursor is its own")
		require.Contains(t, c.call("GET", "/sent", ""), "what is x?")
		require.Contains(t, c.call("GET", "/state", ""), `"connections":[{"link":1,"listed":true}],"pending":0,`)
		require.Equal(t, s.Key.SessionPrivateKey, member(t, c.call("GET", "/keystore", ""), "session_private_key"))

		require.JSONEq(t, `{"fault":1,"action":"GET /me","always":true}`,
			c.call("POST", "/faults", `{"action":"GET /me","code":500,"always":true}`))
		require.Contains(t, c.call("GET", "/faults", ""), `"armed":["GET /me always"]`)
		c.call("DELETE", "/faults/{fault}", "", "1")
		c.call("POST", "/slow", `{"latency":"1s","bytes_per_second":100}`)
		c.call("POST", "/clock", `{"offset":"-1m"}`)
		require.JSONEq(t, `{"faults":[],"armed":[],"latency":"1s","bytes_per_second":100,"clock_offset":"-1m0s"}`,
			c.call("GET", "/faults", ""))
		c.call("DELETE", "/faults", "")
		require.JSONEq(t, `{"faults":[],"armed":[],"latency":"0s","bytes_per_second":0,"clock_offset":"0s"}`,
			c.call("GET", "/faults", ""))
		c.call("POST", "/push-again", "")
		require.JSONEq(t, `{"lenient":false,"per_minute":0}`, c.call("GET", "/options", ""))
		c.call("POST", "/options", `{"per_minute":1000}`)
		c.call("POST", "/cut", "{}")
		c.call("POST", "/restart", "")

		c.call("POST", "/recording", "")
		require.JSONEq(t, `{"failed":[]}`, c.call("POST", "/scripts", "alice: recorded\nbot> what is recorded?\n"))
		c.call("POST", "/idle", ``)
		require.Contains(t, c.call("GET", "/recording", ""), `"dir":"out"`)
		const at = `{"at":"2023-04-28T10:01:32Z","dir":`
		const list = `,"frame":{"id":"` + id1 + `","action":"LIST_PENDING_MESSAGES"}}` + "\n"
		c.call("POST", "/replay", at+`"out"`+list+at+`"in"`+list)
		require.NoError(t, c.open("GET", "/events?last_event_id=0", "").Body.Close())
		c.used["get /blazetest/events"] = true
		delete(c.used, "get /blazetest/events?last_event_id=0")

		served := c.call("GET", "/openapi.json", "")
		require.Equal(t, operations(t, served), c.used)
	})
}

// request sends one request to Control.
func request(
	t *testing.T, s *blazetest.Server, method, path, body string, header ...string,
) *httptest.ResponseRecorder {
	t.Helper()
	t.Cleanup(s.Close)
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Host, req.RemoteAddr = "localhost:8833", "127.0.0.1:40000"
	for i := 0; i < len(header); i += 2 {
		switch header[i] {
		case "Host":
			req.Host = header[i+1]
		case "RemoteAddr":
			req.RemoteAddr = header[i+1]
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.Control().ServeHTTP(w, req)
	return w
}

func TestControlAnswersThisMachineOnly(t *testing.T) {
	s := blazetest.NewServer()
	for host, allowed := range map[string]bool{
		"localhost": true, "LocalHost:8834": true, "127.0.0.1": true, "127.3.2.1:80": true, "[::1]:8834": true,
		"[::1]": true, "": false, "example.com": false, "localhost.example.com": false, "example.com:80": false,
		"192.168.0.1": false, "127.0.0.1.example.com": false, "[fe80::1]:80": false, "0.0.0.0": false, "127.1": false,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			w := request(t, s, method, "/blazetest/users", `{"name":"alice"}`, "Host", host)
			if allowed {
				require.Equal(t, http.StatusOK, w.Code, host)
				continue
			}
			require.Equal(t, http.StatusForbidden, w.Code, host)
			require.Contains(t, member(t, w.Body.String(), "reason"), "loopback", host)
		}
	}
}

func TestControlRefusesOtherMachines(t *testing.T) {
	s := blazetest.NewServer()
	for remote, allowed := range map[string]bool{
		"127.0.0.1:4": true, "127.9.9.9:4": true, "[::1]:4": true, "[::ffff:127.0.0.1]:4": true, // TCP
		"": true, "@": true, "@bot": true, "/run/bot.sock": true, // unix sockets
		"pipe":        true,
		"192.0.2.1:4": false, "10.0.0.1:4": false, "0.0.0.0:4": false, "[::]:4": false, "[2001:db8::1]:4": false,
		"[fe80::1%eth0]:4": false, "[::ffff:192.0.2.1]:4": false, "192.0.2.1": false, "2001:db8::1": false,
		"localhost:4": false, "example.com:4": false, ":4": false,
	} {
		w := request(t, s, "GET", "/blazetest/keystore", "", "RemoteAddr", remote)
		if allowed {
			require.Equal(t, http.StatusOK, w.Code, remote)
			continue
		}
		require.Equal(t, http.StatusForbidden, w.Code, remote)
		require.NotContains(t, w.Body.String(), s.Key.SessionPrivateKey)
	}
}

func TestControlRefusesOtherOrigins(t *testing.T) {
	s := blazetest.NewServer()
	for _, test := range []struct {
		name, value string
		allowed     bool
	}{
		{"Sec-Fetch-Site", "cross-site", false},
		{"Sec-Fetch-Site", "same-site", false},
		{"Sec-Fetch-Site", "same-origin", true},
		{"Sec-Fetch-Site", "none", true},
		{"Origin", "https://example.com", false},
		{"Origin", "http://localhost:1234", false},
		{"Origin", "null", false},
		{"Origin", "http://localhost:8833", true},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			w := request(t, s, method, "/blazetest/users", `{"name":"alice"}`, test.name, test.value)
			want := http.StatusForbidden
			if test.allowed {
				want = http.StatusOK
			}
			require.Equal(t, want, w.Code, "%s %s: %s", method, test.name, test.value)
		}
	}
}

func TestControlRefusesWithReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c := newControls(t, s)
		for _, test := range []struct {
			status                             int
			method, path, body, value, contain string
		}{
			{404, "GET", "/nothing", "", "", "/blazetest/nothing"},
			{404, "GET", "/", "", "", "openapi.json"},
			{405, "PUT", "/users", "", "", "GET, POST"},
			{405, "GET", "/next", "", "", "POST"},
			{400, "POST", "/users", `{"name":""}`, "", "invalid name"},
			{400, "POST", "/users", `{"name":"a b"}`, "", "invalid name"},
			{400, "POST", "/users", `{"name":"a","age":3}`, "", `unknown field "age"`},
			{400, "POST", "/users", `{"name":"a"} {}`, "", "data after"},
			{400, "POST", "/users", `{"name":"a"}]`, "", "data after"},
			{400, "POST", "/users", `{"name":"a"}}`, "", "data after"},
			{400, "POST", "/users", `name=a`, "", "request body: invalid character"},
			{400, "POST", "/users", `{"name":3}`, "", "request body: cannot unmarshal"},
			{413, "POST", "/users", strings.Repeat(" ", 1<<20+1), "", "1048576 bytes"},
			{400, "POST", "/users/{user}/say", `{}`, "alice", "text is missing"},
			{400, "POST", "/users/{user}/say", `{"text":"x"}`, "a%20b", "invalid name"},
			{404, "POST", "/users/{user}/say", `{"text":"x","group":"g"}`, "alice", `group "g" does not exist`},
			{400, "POST", "/users/{user}/send", `{"category":"TEXT","data":"x"}`, "alice", "category"},
			{400, "POST", "/users/{user}/send", `{"category":"PLAIN_TEXT"}`, "alice", "one of data and data_base64"},
			{400, "POST", "/users/{user}/send", `{"category":"PLAIN_TEXT","data_base64":"?"}`, "alice", "data_base64"},
			{404, "POST", "/users/{user}/tap", `{"message_id":"` + id1 + `","label":"x"}`, "alice", "no message"},
			{404, "POST", "/users/{user}/reads", `{"message_id":"` + id1 + `"}`, "alice", "no message"},
			{400, "POST", "/users/{user}/transfer", `{"amount":"x","asset":"BTC"}`, "alice", "must be a positive"},
			{400, "POST", "/users/{user}/transfer", `{"amount":"1","asset":"x"}`, "alice", "the asset must be"},
			{504, "POST", "/users/{user}/next", `{"timeout":"1s"}`, "alice", "wait ended"},
			{400, "POST", "/next", `{"timeout":"11m"}`, "", "between 0 and 10m"},
			{400, "POST", "/next", `{"timeout":"5"}`, "", "a duration must be"},
			{400, "POST", "/next", `{"timeout":5}`, "", "a duration must be"},
			{404, "POST", "/groups/{group}/next", ``, "none", "does not exist"},
			{404, "POST", "/users/{user}/next", `{"group":"none"}`, "alice", "does not exist"},
			{404, "GET", "/files/{file}", ``, id1, "does not exist"},
			{400, "POST", "/faults", `{"action":"GET /me"}`, "", "set code, hang"},
			{400, "POST", "/faults", `{"action":"GET /me","code":1,"data":{}}`, "", "only one of"},
			{400, "POST", "/faults", `{"action":"SING","code":500}`, "", "unknown action"},
			{400, "POST", "/faults", `{"action":"handshake","data":{}}`, "", "a handshake cannot"},
			{400, "POST", "/faults", `{"action":"GET /","data":{},"cut":true}`, "", "a handshake cannot"},
			{400, "POST", "/faults", `{"action":"GET /","reply":{"id":"x"}}`, "", "a handshake cannot"},
			{400, "POST", "/faults", `{"action":"GET /me","description":"x","cut":true}`, "", "need a code"},
			{400, "POST", "/faults", `{"action":"GET /me","reply":{},"response":{}}`, "", "only one of"},
			{400, "POST", "/faults", `{"action":"PING","response":{}}`, "", "only for HTTP requests"},
			{400, "POST", "/faults", `{"action":"GET /me","response":{"status":99}}`, "", "the status 99"},
			{400, "POST", "/faults", `{"action":"GET /me","response":{"status":204,"body":"x"}}`, "", "the status 204"},
			{400, "POST", "/faults", `{"action":"GET /me","response":{"body_base64":"?"}}`, "", "in base64"},
			{400, "POST", "/options", `{"per_minute":-1}`, "", "negative"},
			{404, "DELETE", "/faults/{fault}", ``, "1", "fault 1 does not exist"},
			{404, "DELETE", "/faults/{fault}", ``, "x", "not a fault number"},
			{409, "POST", "/restart", ``, "", "no bot to restart"},
			{404, "GET", "/recording", ``, "", "start one"},
			{400, "POST", "/scripts", "alice says hi", "", "line 1:"},
			{400, "POST", "/scripts", ` {"script":"alice says hi"}`, "", "line 1:"},
			{400, "POST", "/scripts", `{"path":"talk.txt"}`, "", `unknown field "path"`},
			{400, "POST", "/scripts", `{"script":"","files":{"a":"?"}}`, "", "base64"},
			{400, "POST", "/replay", "x", "", "line 1"},
			{400, "GET", "/events?last_event_id=x", "", "", "not an event id"},
		} {
			var values []string
			if test.value != "" {
				values = []string{test.value}
			}
			reason := c.rejection(test.status, test.method, test.path, test.body, values...)
			require.Contains(t, reason, test.contain, "%s %s %.80s", test.method, test.path, test.body)
		}
		require.Empty(t, f.take(), "nothing of this reached the Server")
	})
}

// Changes over HTTP are visible to the Go methods, and vice versa.
func TestControlAndMethodsAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		c.call("POST", "/users/{user}/say", `{"text":"from HTTP"}`, "alice")
		out, err := s.User("alice").Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, blaze.Text("what is from HTTP?"), out.Payload)
		reason := c.rejection(504, "POST", "/users/{user}/next", `{"timeout":"1s"}`, "alice")
		require.Contains(t, reason, "wait ended", "one cursor")
		s.User("alice").Say("from Go")
		require.Equal(t, "what is from Go?", member(t, c.call("POST", "/users/{user}/next", ``, "alice"), "text"))
		undo := s.InterceptAll("GET /me", answer(blazetest.Refuse(500)))
		require.Contains(t, c.call("GET", "/faults", ""), "GET /me always")
		undo()
		require.NotContains(t, c.call("GET", "/faults", ""), "GET /me")
	})
}

func TestFaultsOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, bot := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		c.call("POST", "/faults", `{"action":"CREATE_MESSAGE","code":429,"always":true}`)
		c.call("POST", "/users/{user}/say", `{"text":"hi"}`, "alice")
		c.rejection(504, "POST", "/users/{user}/next", `{"timeout":"10s"}`, "alice")
		c.call("DELETE", "/faults/{fault}", "", "1")
		next := c.call("POST", "/users/{user}/next", `{"timeout":"1m"}`, "alice")
		require.Equal(t, "what is hi?", member(t, next, "text"))

		c.call("POST", "/faults", `{"action":"CREATE_MESSAGE","cut":true}`)
		require.Contains(t, c.call("GET", "/faults", ""), `"fault":2`)
		c.call("POST", "/users/{user}/say", `{"text":"ho"}`, "alice")
		next = c.call("POST", "/users/{user}/next", `{"timeout":"1m"}`, "alice")
		require.Equal(t, "what is ho?", member(t, next, "text"))
		require.NotContains(t, c.call("GET", "/faults", ""), `"fault":2`, "used up")
		require.EqualValues(t, 2, bot.Stats().Connects)
	})
}

// A recording of one server is played on another.
func TestRecordingsOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		recorded := func(options string) string {
			c.call("POST", "/cut", "")
			c.call("POST", "/recording", options)
			c.call("POST", "/users/{user}/say", `{"text":"secret"}`, "alice")
			c.call("POST", "/idle", "")
			return c.call("GET", "/recording", "")
		}
		const secret = "c2VjcmV0" // in base64
		require.NotContains(t, recorded(`{"omit_bodies":true}`), secret)
		tape := recorded("")
		require.Contains(t, tape, secret)
		c.call("POST", "/recording", "")
		require.Empty(t, c.call("GET", "/recording", ""), "a new one")

		other, _ := blazetest.Start(t, prices, nil)
		synctest.Wait()
		newControls(t, other).call("POST", "/replay", tape)
	})
}

// Close ends waiting requests and streams.
func TestCloseEndsControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		ended := make(chan int, 2)
		for _, path := range []string{"/blazetest/next", "/blazetest/events"} {
			go func() {
				method := http.MethodPost
				if strings.HasSuffix(path, "events") {
					method = http.MethodGet
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(`{"timeout":"10m"}`))
				req.Host, req.RemoteAddr = "localhost", "[::1]:40000"
				w := httptest.NewRecorder()
				s.Control().ServeHTTP(w, req)
				ended <- w.Code
			}()
		}
		synctest.Wait()
		began := time.Now()
		s.Close()
		require.ElementsMatch(t, []int{http.StatusServiceUnavailable, http.StatusOK}, []int{<-ended, <-ended})
		require.Zero(t, time.Since(began))
	})
}
