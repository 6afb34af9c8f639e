package blaze_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// The client respects Retry-After.
func TestRetryAfterOverHTTP(t *testing.T) {
	alone(t, "retry", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		for _, answer := range []struct{ status, body string }{
			{"202 Accepted", `{"error":{"status":202,"code":429}}`},
			{"503 Service Unavailable", `<html>busy: a gateway's own page</html>`},
		} {
			for header, least := range map[string]time.Duration{"60": time.Minute, "86400": 5 * time.Minute} {
				s.Intercept("POST /attachments", func(blazetest.Frame) blazetest.Answer {
					return blazetest.Answer{Bytes: []byte("HTTP/1.1 " + answer.status + "\r\nRetry-After: " + header +
						"\r\nContent-Length: " + strconv.Itoa(len(answer.body)) + "\r\n\r\n" + answer.body)}
				})
				began := time.Now()
				_, err := c.Upload(t.Context(), strings.NewReader("x"), 1)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(began), least)
				assert.Less(t, time.Since(began), least+time.Minute)
			}
		}
	})
}
