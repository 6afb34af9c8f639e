package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// push returns a frame with the data of a message.
func push(data string) string { return `{"id":"f","action":"CREATE_MESSAGE","data":` + data + `}` }

// receipt returns a frame with the data of a receipt.
func receipt(data string) string {
	return `{"id":"f","action":"ACKNOWLEDGE_MESSAGE_RECEIPT","data":` + data + `}`
}

// decode decodes a frame, and checks that the result does not refer to the input.
func decode(t *testing.T, in string) *wire.Received {
	t.Helper()
	var d wire.Decoder
	r := new(wire.Received)
	p := []byte(in)
	require.NoError(t, d.Decode(p, r), in)
	clear(p)
	return r
}

// both decodes a frame as it is, and again in a form that only the standard library reads.
func both(t *testing.T, in string) *wire.Received {
	t.Helper()
	slow := strings.TrimSuffix(strings.TrimRight(in, " \n"), "}") + `,"Params":"\u0000"}`
	require.True(t, wire.Scans([]byte(in)), in)
	require.False(t, wire.Scans([]byte(slow)), slow)
	r := decode(t, in)
	assert.Equal(t, r, decode(t, slow), in)
	return r
}

func id(text string) wire.FrameID { return wire.FrameIDOf([]byte(text)) }

func TestDecode(t *testing.T) {
	at := time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC)
	r := both(t, `{"id":"f","action":"CREATE_MESSAGE","data":{"type":"message","representative_id":"r",
		"quote_message_id":"q","conversation_id":"c","user_id":"u","session_id":"s","message_id":"m",
		"category":"PLAIN_TEXT","data":"YWJj","data_base64":"YWJj","status":"SENT","source":"LIST_PENDING_MESSAGES",
		"silent":true,"expire_in":60,"created_at":"2023-04-28T10:01:32.387507Z",
		"updated_at":"2023-04-28T12:01:33.000000001+02:00","new":[{"a":[]},1,-2,true,false,null,"x"]}}`)
	assert.Equal(t, wire.Received{
		ID: id("f"), Action: "CREATE_MESSAGE", Data: true, Status: "SENT",
		Message: wire.Message{
			ConversationID: "c", UserID: "u", SessionID: "s",
			MessageID: "m", QuoteMessageID: "q", RepresentativeID: "r",
			Category: "PLAIN_TEXT", Data: "abc", CreatedAt: at, ExpireIn: 60, Pending: true, Silent: true,
		},
	}, *r)

	r = both(t, push(`{"message_id":"m","session_id":null,"silent":null,"created_at":null,"new":[]}`))
	assert.Equal(t, wire.Message{MessageID: "m"}, r.Message)
	r = decode(t, push(`{"message_id":"m","expire_in":"60"}`))
	assert.Equal(t, wire.Message{MessageID: "m", ExpireIn: 60}, r.Message)
	r = decode(t, push(`{"message_id":"m","expire_in":null}`))
	assert.Equal(t, wire.Message{MessageID: "m"}, r.Message)
}

