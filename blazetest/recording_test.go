package blazetest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// onLink returns lines of a recording with another connection number.
func onLink(link, lines string) string {
	return strings.ReplaceAll(lines, `","dir"`, `","link":`+link+`,"dir"`)
}

// twoLinks is a recording of a client that lost its connection before its message was answered.
var twoLinks = out(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`) +
	in(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`) +
	out(`{"id":"`+send+`","action":"CREATE_MESSAGE","params":{"message_id":"`+made+`"}}`) +
	onLink("2", out(`{"id":"`+list[:35]+`9","action":"LIST_PENDING_MESSAGES"}`)+
		in(`{"id":"`+list[:35]+`9","action":"LIST_PENDING_MESSAGES"}`)+
		out(`{"id":"`+send+`","action":"CREATE_MESSAGE","params":{"message_id":"`+made+`"}}`)+
		in(`{"id":"`+send+`","action":"CREATE_MESSAGE"}`))

func TestReplayReconnects(t *testing.T) {
	for _, soon := range []bool{true, false} {
		err := play(t, twoLinks, func(t *testing.T, s *blazetest.Server) {
			c := connect(t, s)
			require.NotEmpty(t, c.call(wire.ActionListPending, nil).ID)
			id := c.write(wire.ActionCreateMessage, object{"message_id": id1})
			if soon { // the client replaces the connection before it is cut
				_ = c.ws.Close()
			} else {
				require.True(t, websocket.IsCloseError(c.ended(), websocket.CloseAbnormalClosure))
			}
			c = connect(t, s)
			c.call(wire.ActionListPending, nil)
			c.writeFrame(id, wire.ActionCreateMessage, object{"message_id": id1})
			require.Equal(t, id, c.read().ID)
		})
		require.NoError(t, err)
	}
}

