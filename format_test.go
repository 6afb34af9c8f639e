package blaze_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// shows returns all that printing, logging and encoding make of v.
func shows(t *testing.T, v any) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T %v"} {
		args := []any{v}
		if strings.Contains(verb, "%T") {
			args = append(args, v)
		}
		out[verb] = fmt.Sprintf(verb, args...)
		out["slice "+verb] = fmt.Sprintf(strings.TrimPrefix(verb, "%T "), []any{v})
		out["field "+verb] = fmt.Sprintf(strings.TrimPrefix(verb, "%T "), struct{ V any }{v})
	}
	out["Println"] = fmt.Sprintln(v)
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", slog.Group("g", "v", []any{v}))
	out["slog text"] = b.String()
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v, "s", []any{v})
	out["slog json"] = b.String()
	j, err := json.Marshal(v)
	require.NoError(t, err)
	out["json"] = string(j)
	j, err = json.Marshal(map[string]any{"v": []any{v}})
	require.NoError(t, err)
	out["json within"] = string(j)
	return out
}

func TestMessagesPrintWithoutTheirBodies(t *testing.T) {
	for name, p := range map[string]blaze.Payload{
		"text": blaze.Text(canary), "post": blaze.Post(canary),
		"data":      blaze.Data{Attachment: plain(1, canary), Name: canary},
		"card":      blaze.Card{Title: canary, Description: canary, Action: "input:" + canary},
		"location":  blaze.Location{Name: canary},
		"raw":       blaze.Raw{As: "PLAIN_HOLOGRAM", Data: []byte(canary)},
		"broken":    blaze.Raw{As: "PLAIN_CONTACT", Data: []byte(`{"x":"` + canary + `"}`)},
		"encrypted": blaze.Raw{As: "ENCRYPTED_TEXT", Data: []byte(canary)},
	} {
		data, err := blaze.EncodePayload(p)
		require.NoError(t, err)
		m := received(botID, 1, func(v *wire.Message) {
			v.Category, v.Data = string(p.Category()), string(data)
		})
		require.Contains(t, string(m.Data), canary)
		notBase64 := received(botID, 1, func(v *wire.Message) { v.Data, v.NotBase64 = "!"+canary, true })
		require.Contains(t, string(notBase64.Data), canary)
		out := m.NewReply(p)
		for _, v := range []any{m, *m, notBase64, *notBase64} {
			for how, text := range shows(t, v) {
				assertSilent(t, name+" "+how, text, canary)
				if !strings.Contains(how, "slice") && !strings.Contains(how, "field") {
					assert.Contains(t, text, messageA, how)
					assert.Contains(t, text, conversationA, how)
				}
			}
		}
		for _, v := range []any{out, &out} {
			for how, text := range shows(t, v) {
				assertSilent(t, name+" "+how, text, canary)
				if !strings.Contains(how, "slice") && !strings.Contains(how, "field") {
					assert.Contains(t, text, out.MessageID, how)
				}
			}
		}
	}
}

// Messages made by hand and invalid ones print too. Text from the network stays on its line.
func TestInvalidMessagesPrint(t *testing.T) {
	var none *blaze.Message
	assert.NotPanics(t, func() { _ = fmt.Sprintf("%v %+v", none, none) })
	assert.Contains(t, blaze.Outgoing{}.String(), "Outgoing")
	assert.Contains(t, blaze.Message{}.String(), "Message")
	evil := "\x1b[2J\nlevel=ERROR\u202e" + strings.Repeat("x", 10_000)
	m := received(botID, 1, func(v *wire.Message) {
		v.MessageID, v.UserID, v.ConversationID, v.Category = evil, evil, evil, evil
	})
	out := blaze.Outgoing{ConversationID: evil, MessageID: evil, Payload: blaze.Raw{As: blaze.Category(evil)}}
	for _, text := range []string{m.String(), out.String(), fmt.Sprintf("%v %v", m, out)} {
		requireTame(t, text, 4000)
	}
}

// requireTame checks that a text is short, printable and on one line.
func requireTame(t *testing.T, text string, most int) {
	t.Helper()
	assert.LessOrEqual(t, len(text), most)
	assert.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
}

