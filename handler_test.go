package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// takes checks that On[P] calls its function with P itself and declines all other payloads.
func requireOn[P blaze.Payload](t *testing.T, mine P, all []blaze.Payload) {
	t.Helper()
	var got []blaze.Payload
	h := blaze.On(func(_ context.Context, _ *blaze.Message, p P) error {
		got = append(got, p)
		return nil
	})
	for _, p := range all {
		err := h(t.Context(), &blaze.Message{Payload: p})
		if fmt.Sprintf("%T", p) == fmt.Sprintf("%T", mine) {
			assert.NoError(t, err, "%T", p)
		} else {
			assert.ErrorIs(t, err, blaze.ErrNotHandled, "On[%T] of a %T", mine, p)
		}
	}
	assert.Equal(t, []blaze.Payload{mine}, got)
}

func TestOnAcceptsItsPayloadAndDeclinesOthers(t *testing.T) {
	all := []blaze.Payload{
		blaze.Text("t"), blaze.Post("p"),
		blaze.Image{Width: 1},
		blaze.Data{Name: "d"},
		blaze.Sticker{Name: "s"},
		blaze.Contact{UserID: "u"},
		blaze.ButtonGroup{{Label: "b"}},
		blaze.Card{Title: "c"},
		blaze.Audio{Waveform: []byte{1}},
		blaze.Video{Width: 2},
		blaze.Live{URL: "l"},
		blaze.Location{Name: "n"},
		blaze.Transcript{{}},
		blaze.Recall{MessageID: "r"},
		blaze.Pin{Action: "PIN"},
		blaze.SystemConversation{Action: "JOIN"},
		blaze.AccountSnapshot{Memo: "m"},
		blaze.SafeSnapshot{Amount: "1"},
		blaze.Raw{As: "X"},
	}
	requireOn(t, all[0].(blaze.Text), all)
	requireOn(t, all[1].(blaze.Post), all)
	requireOn(t, all[2].(blaze.Image), all)
	requireOn(t, all[3].(blaze.Data), all)
	requireOn(t, all[4].(blaze.Sticker), all)
	requireOn(t, all[5].(blaze.Contact), all)
	requireOn(t, all[6].(blaze.ButtonGroup), all)
	requireOn(t, all[7].(blaze.Card), all)
	requireOn(t, all[8].(blaze.Audio), all)
	requireOn(t, all[9].(blaze.Video), all)
	requireOn(t, all[10].(blaze.Live), all)
	requireOn(t, all[11].(blaze.Location), all)
	requireOn(t, all[12].(blaze.Transcript), all)
	requireOn(t, all[13].(blaze.Recall), all)
	requireOn(t, all[14].(blaze.Pin), all)
	requireOn(t, all[15].(blaze.SystemConversation), all)
	requireOn(t, all[16].(blaze.AccountSnapshot), all)
	requireOn(t, all[17].(blaze.SafeSnapshot), all)
	requireOn(t, all[18].(blaze.Raw), all)
}

func TestOnPayloadAcceptsEverything(t *testing.T) {
	var got []blaze.Payload
	h := blaze.On(func(_ context.Context, _ *blaze.Message, p blaze.Payload) error {
		got = append(got, p)
		return nil
	})
	for _, p := range []blaze.Payload{blaze.Text("a"), blaze.Raw{As: "NEW"}} {
		require.NoError(t, h(t.Context(), &blaze.Message{Payload: p}))
	}
	assert.Equal(t, []blaze.Payload{blaze.Text("a"), blaze.Raw{As: "NEW"}}, got)
}

func TestOnPassesItsErrorOn(t *testing.T) {
	failure := errors.New("failure")
	h := blaze.On(func(context.Context, *blaze.Message, blaze.Text) error { return failure })
	assert.Equal(t, failure, h(t.Context(), &blaze.Message{Payload: blaze.Text("a")}))
}

func TestOnPanicsForPointers(t *testing.T) {
	assert.PanicsWithValue(t, "blaze: On[*blaze.Image]: payloads arrive as values; write On[blaze.Image]", func() {
		blaze.On(func(context.Context, *blaze.Message, *blaze.Image) error { return nil })
	})
}

func TestRouteCallsHandlersInOrder(t *testing.T) {
	failure := errors.New("failure")
	var queried []string
	returns := func(name string, err error) blaze.Handler {
		return func(context.Context, *blaze.Message) error {
			queried = append(queried, name)
			return err
		}
	}
	declined := fmt.Errorf("not mine: %w", blaze.ErrNotHandled)
	for _, tt := range []struct {
		name    string
		route   blaze.Handler
		want    error
		queried []string
	}{
		{"nobody", blaze.Route(), blaze.ErrNotHandled, nil},
		{"only nil", blaze.Route(nil, nil), blaze.ErrNotHandled, nil},
		{"first accepts", blaze.Route(returns("a", nil), returns("b", nil)), nil, []string{"a"}},
		{
			"first declines", blaze.Route(returns("a", blaze.ErrNotHandled), nil, returns("b", nil), returns("c", nil)),
			nil,
			[]string{"a", "b"},
		},
		{"wrapped decline", blaze.Route(returns("a", declined), returns("b", nil)), nil, []string{"a", "b"}},
		{
			"all decline", blaze.Route(returns("a", declined), returns("b", blaze.ErrNotHandled)),
			blaze.ErrNotHandled,
			[]string{"a", "b"},
		},
		{
			"failure ends it", blaze.Route(returns("a", blaze.ErrNotHandled), returns("b", failure), returns("c", nil)),
			failure,
			[]string{"a", "b"},
		},
		{"routes nest", blaze.Route(blaze.Route(returns("a", declined)), returns("b", nil)), nil, []string{"a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			queried = nil
			assert.Equal(t, tt.want, tt.route(t.Context(), &blaze.Message{Payload: blaze.Text("x")}))
			assert.Equal(t, tt.queried, queried)
		})
	}
}

