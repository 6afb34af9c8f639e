package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const want = `
1. A question and its answer
  alice  /price
  bot    [BTC] [ETH]
  alice  taps [BTC]
  bot    BTC is at 64,000 today.

2. The connection is cut before the answer is confirmed: it arrives once
  alice  /price ETH
  bot    ETH is at 64,000 today.
         (connection 2)

3. The acknowledgement is lost, the server pushes again: answered once
  alice  /price SOL
  bot    SOL is at 64,000 today.
         (pushed again, and recognized: true)

4. The bot is stopped and started: nothing is missed
  alice  /price DOGE
         (the bot starts)
  bot    DOGE is at 64,000 today.

Twelve categories, echoed
  PLAIN_TEXT
  PLAIN_POST
  PLAIN_IMAGE
  PLAIN_DATA
  PLAIN_STICKER
  PLAIN_CONTACT
  APP_BUTTON_GROUP
  APP_CARD
  PLAIN_AUDIO
  PLAIN_VIDEO
  PLAIN_LIVE
  PLAIN_LOCATION

next: README.md has a bot to paste and its test; make help lists the rest
`

func TestDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var plain, colored bytes.Buffer
		require.NoError(t, run(t.Context(), &plain, false))
		assert.Equal(t, want, plain.String())
		for line := range strings.Lines(plain.String()) {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 81)
		}
		require.NoError(t, run(t.Context(), &colored, true))
		assert.Contains(t, colored.String(), "\x1b[32m  bot    [BTC] [ETH]\x1b[0m\n")
	})
}
