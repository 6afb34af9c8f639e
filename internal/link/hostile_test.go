package link_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A handshake reads no more than it may, however fast the server writes.
func TestHeadersAreBounded(t *testing.T) {
	line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"
	for name, text := range map[string]string{
		"lines":       strings.Repeat(line, 10_000),
		"one line":    "X-Filler: " + strings.Repeat("x", 10<<20) + "\r\n",
		"status line": "",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				written := 0
				_, err := answer(t, func(p *peer) {
					up := p.upgrade()
					status, rest, _ := strings.Cut(up, "\r\n")
					if text == "" {
						status += strings.Repeat("x", 10<<20)
					}
					written, _ = io.WriteString(p, status+"\r\n"+text+rest)
				})
				require.ErrorContains(t, err, "handshake of more than")
				assertPlain(t, err)
				assert.LessOrEqual(t, written, 1<<20)
			})
		})
	}
}