func TestCommand(t *testing.T) {
	const declined = "\x00declined"
	for _, tt := range []struct{ command, text, want string }{
		{"/price", "/price BTC", "BTC"},
		{"/price", "/PRICE  BTC", "BTC"},
		{"/price", "@7000101488 /price BTC", "BTC"},
		{"price", "/price BTC", "BTC"},
		{" /Price ", "/price BTC", "BTC"},
		{"/price", "/price", ""},
		{"/price", "  /price  ", ""},
		{"/price", "@7000101488 /price", ""},
		{"/price", "/price\nBTC\nETH", "BTC\nETH"},
		{"/price", "/price\u00a0BTC", "BTC"},
		{"/price", "\u2003/price\u3000 BTC\u2003", "BTC"},
		{"/price", "@7000101488\u00a0/price BTC", "BTC"},
		{"/price", "/price /price", "/price"},
		{"/价格", "/价格 BTC", "BTC"},
		{"/price", "/price @7000101488", "@7000101488"},

		{"/price", "@7000101488/price BTC", "BTC"},
		{"/price", "/price@7000101488 BTC", "BTC"},
		{"/price", "/price@7000101488", ""},
		{"/price", "@7000101488 /price@7000101488 BTC", "BTC"},
		{"/price", "/Price@somebody BTC", "BTC"},
		{"/a@b", "/a@b c", "c"},
		{"/a@b", "/a@b@7000101488 c", "c"},
		{"/price", "／price BTC", "BTC"},
		{"／price", "/price BTC", "BTC"},
		{"/price", "＠7000101488 ／ｐＲＩｃｅ ＢＴＣ", "ＢＴＣ"},
		{"/price", "@7000101488／price\u3000BTC", "BTC"},
		{"/price", "\u2068/price\u2069 \u2068BTC\u2069", "BTC"},
		{"/price", "\u200e /price\u200b\u202c BTC \u200f", "BTC"},
		{"/price", "\ufeff\u2066@7000101488\u2069\u00a0\u200b/price BTC\u2060", "BTC"},
		{"/price", "\u200b", declined},
		{"/price", "/pr\u200cice BTC", "BTC"},
		{"/\u200eprice", "/price BTC", "BTC"},
		{"/price", "/price a\u200bb", "a\u200bb"},
		{"/price", "/price \U0001F3F4\U000E0067\U000E0062\U000E007F", "\U0001F3F4\U000E0067\U000E0062\U000E007F"},
		{"/price", "/price \u06015", "\u06015"},
		{"/price", "/price \xff", "\xff"},

		{"/price", "/@7000101488 BTC", declined},
		{"/price", "/pricey@7000101488", declined},
		{"/price", "@7000101488/prices", declined},
		{"/price", "@1/@2/price", declined},
		{"/price", "/prices", declined},
		{"/price", "/prices BTC", declined},
		{"/prices", "/price s", declined},
		{"/price", "price BTC", declined},
		{"/price", "what is the /price BTC", declined},
		{"/price", "@1 @2 /price BTC", declined},
		{"/price", "@7000101488", declined},
		{"/price", "//price", declined},
		{"/price", "/ price", declined},
		{"/price", "", declined},
		{"/price", "  ", declined},
	} {
		t.Run(tt.command+" of "+tt.text, func(t *testing.T) {
			got := declined
			h := blaze.Command(tt.command, func(_ context.Context, _ *blaze.Message, args string) error {
				got = args
				return nil
			})
			err := h(t.Context(), &blaze.Message{Payload: blaze.Text(tt.text)})
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.want == declined, errors.Is(err, blaze.ErrNotHandled))
		})
	}
}

func TestHandlersThatCouldNeverWork(t *testing.T) {
	nothing := func(context.Context, *blaze.Message, string) error { return nil }
	for _, name := range []string{"", " ", "/", "two words", "/two words", "\u200b/\u200b", "／"} {
		assert.Panics(t, func() { blaze.Command(name, nothing) }, name)
	}
	assert.Panics(t, func() { blaze.Command("/price", nil) })
	assert.Panics(t, func() { blaze.On[blaze.Text](nil) })
}

func TestCommandDeclinesOtherPayloads(t *testing.T) {
	h := blaze.Command("/price", func(context.Context, *blaze.Message, string) error { return nil })
	for _, p := range []blaze.Payload{
		blaze.Post("/price"), blaze.Raw{As: blaze.CategoryPlainText, Data: []byte("/price")},
	} {
		assert.ErrorIs(t, h(t.Context(), &blaze.Message{Payload: p}), blaze.ErrNotHandled)
	}
}

func FuzzCommand(f *testing.F) {
	for _, text := range []string{
		"/price BTC", "@7000101488/price@1 BTC", "\u2068／price\u2069", "@", "/", "@/", "\xff\u200b",
	} {
		f.Add("/price", text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if p := strings.TrimSpace(name); p == "" ||
			strings.ContainsFunc(p, func(r rune) bool { return r < '!' || r > '~' }) || p == "/" {
			name = "/price" // Command panics without a name
		}
		called := false
		h := blaze.Command(name, func(_ context.Context, _ *blaze.Message, args string) error {
			called = true
			if !strings.Contains(text, args) {
				t.Errorf("args %q are not of %q", args, text)
			}
			return nil
		})
		err := h(t.Context(), &blaze.Message{Payload: blaze.Text(text)})
		if called == errors.Is(err, blaze.ErrNotHandled) {
			t.Errorf("%q: called %v, error %v", text, called, err)
		}
	})
}
