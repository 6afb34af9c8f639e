package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, "alice: hello\nbot:   echo: hello\n"+
		"alice: /help\nbot:   **echo**: send me anything, and I send it back\n", out.String())
}

// BLAZE_UPDATE=1 writes the bot's replies into the scripts.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.Len(t, scripts, 8)
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := blazetest.Start(t, bot, nil)
				blazetest.Script(t, s, path)
			})
		})
	}
}
