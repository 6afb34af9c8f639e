// Package header reads what the service says in the headers of its HTTP responses, those of a handshake too.
package header

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// ServerTime returns the time by the server's clock: X-Server-Time, in unix nanoseconds, or else Date; the zero time
// where it says neither. own is set for X-Server-Time, which only the service writes. Whatever answers in its place has
// a Date.
func ServerTime(h http.Header) (at time.Time, own bool) {
	if ns, err := strconv.ParseInt(h.Get("X-Server-Time"), 10, 64); err == nil && ns > 0 {
		return time.Unix(0, ns), true
	}
	at, _ = http.ParseTime(h.Get("Date"))
	return at, false
}

// mostRetryAfter is the longest wait that RetryAfter returns. It keeps a number of seconds from overflowing a
// [time.Duration].
const mostRetryAfter = 24 * time.Hour

// RetryAfter returns how long the server asks to wait: seconds, or until a date by its own clock, which is now; at most
// a day.
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