func TestDecodeTheEnvelope(t *testing.T) {
	for in, want := range map[string]wire.Received{
		`{"id":"i","action":"A"}`:                           {ID: id("i"), Action: "A"},
		`{"action":"A"}`:                                    {Action: "A"},
		`{"id":"i","data":null}`:                            {ID: id("i")},
		`{"id":"i","error":null}`:                           {ID: id("i")},
		`{"id":"i","data":{}}`:                              {ID: id("i")},
		`{"id":"i","data":[]}`:                              {ID: id("i")},
		"{\"id\":\"i\",\"data\": { \n } }":                  {ID: id("i")},
		`{"id":"i","data":{"new":1}}`:                       {ID: id("i"), Data: true},
		`{"id":"i","params":"p","new":{"data":{"id":"x"}}}`: {ID: id("i")},
		// As the standard library reads ambiguous objects: the last field counts.
		`{"id":"i","id":"j","action":"A","action":null}`: {ID: id("j"), Action: "A"},
		`{"id":"i","data":{"user_id":"u","user_id":"v","message_id":"m","message_id":null}}`: {
			ID: id("i"), Data: true, Message: wire.Message{UserID: "v", MessageID: "m"},
		},
	} {
		assert.Equal(t, want, *both(t, in), in)
	}
	assert.Equal(t, wire.Received{ID: id("i")}, *both(t, " \t\r\n{ \"id\" : \"i\" , \"params\" : [ ] } \n"))
	for in, want := range map[string]wire.Received{
		`{"id":"i","ID":"j","ACTION":"A","data":{"user_ID":"u","mes\u0073age_id":"m","u\u017fer_id":"v"}}`: {
			ID: id("j"), Action: "A", Data: true, Message: wire.Message{UserID: "v", MessageID: "m"},
		},
		`{"id":"\u0078\/","action":"\ud83d\ude00","error":{"code":403,"status":202,"description":"d","extra":[1]}}`: {
			ID: id("x/"), Action: "😀",
			Error: &wire.Error{Code: 403, Status: 202, Description: "d", Extra: json.RawMessage("[1]")},
		},
		`{"id":"é","data":{"message_id":"m"},"data":{"user_id":"u"}}`: {
			ID: id("é"), Data: true, Message: wire.Message{UserID: "u"},
		},
		`{"id":"i","data":{"message_id":"m"},"data":null}`: {ID: id("i")},
	} {
		assert.False(t, wire.Scans([]byte(in)), in)
		assert.Equal(t, want, *decode(t, in), in)
	}
}

func TestDataThatIsNoMessage(t *testing.T) {
	for _, data := range []string{
		`[{}]`, `[{"message_id":"` + secret + `"}]`, `"` + secret + `"`, `7`, `true`,
		`{"message_id":5}`, `{"message_id":["` + secret + `"]}`, `{"user_id":["` + secret + `"]}`, `{"category":5}`,
		`{"conversation_id":5}`, `{"representative_id":5}`, `{"data_base64":7}`, `{"data":{"` + secret + `":1}}`,
	} {
		r := decode(t, push(data))
		require.Error(t, r.Fault, data)
		assert.True(t, r.Data, data)
		assert.Equal(t, wire.Message{}, r.Message, data)
		assert.Equal(t, "f", r.ID.String())
		assert.Regexp(t, errorText, r.Fault.Error())
		assert.NotContains(t, r.Fault.Error(), secret)
	}
}

