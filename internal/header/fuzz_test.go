package header_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/header"
)

// With any headers, the wait is at most a day, and the server's time can be used in a signature.
func FuzzHeaders(f *testing.F) {
	for _, retryAfter := range []string{
		"", "7", "-7", "99999999999999999999", "Sun, 01 Mar 2026 12:01:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(retryAfter, "1772366400000000007", "Sun, 01 Mar 2026 12:00:00 GMT")
	}
	f.Add("1e9", "-1", "Sunday, 01-Mar-26 12:00:00 GMT")
	f.Add("1", "9223372036854775807", "Sun Mar  1 12:00:00 2026")
	f.Fuzz(func(t *testing.T, retryAfter, serverTime, date string) {
		h := http.Header{"Retry-After": {retryAfter}, "X-Server-Time": {serverTime}, "Date": {date}}
		at, own := header.ServerTime(h)
		require.True(t, at.IsZero() || at.Year() >= 0 && at.Year() <= 9999, at)
		require.False(t, own && at.IsZero())
		for _, now := range []time.Time{at, {}, time.Unix(1772366400, 0)} {
			wait := header.RetryAfter(h, now)
			require.GreaterOrEqual(t, wait, time.Duration(0))
			require.LessOrEqual(t, wait, 24*time.Hour)
		}
	})
}
