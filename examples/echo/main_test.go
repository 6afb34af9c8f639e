package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
