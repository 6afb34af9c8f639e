package main

import (
	"bytes"
	"context"
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
	if !strings.Contains(out.String(), "image/png of 640 by 480 pixels") {
		t.Error(out.String())
	}
	if !strings.Contains(bar.String(), "100%") {
		t.Errorf("the bar did not come to its end: %q", bar.String())
	}
}

func TestPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
			return blaze.Command("/draw", func(ctx context.Context, m *blaze.Message, _ string) error {
				picture, err := draw()
				if err != nil {
					return err
				}
				out, err := c.UploadImage(ctx, bytes.NewReader(picture))
				if err != nil {
					return err
				}
				return c.Reply(ctx, m, out)
			})
		}, nil)
		blazetest.Script(t, s, "testdata/picture.txt")
	})
}
