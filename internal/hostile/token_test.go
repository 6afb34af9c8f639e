package hostile

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// mostOffset is how far a server can move the dates of tokens, and lifeOfToken how long each is good for.
const (
	mostOffset  = 24*time.Hour + time.Minute
	lifeOfToken = time.Hour
)

// dated is the outcome of a server that lies about the time.
var dated = outcome{
	text:  "tokens are dated at most a day from this machine's clock, and live one hour",
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
			r.t.Errorf("a token that cannot be read: %v", err)
			continue
		}
		if off := time.Until(time.Unix(claims.IssuedAt, 0)); off.Abs() > mostOffset+r.age() {
			r.t.Errorf("a token is dated %v from now", off)
		}
		if life := time.Duration(claims.Expires-claims.IssuedAt) * time.Second; life > lifeOfToken {
			r.t.Errorf("a token lives for %v", life)
		}
	}
}

// age returns for how long the attack has been going on.
func (r *run) age() time.Duration { return time.Since(r.born) }
