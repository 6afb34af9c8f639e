package openapi_test

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// echo is a bot that answers each text with the same text and a button.
func echo(c *blaze.Client) blaze.Handler {
	return blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		if err := c.Reply(ctx, m, text); err != nil {
			return err
		}
		return c.Reply(ctx, m, blaze.ButtonGroup{{Label: "again", Color: "#112233", Action: "input:again"}})
	})
}

func (c *client) people() {
	c.post("/users", `{"name":"alice"}`)
	c.get("/users")
	c.post("/users/alice/say", `{"text":"hello"}`)
	c.post("/users/alice/next", `{"timeout":"1s"}`)
	buttons := member(c.t, c.call("POST", "/users/alice/next", "", ""), "message_id")
	c.post("/users/alice/tap", `{"message_id":"`+buttons+`","label":"again"}`)
	c.post("/users/alice/reads", `{"message_id":"`+buttons+`"}`)
	c.post("/receipts", `{"message_id":"`+buttons+`","status":"READ"}`)
	c.post("/users/alice/send", `{"category":"PLAIN_POST","data":"# x","encrypted":true}`)
	c.post("/users/alice/send", `{"category":"PLAIN_LOCATION","data":{"longitude":1.5,"latitude":2}}`)
	c.post("/users/alice/transfer", `{"amount":"0.5","asset":"BTC","memo":"thanks"}`)
	file := c.call("POST", "/users/alice/upload", "application/octet-stream", "GIF89a\xff")
	require.Equal(c.t, "GIF89a\xff", c.get("/files/"+member(c.t, file, "attachment_id")))
	c.post("/groups", `{"name":"staff","members":["alice"]}`)
	c.get("/groups")
	c.post("/groups/staff/add", `{"name":"bob"}`)
	c.post("/groups/staff/remove", `{"bot":true}`)
	c.post("/groups/staff/add", `{"bot":true}`)
	c.post("/users/bob/say", `{"text":"hi","group":"staff"}`)
	c.post("/groups/staff/next", `{}`)
}

func (c *client) messages() {
	id := blazetest.UserID("carol")
	c.post("/deliver", `{"user_id":"`+id+`","category":"PLAIN_TEXT","data_base64":"eA==","silent":true,"expire_in":5}`)
	c.post("/idle", `{"timeout":"1s"}`)
	c.post("/next", `{}`)
	for _, list := range []string{"/sent", "/acked", "/pending"} {
		c.get(list)
	}
}

func (c *client) faults() {
	c.post("/faults", `{"action":"GET /me","code":10002,"status":500,"description":"no","extra":{"a":1},"always":true}`)
	c.post("/faults", `{"action":"PING","reply":{"id":"x","action":"y","params":[1],"data":"z","error":{"code":7}}}`)
	c.post("/faults", `{"action":"handshake","response":{"status":502,"header":{"A":"b"},"body":"c"},"hang":true}`)
	c.post("/faults", `{"action":"PING","bytes_base64":"AP8=","cut":true}`)
	c.get("/faults")
	c.delete("/faults/1")
	c.post("/slow", `{"latency":"1ms","bytes_per_second":100000}`)
	c.post("/clock", `{"offset":"-1m"}`)
	c.delete("/faults")
	c.call("POST", "/push-again", "", "")
	c.post("/cut", `{"link":1}`)
}

func (c *client) recordings() {
	c.post("/recording", `{"omit_bodies":true}`)
	c.call("POST", "/scripts", "text/plain", "alice: recorded\nbot> recorded\nbot> *\n")
	c.post("/scripts", `{"script":"alice sends a.txt\nbot> (nothing)","files":{"a.txt":"bWVvdw=="},"update":true}`)
	failed := c.call("POST", "/scripts", "text/plain", "alice taps nothing")
	require.Contains(c.t, failed, `"line":1`)
	c.get("/recording")
	const at = `{"at":"2023-04-28T10:01:32Z","dir":`
	const list = `,"frame":{"id":"965e5c6e-434c-3fa9-b780-c50f43cd955c","action":"LIST_PENDING_MESSAGES"}}` + "\n"
	c.call("POST", "/replay", "application/jsonl", at+`"out"`+list+at+`"in"`+list)
}

// events reads the first event of a stream that does not end.
func (c *client) events() {
	x := c.do("GET", "/events?last_event_id=0", "", "", func(r io.Reader) string {
		line, err := bufio.NewReader(r).ReadString('\n')
		require.NoError(c.t, err)
		return line
	})
	require.NoError(c.t, x.invalid)
	require.True(c.t, strings.HasPrefix(x.answer, "id: 1"), x.answer)
	c.used[x.input.Route.Operation.OperationID] = true
}