// Errors include text of the server in a harmless form.
func TestErrorsShowTheServersTextSafely(t *testing.T) {
	evil := "bad\x00\x1b]0;title\x07\r\nlevel=ERROR msg=\"fake\"\u2028\u202e\xff" + strings.Repeat("long ", 2048)
	extra := json.RawMessage(`{"field":"` + canary + `"}`)
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, _ *frames) {
		reject := func(code blaze.Code) blazetest.Answer {
			return blazetest.Answer{
				Reply: &blazetest.Frame{Error: &blaze.Error{Code: code, Status: 202, Description: evil, Extra: extra}},
			}
		}
		out := blaze.Outgoing{ConversationID: conversationA, MessageID: messageA, Payload: blaze.Text(canary)}
		answers(s, actionSend, reject(10002), cutStored, reject(403))
		_, rejected := c.Send(t.Context(), out)
		_, unconfirmed := c.Send(t.Context(), out)
		answers(s, actionSend, reject(404))
		_, batch := c.SendBatch(t.Context(), out, blaze.To("", blaze.Text(canary)))
		for _, err := range []error{rejected, unconfirmed, batch} {
			require.Error(t, err)
			for how, text := range map[string]string{
				"%v": fmt.Sprintf("%v", err), "Error": err.Error(),
				"%+v": fmt.Sprintf("%+v", err), "%s": fmt.Sprintf("%s", err),
			} {
				requireTame(t, text, 1500)
				assertSilent(t, how, text, canary)
				assert.Contains(t, text, messageA)
				assert.Contains(t, text, "bad")
			}
			assertSilent(t, "%q", fmt.Sprintf("%q", err), canary)
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "error", err)
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "error", err)
			assertSilent(t, "slog", b.String(), canary)
			assert.Equal(t, 2, strings.Count(b.String(), "\n"))
		}
		var e *blaze.Error
		require.ErrorAs(t, rejected, &e)
		assert.LessOrEqual(t, utf8.RuneCountInString(e.Description), 200)
		requireTame(t, e.Description, 3*200)
		assert.Equal(t, extra, e.Extra)
	})
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"blaze: CREATE_MESSAGE of message " + messageA +
			" rejected: code 10002 (invalid field), status 202: Wrong.": &blaze.Error{
			Code: 10002, Status: 202, Description: "Wrong.", Action: actionSend, MessageID: messageA,
		},
		"blaze: rejected: code 401 (unauthorized)": &blaze.Error{Code: 401, Status: 401},
		"blaze: rejected: code 77777":              &blaze.Error{Code: 77777},
		"blaze: invalid Outgoing.QuoteID: no":      &blaze.InvalidError{Field: "Outgoing.QuoteID", Reason: "no"},
		"blaze: message " + messageA + " was written but not confirmed; send it again with the same MessageID: " +
			"blaze: the client is closed": &blaze.UnconfirmedError{
			MessageID: messageA, Err: blaze.ErrClosed,
		},
		"blaze: 2 of 3 messages were not confirmed, the first because: code 403 (forbidden)": &blaze.BatchError{
			Errs: []error{nil, blaze.CodeForbidden, blaze.CodeServer},
		},
		"code 429 (too many requests)": blaze.CodeTooManyRequests,
	} {
		assert.EqualError(t, err, want)
	}
	for code := range 30_000 {
		e := &blaze.Error{Code: blaze.Code(code), Status: 202}
		temporary := code >= 500 && code <= 599 || slices.Contains([]int{429, 7000, 7001}, code)
		require.Equal(t, temporary, e.Temporary(), code)
		e = &blaze.Error{Code: 10001, Status: code}
		require.Equal(t, temporary, e.Temporary(), code)
		require.ErrorIs(t, e, blaze.Code(10001))
	}
	assert.True(t, new(blaze.Error).Temporary(), "it has no code and no status")
	assert.True(t, (&blaze.Error{Status: 503}).Temporary())
	assert.False(t, (&blaze.Error{Status: 403}).Temporary())
	assert.False(t, (&blaze.Error{Code: 403}).Temporary())
	assert.False(t, (*blaze.Error)(nil).Temporary())
}