// Frames that the client wrote on a connection that was cut are expected again on the next one.
func TestReplayExpectsAgainWhatWasLost(t *testing.T) {
	recording := in(`{"id":"`+push1+`","action":"CREATE_MESSAGE","data":{"message_id":"`+id1+`"}}`) +
		onLink("2", out(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`)+
			in(`{"id":"`+list+`","action":"LIST_PENDING_MESSAGES"}`)+
			out(`{"id":"`+ack1+`","action":"ACKNOWLEDGE_MESSAGE_RECEIPT","params":`+
				`{"message_id":"`+id1+`","status":"READ"}}`)+
			in(`{"id":"`+ack1+`","action":"ACKNOWLEDGE_MESSAGE_RECEIPT"}`))
	err := play(t, recording, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.write(wire.ActionListPending, nil)
		id := c.write(wire.ActionAck, object{"message_id": id1, "status": "READ"})
		require.Error(t, c.ended())
		c = connect(t, s)
		c.call(wire.ActionListPending, nil)
		c.writeFrame(id, wire.ActionAck, object{"message_id": id1, "status": "READ"})
		require.Equal(t, id, c.read().ID)
	})
	require.NoError(t, err)
}

func TestReplaySkipsWhatNobodyCouldGet(t *testing.T) {
	late := in(`{"id":"` + push1 + `","action":"CREATE_MESSAGE","data":{"message_id":"` + id1 + `"}}`)
	err := play(t, twoLinks+late, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.call(wire.ActionListPending, nil)
		id := c.write(wire.ActionCreateMessage, object{"message_id": id1})
		require.Error(t, c.ended())
		c = connect(t, s)
		c.call(wire.ActionListPending, nil)
		c.writeFrame(id, wire.ActionCreateMessage, object{"message_id": id1})
		require.Equal(t, id, c.read().ID)
		synctest.Wait()
		require.Nil(t, c.call("PING", nil).Error, "the replay has ended, and nothing came before this")
	})
	require.NoError(t, err)
}

// writeFrame writes a request with a given id, to repeat it.
func (c *raw) writeFrame(id, action string, params any) {
	c.t.Helper()
	p, err := wire.Marshal(object{"id": id, "action": action, "params": params})
	require.NoError(c.t, err)
	c.writeBytes(c.d.Append(nil, p))
}

// recordLinks records a session with two connections with both recorders.
func recordLinks(t *testing.T, o blazetest.RecorderOptions, key blaze.Keystore) (byClient, byServer string) {
	t.Helper()
	var client, server bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServerWith(blazetest.Options{Key: key})
		s.Errorf = t.Errorf
		t.Cleanup(s.Close)
		s.RecordTo(&server)
		_, stop := blazetest.Run(t, s, echo, func(cfg *blaze.Config) {
			cfg.Trace = blazetest.RecorderWith(&client, nil, o)
		})
		for _, answer := range []blazetest.Answer{{}, {Cut: true}, {Cut: true, Hang: true}} {
			s.Intercept(wire.ActionCreateMessage, func(blazetest.Frame) blazetest.Answer { return answer })
			s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("my secret")})
			require.NoError(t, s.Idle(t.Context()))
		}
		require.Len(t, s.Sent(), 3)
		stop()
		s.Close()
	})
	return client.String(), server.String()
}

func TestReconnectsAreRecordedAndReplayed(t *testing.T) {
	byClient, byServer := recordLinks(t, blazetest.RecorderOptions{}, blaze.Keystore{})
	for _, recording := range []string{byClient, byServer} {
		require.Contains(t, recording, `"link":3`)
		require.NotContains(t, recording, `"link":4`)
		replayTo(t, recording, echo, nil, nil)
		replayTo(t, recording, echo, func(cfg *blaze.Config) { cfg.AckBatch = 1 }, nil)
	}
	require.Contains(t, byServer, `"bot":"b1a2e000-0000-4000-8000-000000000001"`)
	require.Equal(t, 1, strings.Count(byServer, `"bot"`))
	require.NotContains(t, byClient, `"bot"`)
}

func TestBodiesAreLeftOut(t *testing.T) {
	byClient, _ := recordLinks(t, blazetest.RecorderOptions{OmitBodies: true}, blaze.Keystore{})
	for _, text := range []string{"my secret", "echo: my secret"} {
		require.NotContains(t, byClient, base64.StdEncoding.EncodeToString([]byte(text)))
		require.NotContains(t, byClient, base64.RawURLEncoding.EncodeToString([]byte(text)))
		xs := bytes.Repeat([]byte("x"), len(text))
		require.Contains(t, byClient, `"data":"`+base64.StdEncoding.EncodeToString(xs)+`"`, "as long as it was")
	}
	require.Contains(t, byClient, `"data_base64":"`+base64.RawURLEncoding.EncodeToString([]byte("xxxxxxxxx"))+`"`)
	replayTo(t, byClient, echo, nil, nil)
	// Any body is accepted, but not another category.
	replayTo(t, byClient, answering(blaze.Text("something else")), nil, nil)
	synctest.Test(t, func(t *testing.T) {
		tb := new(fakeTB) // the handler's wait for its reply fails
		defer tb.end()
		s, _ := blazetest.Start(tb, answering(blaze.Post("something else")), nil)
		require.ErrorContains(t, s.Replay(strings.NewReader(byClient)), "differs in params.category")
	})
}

func answering(p blaze.Payload) func(*blaze.Client) blaze.Handler {
	return func(c *blaze.Client) blaze.Handler {
		return func(ctx context.Context, m *blaze.Message) error { return c.Reply(ctx, m, p) }
	}
}

// Message bodies contain keys too: those of the files in a transcript.
func TestKeysInBodiesAreRemoved(t *testing.T) {
	body := `[{"transcript_id":"` + id1 + `","media_key":"s3cret","media_digest":"s3cret","content":"kept","n":1.50}]`
	for field, encoding := range map[string]*base64.Encoding{
		"data": base64.StdEncoding, "data_base64": base64.RawURLEncoding, "Data": base64.URLEncoding,
	} {
		var w bytes.Buffer
		trace := blazetest.Recorder(&w, nil)
		encoded := encoding.EncodeToString([]byte(body))
		trace.FrameRead([]byte(`{"id":"1","action":"CREATE_MESSAGE","data":{"` + field + `":"` + encoded + `"}}`))
		var l struct {
			Changed bool
			Frame   struct{ Data map[string]string }
		}
		require.NoError(t, json.Unmarshal(w.Bytes(), &l))
		text := l.Frame.Data[field]
		clean, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text))
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(body, "s3cret", ""), string(clean))
		require.True(t, l.Changed)
	}
}

// A body without keys is recorded byte for byte.
func TestBodiesStay(t *testing.T) {
	for _, body := range []string{"eyAiYSI6IDEgfQ==", "aGVsbG8", "bm8ga2V5\n", "*", "", "e30", "ImtleSI="} {
		var w bytes.Buffer
		quoted, err := json.Marshal(body)
		require.NoError(t, err)
		frame := `{"id":"1","data":{"data":` + string(quoted) + `}}`
		blazetest.Recorder(&w, nil).FrameRead([]byte(frame))
		require.Contains(t, w.String(), `"frame":`+frame+"}")
		require.NotContains(t, w.String(), "changed")
	}
}

// A body that is too deeply nested to be cleaned is omitted.
func TestDeepBodiesAreLeftOut(t *testing.T) {
	var w bytes.Buffer
	body := strings.Repeat("[", 101) + `{"key":"s3cret"}` + strings.Repeat("]", 101)
	blazetest.Recorder(&w, nil).FrameRead([]byte(`{"data":{"data":"` + std(body) + `"}}`))
	require.Contains(t, w.String(), `"data":"`+std(strings.Repeat("x", len(body)))+`"`)
}

// A recording of another bot is played with the ids of this bot.
func TestReplayOfAnotherBot(t *testing.T) {
	other := blaze.Keystore{AppID: "53bac64e-e1ff-408a-ad0e-aca20cdc68bd", SessionID: id2}
	byClient, byServer := recordLinks(t, blazetest.RecorderOptions{}, other)
	idOrMisuse, _ := recordLinks(t, blazetest.RecorderOptions{AppID: strings.ToUpper(other.AppID)}, other)
	alice := blazetest.UserID("alice")
	for name, recording := range map[string]string{"stub": byClient, "server": byServer, "told": idOrMisuse} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, recording, blaze.ConversationID(other.AppID, alice))
			replayTo(t, recording, func(c *blaze.Client) blaze.Handler {
				return func(ctx context.Context, m *blaze.Message) error {
					if m.ConversationID != c.ConversationWith(alice) || m.Group {
						return errors.New("not the conversation of this bot and alice")
					}
					return echo(c)(ctx, m)
				}
			}, nil, nil)
		})
	}
}

// ofAnotherBot is a recording in which alice adds a bot to a group. The bot then writes to the group, to alice and to
// itself.
var ofAnotherBot = strings.Replace(in(`{"id":"`+push1+`","action":"CREATE_MESSAGE","data":{"conversation_id":"`+
	id3+`","user_id":"`+id1+`","message_id":"`+id2+`","category":"SYSTEM_CONVERSATION","data":"`+
	std(`{"action":"ADD","participant_id":"`+anotherBot+`","user_id":"`+id1+`"}`)+`"}}`),
	`"dir"`, `"bot":"`+anotherBot+`","dir"`, 1) +
	out(`{"id":"`+send+`","action":"CREATE_MESSAGE","params":{"message_id":"`+made+`","conversation_id":"`+id3+
		`","data":"`+std(`{"user_id":"`+anotherBot+`"}`)+`"}}`)

func std(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

const anotherBot = "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"

func TestReplayOfAnotherBotTranslatesBodies(t *testing.T) {
	const own = "b1a2e000-0000-4000-8000-000000000001"
	err := play(t, ofAnotherBot, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		m := c.pushed()
		require.Equal(t, id3, m.ConversationID, "a group is the same for all")
		body, err := base64.StdEncoding.DecodeString(m.Data)
		require.NoError(t, err)
		require.Equal(t, `{"action":"ADD","participant_id":"`+own+`","user_id":"`+id1+`"}`, string(body))
		c.write(wire.ActionCreateMessage, object{
			"message_id": id1, "conversation_id": id3, "data": std(`{"user_id":"` + own + `"}`),
		})
	})
	require.NoError(t, err)
}

// The session of the recorded bot is replaced. The reply to a message contains the bot's id.
func TestReplayOfAnotherBotTranslatesItsSession(t *testing.T) {
	recording := out(`{"id":"`+send+`","action":"CREATE_MESSAGE","params":{"message_id":"`+made+`"}}`) +
		in(`{"id":"`+send+`","action":"CREATE_MESSAGE","data":{"user_id":"`+anotherBot+`","session_id":"`+id3+
			`","category":"","message_id":"`+made+`"}}`)
	err := play(t, recording, func(t *testing.T, s *blazetest.Server) {
		c := connect(t, s)
		c.write(wire.ActionCreateMessage, object{"message_id": id1})
		m := c.pushed()
		require.Equal(t, s.Key.AppID, m.UserID)
		require.Equal(t, s.Key.SessionID, m.SessionID)
	})
	require.NoError(t, err)
}

// A repeated LIST_PENDING_MESSAGES with the same id does not start a new connection.
func TestARequestThatIsRepeatedIsNoConnection(t *testing.T) {
	var w bytes.Buffer
	trace := blazetest.Recorder(&w, nil)
	for range 2 {
		trace.FrameWritten([]byte(`{"id":"` + list + `","action":"LIST_PENDING_MESSAGES"}`))
	}
	require.NotContains(t, w.String(), "link")
	trace.FrameWritten([]byte(`{"id":"` + send + `","action":"LIST_PENDING_MESSAGES"}`))
	trace.FrameRead([]byte(`{"id":"` + send + `","action":"LIST_PENDING_MESSAGES"}`))
	require.Equal(t, 2, strings.Count(w.String(), `"link":2`))
}

// A recording of a Server's default bot can be played to a bot with another keystore.
func TestReplayToAnotherBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServerWith(blazetest.Options{Key: blaze.Keystore{AppID: anotherBot}})
		s.Errorf = t.Errorf
		t.Cleanup(s.Close)
		blazetest.Run(t, s, echo, nil)
		require.NoError(t, s.Replay(strings.NewReader(recorded(t, "session"))))
	})
}

func TestRecordTo(t *testing.T) {
	var w bytes.Buffer
	s, f := newServer(t)
	s.RecordTo(nil)
	require.Len(t, f.take(), 1)
	c := connect(t, s)
	s.RecordTo(&w)
	c.call("PING", nil)
	s.Intercept("PING", answer(blazetest.Answer{Bytes: []byte("s3cret")}))
	c.write("PING", json.RawMessage(`{"token":"s3cret"}`))
	_, _, err := c.ws.ReadMessage()
	require.NoError(t, err)
	s.Close()
	var dirs []string
	for line := range strings.Lines(w.String()) {
		var l struct {
			At   time.Time
			Dir  string
			Link int
			Raw  []byte
		}
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Zero(t, l.Link)
		require.False(t, l.At.IsZero())
		dirs = append(dirs, l.Dir)
		require.Equal(t, len(dirs) == 4, l.Raw != nil)
	}
	require.Equal(t, []string{"out", "in", "out", "in"}, dirs)
	require.NotContains(t, w.String(), "s3cret")
}
