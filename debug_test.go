package blaze_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

func TestDebugTrace(t *testing.T) {
	var b strings.Builder
	trace := blaze.DebugTrace(&b)
	trace.Connected("wss://blaze.mixin.one/")
	// data is base64 of "hi <you>" and a line break; data_base64 of [1] in the alphabet for URLs, without padding.
	trace.FrameRead([]byte(
		`{"id":"1","action":"CREATE_MESSAGE","data":{"data":"aGkgPHlvdT4K","data_base64":"WzFd","size":1.50}}`))
	trace.FrameRead([]byte(`{"data":"/9j/","params":{"messages":[{"data":"aGk="},{"data":7}]}}`))
	trace.FrameRead([]byte("{\"data\":\"\u009b31m\u202e\u007f 你\"}"))
	trace.FrameWritten([]byte("no\x1b[31m JSON\n"))
	trace.Disconnected(errors.New("lost\nit"), 1500*time.Microsecond)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	clock := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{6} `)
	for i, line := range lines {
		assert.Regexp(t, clock, line)
		lines[i] = clock.ReplaceAllString(line, "")
	}
	assert.Equal(t, []string{
		"blaze: every frame follows, with message bodies, ids and keys of files; do not share it",
		"== connected to wss://blaze.mixin.one/",
		`<- {"action":"CREATE_MESSAGE","data":{"data":"hi <you>\n","data_base64":"[1]","size":1.50},"id":"1"}`,
		`<- {"data":"/9j/","params":{"messages":[{"data":"hi"},{"data":7}]}}`,
		`<- {"data":"\u009b31m\u202e\u007f 你"}`,
		`-> no\x1b[31m JSON\n`,
		`== disconnected, retry in 2ms: lost\nit`,
	}, lines)
}
