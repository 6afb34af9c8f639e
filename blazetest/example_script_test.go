package blazetest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// demo is a test that prints its reports.
type demo struct{ cleanups []func() }

func (*demo) Helper()                           {}
func (*demo) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (d *demo) Cleanup(f func())                { d.cleanups = append(d.cleanups, f) }

func (d *demo) end() {
	for i := range d.cleanups {
		d.cleanups[len(d.cleanups)-1-i]()
	}
}

// shop is a bot that replies with the price of a coin.
func shop(c *blaze.Client) blaze.Handler {
	return blaze.Command("/price", func(ctx context.Context, m *blaze.Message, coin string) error {
		return c.Reply(ctx, m, blaze.Textf("%s is 42", coin))
	})
}

// In a test, t is the *testing.T, and the script is a file in testdata.
func ExampleScript() {
	t := new(demo)
	defer t.end()
	dir, err := os.MkdirTemp("", "script")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	talk := filepath.Join(dir, "talk.txt")
	err = os.WriteFile(talk, []byte("alice: /price BTC\nbot> BTC is *\nbot> (nothing)\n"), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}

	s, _ := blazetest.Start(t, shop, nil)
	blazetest.Script(t, s, talk)
	fmt.Println("the bot said", len(s.Sent()), "message")
	// Output: the bot said 1 message
}

// A Server on a listener has the same interface below /blazetest/, for tests in other languages.
func ExampleServer_Control() {
	t := new(demo)
	defer t.end()
	s, _ := blazetest.Start(t, shop, nil)
	page := httptest.NewServer(s.Control())
	defer page.Close()
	for _, request := range [][2]string{
		{"/users/alice/say", `{"text":"/price BTC"}`},
		{"/users/alice/next", `{"timeout":"5s"}`},
	} {
		res, err := http.Post(page.URL+"/blazetest"+request[0], "application/json", strings.NewReader(request[1]))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(res.Status)
		_ = res.Body.Close()
	}
	fmt.Println(s.Sent()[0].Payload)
	// Output:
	// 200 OK
	// 200 OK
	// BTC is 42
}
