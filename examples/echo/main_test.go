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

func TestDemoAnswersEveryCategory(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out))
	for _, category := range []string{
		"PLAIN_TEXT", "PLAIN_POST", "PLAIN_IMAGE", "PLAIN_DATA", "PLAIN_STICKER", "PLAIN_CONTACT", "APP_BUTTON_GROUP",
		"APP_CARD", "PLAIN_AUDIO", "PLAIN_VIDEO", "PLAIN_LIVE", "PLAIN_LOCATION",
	} {
		assert.Contains(t, out.String(), "\n"+category+"\n")
	}
	assert.Contains(t, out.String(), "echo: hello")
	assert.Contains(t, out.String(), "12 messages delivered and acknowledged, 0 pending, 12 received")
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
