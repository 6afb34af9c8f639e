package hostile

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// mostOffset bounds the offset from a server's clock to the dates of tokens. lifeOfToken is the validity of a token.
const (
	mostOffset  = 24*time.Hour + time.Minute
	lifeOfToken = time.Hour
)

// dated is the outcome of a server with a false time.
var dated = outcome{
	text:  "tokens have a time at most a day from the local clock, and are valid for an hour",
	check: checkDates,
}

func checkDates(r *run) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		parts := strings.Split(c.token, ".")
		if len(parts) != 3 {
			continue
		}
		text, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var claims struct {
			IssuedAt int64 `json:"iat"`
			Expires  int64 `json:"exp"`
		}
		if err := json.Unmarshal(text, &claims); err != nil {
			r.t.Errorf("invalid token: %v", err)
			continue
		}
		if off := time.Until(time.Unix(claims.IssuedAt, 0)); off.Abs() > mostOffset+r.age() {
			r.t.Errorf("the time of a token is %v from now", off)
		}
		if life := time.Duration(claims.Expires-claims.IssuedAt) * time.Second; life > lifeOfToken {
			r.t.Errorf("a token is valid for %v", life)
		}
	}
}

// age returns the time since the start of the attack.
func (r *run) age() time.Duration { return time.Since(r.born) }
