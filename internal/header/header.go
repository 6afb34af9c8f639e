// Package header reads headers of the service's HTTP responses, including those of a handshake.
package header

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// ServerTime returns the time of the server's clock: X-Server-Time, in unix nanoseconds, or otherwise Date. It is zero
// if there is neither. own is set for X-Server-Time, which only the service sends; an intermediary sends a Date, too.
func ServerTime(h http.Header) (at time.Time, own bool) {
	if ns, err := strconv.ParseInt(h.Get("X-Server-Time"), 10, 64); err == nil && ns > 0 {
		return time.Unix(0, ns), true
	}
	at, _ = http.ParseTime(h.Get("Date"))
	return at, false
}

// mostRetryAfter is the longest wait that RetryAfter returns. It also avoids an overflow of [time.Duration].
const mostRetryAfter = 24 * time.Hour

// RetryAfter returns the wait that the server requests, at most a day. The header has seconds or a date. A date is
// relative to now, the time of the server's clock.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), int64(mostRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && !now.IsZero() {
		//mutant:retry-date
		return min(max(at.Sub(now), 0), mostRetryAfter)
	}
	return 0
}
