package blaze_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/gauge"
)

// maxAllocated returns the bytes that decoding a payload of this size may allocate.
func maxAllocated(size int) int64 { return 8*int64(size) + 4<<10 }

// fieldsOf returns the field names that the decoder of a category reads.
func fieldsOf(c blaze.Category) []string {
	names := strings.Fields("attachment_id key digest media_key media_digest sticker_id user_id url message_id " +
		"message_ids action snapshot_id opponent_id asset_id trace_id amount deposit_hash deposit_index")
	for _, p := range accompanying {
		if p.category == c {
			names = append(names, p.beside...)
		}
	}
	for _, p := range listed {
		if p.category == c {
			names = append(names, p.beside...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hostilePayloads returns payloads of about a size that need much more memory when decoded naively.
func hostilePayloads(names []string, list bool, size int) map[string]string {
	fill := func(head, each, tail string) string {
		n := max(0, size-len(head)-len(tail)) / (len(each) + 1)
		return head + strings.TrimSuffix(strings.Repeat(each+",", n), ",") + tail
	}
	text := func(of string) string { return `"` + strings.Repeat(of, size/len(of)) + `"` }
	found := map[string]string{
		"zeros": fill(`[`, `0`, `]`), "objects": fill(`[`, `{}`, `]`),
		"a zero at the end": fill(`[`, `{}`, `,0]`), "texts": fill(`[`, `""`, `]`),
		"nested": strings.Repeat(`[`, size), "closed": strings.Repeat(`[`, size/2) + strings.Repeat(`]`, size/2),
		"nested objects": strings.Repeat(`{"a":`, size/5),
		"in a field":     `{"x":` + strings.Repeat(`[`, size/2) + strings.Repeat(`]`, size/2) + `}`,
		"fields":         fill(`{`, `"a":1`, `}`),
		"escaped names":  fill(`{`, `"\u0061":1`, `}`), "text": text(`x`),
		"escapes": text(`\n`), "not UTF-8": text("\xff"), "brackets in a text": text(`[`),
		"odd elements": fill(`[{"message_id":"m"},`, `1`, `]`), "cut off": fill(`[`, `{}`, `,`), "empty": "",
	}
	values := map[string]string{
		"zeros": fill(`[`, `0`, `]`), "objects": fill(`[`, `{}`, `]`),
		"digits": strings.Repeat("9", size), "text": text(`x`), "text of digits": text(`9`),
		"escapes": text(`\n`), "long escapes": text(`\u0041`), "not UTF-8": text("\xff"),
		"some not UTF-8": text("\xff" + strings.Repeat("x", 40)),
		"base64":         text(`AAAA`), "escaped base64": text(`\/AAA`), "hexadecimal": text(`00`),
		"a long time": `"2024-02-29T10:01:32.` + strings.Repeat("0", size) + `Z"`,
	}
	small := []string{
		`"x"`, `"xx"`, `1e999`, `"1e999"`, `99999999999999999999`,
		`"2024-02-29T10:01:32+05:45"`, `"0000000000000000000"`, `"\u0078"`, `"\xff"`, `{}`, `[]`,
	}
	for _, name := range names {
		for kind, value := range values {
			object := fmt.Sprintf(`{"attachment_id":"a","user_id":"u","action":"a","snapshot_id":"s","url":"u",%q:%s}`,
				name, value)
			if list {
				object = "[" + object + "]"
			}
			found[name+" of "+kind] = object
		}
	}
	for _, value := range small {
		var all []string
		for _, name := range names {
			all = append(all, fmt.Sprintf("%q:%s", name, value))
			if !list {
				continue
			}
			found["many "+name+" of "+value] = fill(`[`, fmt.Sprintf(`{%q:%s}`, name, value), `]`)
			one := fmt.Sprintf(`{%q:%s,"x":%q},`, name, value, strings.Repeat("x", 100))
			found["some "+name+" of "+value] = `[` + strings.TrimSuffix(strings.Repeat(one, 300), ",") + `]`
		}
		found["fields of "+value] = `{` + strings.Join(all, ",") + `}`
		found["a list with fields of "+value] = fill(`[`, `{`+strings.Join(all, ",")+`}`, `]`)
		found["equal fields of "+value] = fill(`{`, `"user_id":`+value, `}`)
		listed := slices.DeleteFunc(all, func(s string) bool {
			return !strings.HasPrefix(s, `"media_`) && !strings.HasPrefix(s, `"created`)
		})
		found["media of "+value] = fill(`[`, `{`+strings.Join(listed, ",")+`}`, `]`)
	}
	return found
}

// categoriesDecoded are all categories with a decoder, and one without.
var categoriesDecoded = []blaze.Category{
	"PLAIN_TEXT", "PLAIN_POST", "PLAIN_IMAGE", "PLAIN_DATA", "PLAIN_STICKER", "PLAIN_CONTACT", "PLAIN_AUDIO",
	"PLAIN_VIDEO", "PLAIN_LIVE", "PLAIN_LOCATION", "PLAIN_TRANSCRIPT", "APP_BUTTON_GROUP", "APP_CARD", "MESSAGE_RECALL",
	"MESSAGE_PIN", "SYSTEM_CONVERSATION", "SYSTEM_ACCOUNT_SNAPSHOT", "SYSTEM_SAFE_SNAPSHOT", "SYSTEM_SAFE_INSCRIPTION",
	"PLAIN_JSON",
}

// Decoding any payload allocates at most eight times its size and a constant.
func TestDecodingIsBounded(t *testing.T) {
	for _, c := range categoriesDecoded {
		for _, size := range []int{200, 5_000} {
			payloads := hostilePayloads(fieldsOf(c), c == "PLAIN_TRANSCRIPT" || c == "APP_BUTTON_GROUP", size)
			for i, name := range slices.Sorted(maps.Keys(payloads)) {
				if raced && i%8 != 0 { // measuring takes a hundred times as long as decoding
					continue
				}
				data := []byte(payloads[name])
				got := gauge.Allocated(func() { blaze.DecodePayload(c, data) })
				if most := maxAllocated(len(data)); got > most {
					t.Errorf("%s of %d bytes allocates %d, more than %d: %s", c, len(data), got, most, name)
				}
			}
		}
	}
}

// Lists as long as those of apps are decoded. Longer ones are not.
func TestListsThatAreTooLong(t *testing.T) {
	list := func(head, each string, n int, tail string) []byte {
		return []byte(head + strings.TrimSuffix(strings.Repeat(each+",", n), ",") + tail)
	}
	const button, quoted = `{"label":"l","color":"#000000","action":"a"}`, `{"message_id":"` + userA +
		`","transcript_id":"` + userB + `","category":"PLAIN_TEXT"}`
	for _, c := range []struct {
		category         blaze.Category
		head, each, tail string
		most             int
	}{
		{"APP_BUTTON_GROUP", `[`, button, `]`, 18},
		{"APP_CARD", `{"title":"t","actions":[`, button, `]}`, 18},
		{"PLAIN_TRANSCRIPT", `[`, quoted, `]`, 300},
		{"MESSAGE_PIN", `{"action":"PIN","message_ids":[`, `"` + userA + `"`, `]}`, 300},
		{"MESSAGE_RECALL", `{"message_id":"m",`, `"x":0`, `}`, 63},
	} {
		p := blaze.DecodePayload(c.category, list(c.head, c.each, c.most, c.tail))
		assert.NotContains(t, fmt.Sprintf("%T", p), "Raw", c.category)
		raw, ok := blaze.DecodePayload(c.category, list(c.head, c.each, c.most+1, c.tail)).(blaze.Raw)
		require.True(t, ok, c.category)
		require.ErrorContains(t, raw.Err, "more than ", c.category)
	}
	raw, ok := blaze.DecodePayload("PLAIN_TRANSCRIPT", list(`[`, `{}`, 100, `]`)).(blaze.Raw)
	require.True(t, ok)
	require.ErrorContains(t, raw.Err, "nearly empty objects")
}
