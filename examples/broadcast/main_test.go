package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestDemo(t *testing.T) {
	var out, bar bytes.Buffer
	if err := demo(t.Context(), &out, &bar); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"broadcast: interrupted; run it again to go on: after 8000 of 20000 people",
		"19998 people got the message once, 2 did not:\n1de28e9a-e0de-525e-a731-87f7e3afcab6: blaze: ", "code 403",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %q", want, out.String())
		}
	}
	if !strings.Contains(bar.String(), "(20000/20000)") {
		t.Errorf("the bar did not come to its end: %q", bar.String())
	}
}

// A broadcast that loses its connection, and is then interrupted in the middle of a chunk, reaches everyone once. The
// file may end with a part of a line.
func TestABroadcastIsResumed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress")
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServerWith(blazetest.Options{Lenient: true})
		defer s.Close()
		b := &broadcast{Name: "news", Users: make([]string, 2500), Payload: blaze.Text("news"), File: file}
		for i := range b.Users {
			b.Users[i] = blazetest.UserID(fmt.Sprint("user", i))
		}
		ctx, interrupt := context.WithCancel(t.Context())
		lost := false
		undo := s.InterceptAll("CREATE_PLAIN_MESSAGES", func(blazetest.Frame) blazetest.Answer {
			switch stored := len(s.Sent()); {
			case stored >= 400 && !lost: // the confirmation is lost
				lost = true
				return blazetest.Answer{Hang: true, Cut: true}
			case stored >= 1300: // in the second chunk
				interrupt()
				return blazetest.Answer{Hang: true}
			}
			return blazetest.Answer{}
		})
		_, err := once(ctx, s, b, false, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "after 1000 of 2500") {
			t.Fatal(err)
		}
		undo()
		torn, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := torn.WriteString(`{"done": 20`); err != nil {
			t.Fatal(err)
		}
		_ = torn.Close()
		for range 2 { // the second run has nothing left to do
			if failed, err := once(t.Context(), s, b, false, io.Discard); err != nil || len(failed) > 0 {
				t.Fatal(failed, err)
			}
		}
		var out bytes.Buffer
		if err := result(&out, s, nil); err != nil || out.String() != "2500 people got the message once, 0 did not:\n" {
			t.Fatal(out.String(), err)
		}
	})
}