func TestDecodeRefuses(t *testing.T) {
	var d wire.Decoder
	for _, in := range []string{
		``, `null`, `{}`, `[]`, `{"id":""}`, `{"data":{"message_id":"m"}}`, `{"id":"` + secret, `{"id":"x"} ` + secret,
		`{"id":"x"}{"id":"y"}`, `{"id":"x","new":01}`, `{"id":"x","new":-}`, `{"id":"x","new":tru}`,
		`{"id":"x","new":{[1]}}`, `{"id":"x","new":[1,]}`, `{"id":"x","new":}`, `{"id":"x","data":{"expire_in":1-}}`,
		`{"id":"x","data":{"data":"` + "\x1f" + `"}}`, `{"id":"x","data":{"silent":truee}}`, `{"id" "x"}`,
		`{"id":"x","new":"\` + `x"}`, `{"id":"x",}`, `{,"id":"x"}`, `{"id":5}`, `{"id":"x","data":{"a":1}`,
	} {
		r := new(wire.Received)
		err := d.Decode([]byte(in), r)
		require.Error(t, err, in)
		assert.Regexp(t, errorText, err.Error(), in)
		assert.NotContains(t, err.Error(), secret)
		assert.Equal(t, "y", decode(t, `{"id":"y"}`).ID.String())
	}
	deep := func(n int) string { return `{"id":"x","data":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for _, n := range []int{1, 31, 32, 33, 9_999} {
		require.NoError(t, d.Decode([]byte(deep(n)), new(wire.Received)), n)
	}
	require.Error(t, d.Decode([]byte(deep(10_000)), new(wire.Received)))
}

func TestTheDataOfAMessage(t *testing.T) {
	for data, want := range map[string]wire.Message{
		`"data":"+/8=","data_base64":"-_8"`:   {Data: "\xfb\xff"},
		`"data_base64":"-_8","data":"AAAA"`:   {Data: "\xfb\xff"},
		`"data":"+/8="`:                       {Data: "\xfb\xff"},
		`"data":"+/8=","data_base64":""`:      {Data: "\xfb\xff"},
		`"data":"+/8=","data_base64":null`:    {Data: "\xfb\xff"},
		`"data":"AAAA","data_base64":"a bit"`: {Data: "a bit", NotBase64: true},
		`"data":""`:                           {},
		`"data":"="`:                          {Data: "=", NotBase64: true},
	} {
		assert.Equal(t, want, both(t, push("{"+data+"}")).Message, data)
	}
	r := decode(t, push(`{"data":"+\/8=","new":"aGk\n="}`)) // escaped, as by some encoders
	assert.Equal(t, wire.Message{Data: "\xfb\xff"}, r.Message)
}

// Strings of every length, to end at each position within eight bytes, with each character that ends the fast path.
func TestStringsOfEveryLength(t *testing.T) {
	for n := range 40 {
		text := strings.Repeat("~", n)
		in := `{"id":"x` + text + `"}`
		require.True(t, wire.Scans([]byte(in)))
		require.Equal(t, "x"+text, decode(t, in).ID.String())
		for c := range 256 {
			in := `{"id":"x` + text + string([]byte{byte(c)}) + text + `"}`
			plain := c >= ' ' && c <= '~' && c != '"' && c != '\\' || c == 0x7f
			require.Equal(t, plain, wire.Scans([]byte(in)), "%q", in)
		}
	}
}

// At every position: short text is checked in words of 8 bytes, long text in blocks of 32.
func TestAnUnusualCharacterIsNoticedAtEveryPlace(t *testing.T) {
	for n := 1; n < 150; n += 7 {
		in := []byte(`{"data":{"data_base64":"` + strings.Repeat("A", n) + `"}}`)
		require.True(t, wire.Scans(in))
		from := bytes.IndexByte(in, 'A')
		for at := from; at < from+n; at++ {
			for c := range 256 {
				in[at] = byte(c)
				plain := c >= ' ' && c <= 0x7f && c != '"' && c != '\\'
				require.Equal(t, plain, wire.Scans(in), "%q", in)
			}
			in[at] = 'A'
		}
	}
}

// Of data that is not a message no field is set, not even a valid one before the fault.
func TestNothingIsTakenOfDataThatIsNoMessage(t *testing.T) {
	r := decode(t, push(`{"message_id":"m","user_id":5}`))
	require.Error(t, r.Fault)
	assert.Equal(t, wire.Message{}, r.Message)
}

// A stored id does not keep the other texts of its message in memory.
func TestAnIDKeepsNoLongText(t *testing.T) {
	long := strings.Repeat("A", 1<<20)
	in := []byte(push(fmt.Sprintf(`{"message_id":"m","category":%q,"data":%q}`, long, long)))
	var ids []string
	var d wire.Decoder
	var r wire.Received
	before := gauge.Heap()
	for range 20 {
		require.NoError(t, d.Decode(in, &r))
		require.Len(t, r.Message.Category, len(long))
		ids = append(ids, r.Message.MessageID)
	}
	r = wire.Received{}
	runtime.GC()
	assert.Less(t, gauge.Heap(), before+10<<20)
	assert.Equal(t, "m", ids[0])
	runtime.KeepAlive(ids)
}

// Such an id belongs to no request.
func TestAFrameIDOfMoreThan64BytesIsNone(t *testing.T) {
	long := strings.Repeat("i", 64)
	assert.Equal(t, long, both(t, `{"id":"`+long+`"}`).ID.String())
	r := both(t, `{"id":"i`+long+`"}`)
	assert.Empty(t, r.ID.Bytes())
}

// The longest time.Duration is 9,223,372,036 s.
func TestExpireIn(t *testing.T) {
	for in, want := range map[string]int64{
		`0`: 0, `7`: 7, `-7`: 0, `-0`: 0, `"7"`: 7, `"-7"`: 0, `null`: 0, `9223372036`: 9223372036,
		`9223372037`: 9223372036, `999999999999999999`: 9223372036, `1000000000000000000`: 9223372036,
		`1e17`: 9223372036, `9223372036854775808`: 9223372036, `"-9223372036854775808"`: 0, `-1e99`: 0,
		`7.0`: 7, `7.5`: 8, `7.4`: 7, `1e3`: 1000, `"1e3"`: 1000, `"7.6"`: 8, `" 7 "`: 7, `"\u0037"`: 7, `""`: 0,
		`"0x7"`: 0, `"7_0"`: 0, `true`: 0, `{}`: 0, `[7]`: 0, `"null"`: 0, `"Inf"`: 0, `1e999`: 9223372036,
	} {
		r := decode(t, push(`{"message_id":"m","expire_in":`+in+`}`))
		require.NoError(t, r.Fault, in)
		assert.Equal(t, wire.Message{MessageID: "m", ExpireIn: want}, r.Message, in)
	}
}

// An optional field is no reason to lose a message.
func TestOddFieldsBesideAMessage(t *testing.T) {
	for in, want := range map[string]wire.Message{
		`"silent":"true"`:        {Silent: true},
		`"silent":"yes"`:         {},
		`"silent":1`:             {},
		`"silent":{}`:            {},
		`"status":5`:             {},
		`"status":["SENT"]`:      {},
		`"session_id":5`:         {SessionID: "5"},
		`"session_id":{"a":"b"}`: {},
		`"session_id":"` + strings.Repeat("s", 65) + `"`:       {},
		`"quote_message_id":false`:                             {},
		`"quote_message_id":"` + strings.Repeat("q", 65) + `"`: {},
		`"source":[]`: {},
		`"source":"LIST_PENDING_MESSAGES","source":7.5`: {},
		`"created_at":17`: {},
		`"updated_at":{}`: {},
		`"type":5`:        {},
	} {
		want.MessageID, want.Category, want.Data = "m", "PLAIN_TEXT", "abc"
		r := decode(t, push(`{"message_id":"m","category":"PLAIN_TEXT","data":"YWJj",`+in+`}`))
		require.NoError(t, r.Fault, in)
		assert.Equal(t, want, r.Message, in)
	}
}

// The id of a lost message is in the error.
func TestTheFaultNamesTheMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"message_id":"m","user_id":5}`:   `message "m": wire: JSON field "user_id" is not a string`,
		`{"user_id":5,"message_id":"m\n"}`: `message "m\n": wire: JSON field "user_id" is not a string`,
		`{"message_id":{},"user_id":5}`:    `wire: JSON field "message_id" is not a string`,
		`{"user_id":5}`:                    `wire: JSON field "user_id" is not a string`,
		`{"user_id":5,"message_id":"` + strings.Repeat("m", 65) +
			`"}`: `wire: JSON field "user_id" is not a string`,
	} {
		r := decode(t, push(in))
		require.EqualError(t, r.Fault, want)
		assert.Equal(t, wire.Message{}, r.Message)
	}
	var d wire.Decoder
	require.EqualError(t, d.Decode([]byte(`{"id":["x"],"data":{"message_id":"m"}}`), new(wire.Received)),
		`message "m": wire: JSON field "id" is not a string`)
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]time.Time{
		`"2023-04-28T10:01:32Z"`:                 time.Date(2023, 4, 28, 10, 1, 32, 0, time.UTC),
		`"2023-04-28T10:01:32.387507Z"`:          time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC),
		`"2023-04-28T10:01:32.123456789Z"`:       time.Date(2023, 4, 28, 10, 1, 32, 123456789, time.UTC),
		`"2023-04-28T18:01:32.387507+08:00"`:     time.Date(2023, 4, 28, 10, 1, 32, 387507000, time.UTC),
		`"0001-01-01T00:00:00Z"`:                 {},
		`""`:                                     {},
		`null`:                                   {},
		`0`:                                      {},
		`1682676092`:                             {},
		`"2023-04-28"`:                           {},
		`"2023-02-30T10:01:32Z"`:                 {},
		`"2023-04-28 10:01:32"`:                  time.Date(2023, 4, 28, 10, 1, 32, 0, time.UTC),
		`"2023-04-28T10:01:32.5"`:                time.Date(2023, 4, 28, 10, 1, 32, 5e8, time.UTC),
		`{"t":1}`:                                {},
		`["2023-04-28T10:01:32Z"]`:               {},
		`"` + strings.Repeat("9", 1000) + `-01"`: {},
	} {
		data := `{"created_at":` + in + `,"updated_at":` + in + `}`
		got := both(t, push(data))
		assert.Equal(t, want, got.Message.CreatedAt, in) // in UTC
		assert.Zero(t, got.UpdatedAt, in)
		got = both(t, receipt(data))
		assert.True(t, want.Equal(got.Message.CreatedAt), "%s: %v", in, got.Message.CreatedAt)
		assert.True(t, want.Equal(got.UpdatedAt), "%s: %v", in, got.UpdatedAt)
	}
	r := decode(t, receipt(`{"updated_at":"2022-04-28T10:01:32Z","updated_at":"0001-01-01T00:00:00Z"}`))
	assert.True(t, r.UpdatedAt.IsZero())
	// Of several, the last valid time counts.
	for _, in := range []string{
		`{"updated_at":"2023-04-28T10:01:32Z","updated_at":"x"}`,
		`{"updated_at":"x","updated_at":"2023-04-28T10:01:32Z"}`,
		`{"updated_at":"2022-04-28T10:01:32Z","updated_at":"2023-04-28T10:01:32Z","updated_at":null,"updated_at":7}`,
	} {
		assert.True(t, decode(t, receipt(in)).UpdatedAt.Equal(time.Date(2023, 4, 28, 10, 1, 32, 0, time.UTC)), in)
	}
}

