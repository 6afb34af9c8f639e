package serve_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/serve"
)

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
	id3 = "aaaaaaaa-3333-4333-8333-333333333333"
)

// object is a JSON object.
type object map[string]any

// with returns the fields of a valid message with the given changes. A nil value removes its field.
func with(fields object) object {
	o := object{
		"conversation_id": id1, "recipient_id": id2, "message_id": id3, "category": "PLAIN_TEXT", "data": "aGVsbG8=",
	}
	for k, v := range fields {
		if o[k] = v; v == nil {
			delete(o, k)
		}
	}
	return o
}

func encoded(t *testing.T, v any) json.RawMessage {
	t.Helper()
	p, err := json.Marshal(v)
	require.NoError(t, err)
	return p
}

// rejection checks that got is a rejection of the field, with code 10002 and status 202.
func rejection(t *testing.T, field string, got *serve.Rejection) {
	t.Helper()
	if field == "" {
		require.Nil(t, got)
		return
	}
	require.NotNil(t, got)
	e := got.Error()
	assert.Equal(t, 202, e.Status)
	assert.Equal(t, 10002, e.Code)
	var extra struct{ Field, Reason string }
	require.NoError(t, json.Unmarshal(e.Extra, &extra))
	assert.Equal(t, field, extra.Field)
	assert.NotEmpty(t, extra.Reason)
}

var messages = map[string]struct {
	with  object
	field string // of the rejection; "" if there is none
}{
	"good":                   {nil, ""},
	"status SENT":            {object{"status": "SENT"}, ""},
	"status SENDING":         {object{"status": "SENDING"}, ""},
	"status READ":            {object{"status": "READ"}, ".status"},
	"data_base64":            {object{"data": nil, "data_base64": "aGVsbG8"}, ""},
	"no data":                {object{"data": nil}, ""},
	"data in another form":   {object{"data": "PT8_Pw"}, ""},
	"data that is no base64": {object{"data": "hello!"}, ".data"},
	"data_base64 that is none": {
		object{"data_base64": "hello!"}, ".data_base64",
	},
	"128 KB": {object{"data": base64.StdEncoding.EncodeToString(make([]byte, 128<<10))}, ""},
	"more":   {object{"data": base64.StdEncoding.EncodeToString(make([]byte, 128<<10+1))}, ".data"},

	"no conversation":          {object{"conversation_id": nil}, ".conversation_id"},
	"a conversation's name":    {object{"conversation_id": "team"}, ".conversation_id"},
	"no message_id":            {object{"message_id": nil}, ".message_id"},
	"a number as message_id":   {object{"message_id": "17"}, ".message_id"},
	"message_id with capitals": {object{"message_id": strings.ToUpper(id3)}, ".message_id"},
	"others with capitals": {
		object{"conversation_id": strings.ToUpper(id3), "recipient_id": strings.ToUpper(id3)}, "",
	},
	"message_id in braces":   {object{"message_id": "{" + id3 + "}"}, ".message_id"},
	"message_id as a URN":    {object{"message_id": "urn:uuid:" + id3}, ".message_id"},
	"no hyphens":             {object{"message_id": strings.ReplaceAll(id3, "-", "")}, ".message_id"},
	"no recipient":           {object{"recipient_id": nil}, ""},
	"a recipient's name":     {object{"recipient_id": "alice"}, ".recipient_id"},
	"a quote":                {object{"quote_message_id": id1}, ""},
	"a quote of nothing":     {object{"quote_message_id": "x"}, ".quote_message_id"},
	"a quote in a picture":   {object{"quote_message_id": id1, "category": "PLAIN_IMAGE"}, ""},
	"a quote in a recall":    {object{"quote_message_id": id1, "category": "MESSAGE_RECALL"}, ".quote_message_id"},
	"a quote in a pin":       {object{"quote_message_id": id1, "category": "MESSAGE_PIN"}, ".quote_message_id"},
	"a representative":       {object{"representative_id": id1}, ""},
	"one that is no id":      {object{"representative_id": "x"}, ".representative_id"},
	"mentions":               {object{"mentions": []string{id1, id2}}, ""},
	"a name mentioned":       {object{"mentions": []string{id1, "bob"}}, ".mentions[1]"},
	"no category":            {object{"category": nil}, ".category"},
	"an unknown category":    {object{"category": "PLAIN_HOLOGRAM_2"}, ""},
	"a small category":       {object{"category": "plain_text"}, ".category"},
	"silent, and it expires": {object{"silent": true, "expire_in": 60}, ""},
	"it expired long ago":    {object{"expire_in": -1}, ".expire_in"},
}

