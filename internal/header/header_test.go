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
	tells := func(want time.Time, service bool, why ...any) {
		t.Helper()
		got, own := header.ServerTime(h)
		assert.True(t, got.Equal(want), why...)
		assert.Equal(t, service, own)
	}
	tells(time.Time{}, false)
	h.Set("Date", "Sun, 01 Mar 2026 12:00:00 GMT")
	tells(at, false)
	h.Set("X-Server-Time", "x")
	tells(at, false)
	h.Set("X-Server-Time", "1772366400000000007")
	tells(at.Add(7), true, "nanoseconds, before the date")
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