// reference decodes a frame with the standard library only. It returns nil if the frame is invalid.
func reference(in []byte) *wire.Received {
	var f struct {
		ID, Action string
		Params     json.RawMessage
		Data       json.RawMessage
		Error      *oddError
	}
	if json.Unmarshal(in, &f) != nil || f.ID+f.Action == "" {
		return nil
	}
	r := &wire.Received{ID: id(f.ID), Action: f.Action, Data: len(f.Data) > 0 && !empty(f.Data)}
	if e := f.Error; e != nil {
		rejection := e.wire()
		r.Error = &rejection
	}
	if !r.Data {
		return r
	}
	var v struct {
		ConversationID   string  `json:"conversation_id"`
		UserID           string  `json:"user_id"`
		SessionID        oddText `json:"session_id"`
		MessageID        string  `json:"message_id"`
		Category         string
		Data             string
		DataBase64       string `json:"data_base64"`
		Status, Source   oddText
		QuoteMessageID   oddText `json:"quote_message_id"`
		RepresentativeID string  `json:"representative_id"`
		Silent           oddFlag
		ExpireIn         oddNumber `json:"expire_in"`
		CreatedAt        moment    `json:"created_at"`
		UpdatedAt        moment    `json:"updated_at"`
	}
	if f.Data[0] != '{' || json.Unmarshal(f.Data, &v) != nil {
		r.Fault = errors.New("no message")
		return r
	}
	text := v.DataBase64
	if text == "" {
		text = v.Data
	}
	data, err := wire.AppendBase64(nil, []byte(text))
	if err != nil {
		data = []byte(text)
	}
	short := func(id oddText) string {
		if len(id) > 64 {
			return ""
		}
		return string(id)
	}
	if r.Status = string(v.Status); r.Action == "ACKNOWLEDGE_MESSAGE_RECEIPT" {
		r.UpdatedAt = v.UpdatedAt.Time
	}
	r.Message = wire.Message{
		ConversationID: v.ConversationID, UserID: v.UserID, SessionID: short(v.SessionID), MessageID: v.MessageID,
		QuoteMessageID: short(v.QuoteMessageID), RepresentativeID: v.RepresentativeID, Category: v.Category,
		Data: string(data), NotBase64: err != nil, CreatedAt: v.CreatedAt.Time,
		ExpireIn: int64(max(0, min(v.ExpireIn, 9223372036))), Silent: bool(v.Silent),
		Pending: v.Source == "LIST_PENDING_MESSAGES",
	}
	return r
}