func TestReadMessage(t *testing.T) {
	for name, test := range messages {
		t.Run(name, func(t *testing.T) {
			_, got := serve.ReadMessage(encoded(t, with(test.with)))
			if test.field != "" {
				test.field = "params" + test.field
			}
			rejection(t, test.field, got)
		})
	}
	for _, params := range []string{"", "null", "[]", `"text"`, "7", `{"conversation_id":7}`, `{"silent":"yes"}`} {
		t.Run("params "+params, func(t *testing.T) {
			_, got := serve.ReadMessage(json.RawMessage(params))
			require.NotNil(t, got)
			assert.Equal(t, 10002, got.Code)
		})
	}
}

func TestReadMessageKeepsWhatWasWritten(t *testing.T) {
	for name, fields := range map[string]object{
		"data":                     {"data": "PT8/Pw=="},
		"data in URL alphabet":     {"data": "PT8_Pw"},
		"data on two lines":        {"data": "PT8/\nPw==\n"},
		"data_base64":              {"data": nil, "data_base64": "PT8_Pw"},
		"both":                     {"data": "b3RoZXI=", "data_base64": "PT8_Pw"},
		"data_base64 with padding": {"data": nil, "data_base64": "PT8/Pw=="},
	} {
		t.Run(name, func(t *testing.T) {
			fields["quote_message_id"], fields["representative_id"] = id1, strings.ToUpper(id2)
			fields["mentions"], fields["silent"], fields["expire_in"] = []string{strings.ToUpper(id3)}, true, 90
			m, rejection := serve.ReadMessage(encoded(t, with(fields)))
			require.Nil(t, rejection)
			assert.Equal(t, serve.Message{
				ConversationID: id1, RecipientID: id2, MessageID: id3, Category: "PLAIN_TEXT", Data: []byte("=???"),
				QuoteMessageID: id1, RepresentativeID: id2, Mentions: []string{id3}, Silent: true, ExpireIn: 90,
			}, m)
		})
	}
}

func TestReadBatch(t *testing.T) {
	list := func(n int, fields object) []object {
		all := make([]object, n)
		for i := range all {
			all[i] = with(nil)
		}
		all[n-1] = with(fields)
		return all
	}
	for name, test := range map[string]struct {
		messages any
		size     int
		field    string
	}{
		"one":               {list(1, nil), 100, ""},
		"a hundred":         {list(100, nil), 128 << 10, ""},
		"none":              {[]object{}, 100, "params.messages"},
		"a hundred and one": {list(101, nil), 100, "params.messages"},
		"too large":         {list(2, nil), 128<<10 + 1, "params.messages"},
		"no list":           {with(nil), 100, "params.messages"},
		"no recipient":      {list(3, object{"recipient_id": nil}), 100, "params.messages[2].recipient_id"},
		"no plain one":      {list(2, object{"category": "APP_CARD"}), 100, "params.messages[1].category"},
		"encrypted":         {list(2, object{"category": "ENCRYPTED_TEXT"}), 100, "params.messages[1].category"},
		"a bad id":          {list(2, object{"message_id": "x"}), 100, "params.messages[1].message_id"},
		"a quote in a text": {list(2, object{"quote_message_id": id1}), 100, ""},
		"a quote in a post": {list(2, object{"quote_message_id": id1, "category": "PLAIN_POST"}), 100, ""},
		"a quote in a picture": {
			list(2, object{"quote_message_id": id1, "category": "PLAIN_IMAGE"}), 100,
			"params.messages[1].quote_message_id",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all, got := serve.ReadBatch(encoded(t, object{"messages": test.messages}), test.size)
			rejection(t, test.field, got)
			if test.field == "" {
				assert.Len(t, all, len(test.messages.([]object)))
				assert.Equal(t, "hello", string(all[0].Data))
			}
		})
	}
	_, got := serve.ReadBatch(json.RawMessage(`"text"`), 10)
	rejection(t, "params", got)
	_, got = serve.ReadBatch(json.RawMessage(`{}`), 10)
	rejection(t, "params.messages", got)
}

