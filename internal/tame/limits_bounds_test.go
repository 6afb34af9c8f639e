package tame_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/tame"
)

// Text and Quote read the first 8 KiB of a text. A hidden word shows the position of the end.
func TestOnlyTheBeginningOfATextIsRead(t *testing.T) {
	for name, show := range map[string]func(string) string{
		"Text": tame.Text, "Quote": func(s string) string { return strings.Trim(tame.Quote(s), `"`) },
	} {
		word := strings.Repeat("aB3x", (8<<10)/4-1)
		assert.Equal(t, "[...] end", show(word+" end"), "%s of 8 KiB", name)
		assert.Equal(t, "[...] end", show(word+" ends"), "%s of a byte more", name)
	}
}
