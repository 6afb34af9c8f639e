package blazetest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

func TestOptionsOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		c, api := newControls(t, s), newRESTClient(t, s)
		elsewhere := textMessage(object{"conversation_id": id1, "message_id": id2, "data": "aGk="})
		code, _ := api.rejection("POST", "/messages", elsewhere)
		require.Equal(t, 403, code)
		require.Len(t, f.take(), 1)
		set := c.call("POST", "/options", `{"lenient":true}`)
		require.JSONEq(t, `{"lenient":true,"per_minute":0}`, set)
		api.get("POST", "/messages", elsewhere)
		set = c.call("POST", "/options", `{"per_minute":1}`)
		require.JSONEq(t, `{"lenient":true,"per_minute":1}`, set, "the other one stays")
		require.Equal(t, set, c.call("GET", "/options", ""))
		api.get("POST", "/messages", elsewhere)
		code, _ = api.rejection("POST", "/messages", elsewhere)
		require.Equal(t, 429, code)
		c.call("POST", "/options", `{"lenient":false,"per_minute":0}`)
		code, _ = api.rejection("POST", "/messages", elsewhere)
		require.Equal(t, 403, code)
		require.Len(t, f.take(), 1)
	})
}

// The files of a script are in the request.
func TestAScriptOverHTTPSendsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		const meow = "bWVvdw=="
		require.JSONEq(t, `{"failed":[]}`, c.call("POST", "/scripts",
			`{"script":"alice sends cat.txt\nbot> PLAIN_DATA *\"cat.txt\"}","files":{"cat.txt":"`+meow+`"}}`))
		failed := c.call("POST", "/scripts", `{"script":"alice sends ../cat.txt","files":{"cat.txt":"`+meow+`"}}`)
		require.Contains(t, failed, "files does not contain ../cat.txt")
		failed = c.call("POST", "/scripts", "alice sends control_more_test.go")
		require.Contains(t, failed, "files does not contain", "none of this machine")
	})
}

// With update, the response has the script with the bot's messages.
func TestAScriptOverHTTPIsWrittenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		c := newControls(t, s)
		const script = "# a talk\nalice: hi\nbot> *hi*\nbob: ho\nbot> x\n"
		body, err := json.Marshal(object{"update": true, "script": script})
		require.NoError(t, err)
		require.JSONEq(t, `{"failed":[],"script":"# a talk\nalice: hi\nbot> *hi*\nbob: ho\nbot> what is ho?\n"}`,
			c.call("POST", "/scripts", string(body)))
		answer := c.call("POST", "/scripts", `{"update":true,"script":"alice taps x"}`)
		require.NotContains(t, answer, `"script"`)
		require.Contains(t, answer, `"failed":[{"line":1,`)
	})
}

// A fault of a websocket request can set the error's fields or a whole frame.
func TestFaultsHaveTheirOwnAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c, ws := newControls(t, s), connectAndList(t, s)
		c.call("POST", "/faults", `{"action":"PING","code":10002,"status":500,"description":"bad",`+
			`"extra":{"field":"x"}}`)
		want := &wire.Error{Status: 500, Code: 10002, Description: "bad", Extra: json.RawMessage(`{"field":"x"}`)}
		require.Equal(t, want, ws.call("PING", nil).Error)
		c.call("POST", "/faults", `{"action":"PING","code":10002}`)
		usual := blazetest.Refuse(10002).Reply.Error
		require.Equal(t, usual.Description, ws.call("PING", nil).Error.Description)
		c.call("POST", "/faults", `{"action":"PING","reply":{"id":"`+id1+`","action":"ERROR","params":{"a":1},`+
			`"data":[2],"error":{"status":401}}}`)
		ws.write("PING", nil)
		require.Equal(t, wire.Frame{
			ID: id1, Action: "ERROR", Params: json.RawMessage(`{"a":1}`), Data: json.RawMessage(`[2]`),
			Error: &wire.Error{Status: 401},
		}, ws.read())
	})
}

// A fault of an HTTP request can set status, headers and body.
func TestFaultsHaveTheirOwnResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := newControls(t, s)
		for _, test := range []struct {
			fault, retry, body string
			status             int
		}{
			{`{"status":503,"header":{"Retry-After":"7"},"body":"no"}`, "7", "no", 503},
			{`{"body_base64":"AP8="}`, "", "\x00\xff", 200},
			{`{"status":204}`, "", "", 204},
		} {
			for action, path := range map[string]string{"GET /me": "/me", "handshake": "/"} {
				c.call("POST", "/faults", `{"action":"`+action+`","response":`+test.fault+`}`)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Config.API+path, nil)
				require.NoError(t, err)
				res, err := c.http.Do(req)
				require.NoError(t, err)
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, test.status, res.StatusCode)
				require.Equal(t, test.retry, res.Header.Get("Retry-After"))
				require.Equal(t, test.body, string(body))
			}
		}
		require.Empty(t, s.Armed())
	})
}