func TestReadAcks(t *testing.T) {
	for name, test := range map[string]struct {
		ack   object
		field string
	}{
		"READ":        {object{"message_id": id1, "status": "READ"}, ""},
		"DELIVERED":   {object{"message_id": id1, "status": "DELIVERED"}, ""},
		"capitals":    {object{"message_id": strings.ToUpper(id3), "status": "READ"}, ""},
		"SENT":        {object{"message_id": id1, "status": "SENT"}, ".status"},
		"read":        {object{"message_id": id1, "status": "read"}, ".status"},
		"no status":   {object{"message_id": id1}, ".status"},
		"no id":       {object{"status": "READ"}, ".message_id"},
		"no id of it": {object{"message_id": "x", "status": "READ"}, ".message_id"},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(path string) string {
				if test.field == "" {
					return ""
				}
				return path + test.field
			}
			one, got := serve.ReadAck(encoded(t, test.ack))
			rejection(t, at("params"), got)
			good := object{"message_id": id2, "status": "READ"}
			all, got := serve.ReadAcks(encoded(t, object{"messages": []object{good, test.ack}}))
			rejection(t, at("params.messages[1]"), got)
			if test.field == "" {
				assert.Equal(t, strings.ToLower(test.ack["message_id"].(string)), one.MessageID)
				assert.Equal(t, test.ack["status"], one.Status)
				assert.Equal(t, []serve.Ack{{MessageID: id2, Status: "READ"}, one}, all)
			}
		})
	}
	many := func(n int) json.RawMessage {
		one := `{"message_id":"` + id1 + `","status":"READ"}`
		return json.RawMessage(`{"messages":[` + strings.Repeat(one+",", n-1) + one + `]}`)
	}
	_, got := serve.ReadAcks(many(100))
	rejection(t, "", got)
	_, got = serve.ReadAcks(many(101))
	rejection(t, "params.messages", got)
	for _, params := range []string{`{}`, `{"messages":[]}`, `{"messages":{}}`, `{"messages":"x"}`} {
		_, got = serve.ReadAcks(json.RawMessage(params))
		rejection(t, "params.messages", got)
	}
	_, got = serve.ReadAcks(json.RawMessage(`[]`))
	rejection(t, "params", got)
	_, got = serve.ReadAck(json.RawMessage(`[]`))
	rejection(t, "params", got)
}

// Errors have status 202, except failures of the service itself.
func TestStatusOfErrors(t *testing.T) {
	for code, status := range map[int]int{
		401: 202, 403: 202, 404: 202, 429: 202, 10002: 202, 10006: 202, 20121: 202, 500: 500, 7000: 500, 7001: 500,
	} {
		e := (&serve.Rejection{Code: code, Field: "f", Reason: "r"}).Error()
		assert.Equal(t, status, e.Status, code)
		assert.Equal(t, code, e.Code)
		assert.NotEmpty(t, e.Description)
		assert.Equal(t, code == 10002, e.Extra != nil, "only code 10002 names a field")
	}
}
