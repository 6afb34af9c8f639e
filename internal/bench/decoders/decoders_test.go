package decoders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/buger/jsonparser"
	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	goccy "github.com/goccy/go-json"
	jsoniter "github.com/json-iterator/go"
	"github.com/mailru/easyjson"
	segmentio "github.com/segmentio/encoding/json"
	"github.com/valyala/fastjson"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// decoders has the decoders to compare. All of them copy the strings of a decoded frame, because the buffer of a frame
// is reused for the next one.
var decoders = []struct {
	name   string
	decode func() func(p []byte, f *Frame) error // a new one for each benchmark, with reusable memory
}{
	{"encoding-json", unmarshal(func(p []byte, f *Frame) error { return json.Unmarshal(p, f) })},
	{"json-v2", unmarshal(func(p []byte, f *Frame) error { return jsonv2.Unmarshal(p, f) })},
	{"json-iterator", unmarshal(func(p []byte, f *Frame) error { return jsoniter.ConfigFastest.Unmarshal(p, f) })},
	{"goccy", unmarshal(func(p []byte, f *Frame) error { return goccy.Unmarshal(p, f) })},
	{"segmentio", unmarshal(func(p []byte, f *Frame) error { return segmentio.Unmarshal(p, f) })},
	{"sonic", unmarshal(func(p []byte, f *Frame) error { return sonic.ConfigFastest.Unmarshal(p, f) })},
	{"easyjson", unmarshal(func(p []byte, f *Frame) error { return easyjson.Unmarshal(p, f) })},
	{"fastjson", fast},
	{"jsonparser", unmarshal(parse)},
}

func unmarshal(decode func(p []byte, f *Frame) error) func() func(p []byte, f *Frame) error {
	return func() func(p []byte, f *Frame) error { return decode }
}

// fast decodes with a parser that reuses its values, and copies the fields.
func fast() func(p []byte, f *Frame) error {
	var parser fastjson.Parser
	return func(p []byte, f *Frame) error {
		v, err := parser.ParseBytes(p)
		if err != nil {
			return err
		}
		f.ID, f.Action = string(v.GetStringBytes("id")), string(v.GetStringBytes("action"))
		d := v.Get("data")
		text := func(name string) string { return string(d.GetStringBytes(name)) }
		f.Data = Message{
			text("conversation_id"), text("user_id"), text("session_id"),
			text("message_id"), text("category"), text("data_base64"), text("status"),
			text("source"), text("quote_message_id"), text("representative_id"),
			d.GetBool("silent"), d.GetInt64("expire_in"),
			text("created_at"), text("updated_at"),
		}
		return nil
	}
}

// parse decodes with a parser that calls back for each name and does not validate the values between.
func parse(p []byte, f *Frame) error {
	return jsonparser.ObjectEach(p, func(name, value []byte, _ jsonparser.ValueType, _ int) error {
		switch string(name) {
		case "id":
			f.ID = string(value)
		case "action":
			f.Action = string(value)
		case "data":
			return jsonparser.ObjectEach(value, func(name, value []byte, _ jsonparser.ValueType, _ int) error {
				return parseField(&f.Data, name, value)
			})
		}
		return nil
	})
}

func parseField(m *Message, name, value []byte) (err error) {
	switch string(name) {
	case "conversation_id":
		m.ConversationID = string(value)
	case "user_id":
		m.UserID = string(value)
	case "session_id":
		m.SessionID = string(value)
	case "message_id":
		m.MessageID = string(value)
	case "category":
		m.Category = string(value)
	case "data_base64":
		m.DataBase64 = string(value)
	case "status":
		m.Status = string(value)
	case "source":
		m.Source = string(value)
	case "quote_message_id":
		m.QuoteMessageID = string(value)
	case "representative_id":
		m.RepresentativeID = string(value)
	case "created_at":
		m.CreatedAt = string(value)
	case "updated_at":
		m.UpdatedAt = string(value)
	case "silent":
		m.Silent, err = jsonparser.ParseBoolean(value)
	case "expire_in":
		m.ExpireIn, err = jsonparser.ParseInt(value)
	}
	return err
}

// frame returns the JSON of a text message of n bytes, in the service's form. Its data is not base64, so that no
// decoder spends time on decoding it. That time is the same for all and would hide the time for the JSON.
func frame(n int) []byte {
	data := "!" + strings.Repeat("Base64", n*4/3/6)
	return fmt.Appendf(nil, `{"id":"89e0bdee-c355-47f2-945a-be48be875606","action":"CREATE_MESSAGE",`+
		`"data":{"type":"message","representative_id":"","quote_message_id":"",`+
		`"conversation_id":"7404c815-0393-3ea3-b9f2-b08efb4c72da","user_id":"773e5e77-4107-45c2-b648-8fc722ed77f5",`+
		`"session_id":"8dcf823d-9eb3-4da2-8734-f0aad50c0da6","message_id":"3eb16a1f-78b4-4e70-a1c8-0ec3a1c1a1c1",`+
		`"category":"PLAIN_TEXT","data":%q,"data_base64":%q,"status":"SENT","source":"CREATE_MESSAGE",`+
		`"silent":true,"expire_in":60,"created_at":"2023-04-28T10:01:32.387507Z",`+
		`"updated_at":"2023-04-28T10:01:33.387507Z"}}`,
		data, data)
}

// created parses the time of a message. The decoder of this library parses it itself.
func created(m *Message) (time.Time, error) { return time.Parse(time.RFC3339Nano, m.CreatedAt) }

// All decoders read the same values.
func TestSame(t *testing.T) {
	p := frame(100)
	var own wire.Decoder
	var r wire.Received
	if err := own.Decode(p, &r); err != nil {
		t.Fatal(err)
	}
	for _, d := range decoders {
		var f Frame
		if err := d.decode()(p, &f); err != nil {
			t.Fatal(d.name, err)
		}
		at, err := created(&f.Data)
		if err != nil {
			t.Fatal(d.name, err)
		}
		m := f.Data
		got := wire.Received{
			ID: wire.FrameIDOf([]byte(f.ID)), Action: f.Action, Data: true, Status: m.Status,
			Message: wire.Message{
				ConversationID: m.ConversationID, UserID: m.UserID, SessionID: m.SessionID,
				MessageID: m.MessageID, QuoteMessageID: m.QuoteMessageID, RepresentativeID: m.RepresentativeID,
				Category: m.Category, Data: m.DataBase64, CreatedAt: at, ExpireIn: m.ExpireIn,
				NotBase64: true, Silent: m.Silent,
			},
		}
		if got != r {
			t.Errorf("%s: %+v, want %+v", d.name, got, r)
		}
	}
}

func BenchmarkDecoders(b *testing.B) {
	for _, n := range []int{80, 1 << 10, 100 << 10} {
		p := frame(n)
		run := func(name string, decode func() error) {
			b.Run(fmt.Sprintf("%s/%dB", name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					if err := decode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		var own wire.Decoder
		var r wire.Received
		// Allocates the buffer for decoded base64 once, as on a link. The benchmark needs a buffer of that size,
		// although its data is not base64.
		if err := own.Decode(bytes.Replace(p, []byte("!"), nil, 2), &r); err != nil || r.Message.NotBase64 {
			b.Fatal(err, r.Message.NotBase64)
		}
		run("blaze", func() error { return own.Decode(p, &r) })
		for _, d := range decoders {
			decode := d.decode()
			run(d.name, func() error {
				var f Frame
				if err := decode(p, &f); err != nil {
					return err
				}
				_, err := created(&f.Data)
				return err
			})
		}
	}
}
