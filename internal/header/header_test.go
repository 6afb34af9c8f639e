package header_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/header"
)

func TestServerTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{}
	assert.Zero(t, header.ServerTime(h))
	h.Set("Date", "Sun, 01 Mar 2026 12:00:00 GMT")
	assert.True(t, header.ServerTime(h).Equal(at))
	h.Set("X-Server-Time", "x")
	assert.True(t, header.ServerTime(h).Equal(at))
	h.Set("X-Server-Time", "1772366400000000007")
	assert.True(t, header.ServerTime(h).Equal(at.Add(7)), "nanoseconds, before the date")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "7": 7 * time.Second, "-7": 0, "99999999999999999999": 24 * time.Hour,
		"Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		assert.Equal(t, want, header.RetryAfter(http.Header{"Retry-After": {text}}, now), text)
	}
}