// empty reports whether JSON is null, or an empty object or array.
func empty(text []byte) bool {
	var list []json.RawMessage
	var object map[string]json.RawMessage
	return json.Unmarshal(text, &list) == nil && len(list) == 0 ||
		json.Unmarshal(text, &object) == nil && len(object) == 0
}

// FuzzDecode compares Decode with the standard library: both accept the same frames and decode the same values.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		receipt(`{"status":"READ","updated_at":"2023-04-28T10:01:32.387507Z","updated_at":""}`),
		push(`{"type":"message","message_id":"m","data":"YWJj","data_base64":"YWJj",` +
			`"silent":true,"expire_in":60,"created_at":"2023-04-28T10:01:32.387507Z"}`),
		`{"id":"x","action":"A","params":"p","data":[1],` +
			`"error":{"status":202,"code":401,"description":"d","extra":{}}}`,
		`{"id":"y","ID":"x"}`, `{"id":5}`, `null`, `{}`, `[]`, `"x"`, `{"id":"x"} {}`,
		`{"error":{"code":"401"},"id":"x"}`, `{"id":"x","error":null,"data":null}`,
		`{"id":"\ud800","data":1e999}`, `{"id":"x","data":{},"data":{"silent":true}}`,
		push(`{"silent":true,"silent":null,"expire_in":-0,"created_at":[],"created_at":"x"}`),
		push(`{"USER_ID":"u","K":"ſ","a":{"b":[1.5e-3]}}`),
		`{"id":"x","new":{[1]}}`, `{"id":"x","new":[[],{}],"a":-1}`, " { \"id\"\t:\r\"\" \n} ",
		push(`{"status":"READ","updated_at":"0001-01-01T00:00:00+01:00"}`),
		`{"ACtion":"0","dAtA":{"updAted_At":"0000000000"}}`,
		push(`{"message_id":"\"\\","user_id":5}`), `{"id":5,"data":{"message_id":"\n"}}`,
		push(`{"created_at":"2023-04-28T10:01:32.387507-0700","updated_at":"2023-04-28 10:01:32+0545"}`),
		`{"id":"0","data":{ }}`, `{"id":"0","data":[]}`,
	} {
		f.Add([]byte(s))
	}
	var d wire.Decoder
	f.Fuzz(func(t *testing.T, in []byte) {
		want, got := reference(in), new(wire.Received)
		err := d.Decode(in, got)
		if want == nil {
			require.Error(t, err)
			require.Regexp(t, errorText, err.Error())
			return
		}
		require.NoError(t, err)
		require.Equal(t, want.Fault == nil, got.Fault == nil)
		if got.Fault != nil {
			require.Regexp(t, errorText, got.Fault.Error())
			got.Fault = want.Fault
		}
		require.Equal(t, want, got)
	})
}
