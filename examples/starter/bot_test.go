package main

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mixin-blaze/blaze/blazetest"
)

// Each script is played with a new bot and a server in memory. In the bubble of synctest, waiting takes no time.
func TestConversations(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := blazetest.Start(t, newBot, nil)
				blazetest.Script(t, s, path)
			})
		})
	}
}

func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "alice: /order tea\nbot:   One tea is on its way.\n") {
		t.Error(out.String())
	}
}
