package soak

import (
	"crypto/ecdh"
	"crypto/md5" //nolint:gosec // G501: the protocol's checksum of sessions
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// maxBody is the service's limit of a request.
const maxBody = 128 << 10

// api answers a request of the HTTP API: who the bot is, which sessions users have, and encrypted messages, which stay
// sealed here.
func (s *server) api(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4*maxBody))
	if err != nil {
		return // the client has gone
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || strings.Count(token, ".") != 2 {
		s.add(Protocol, "%s without a token", r.URL.Path)
	}
	if len(body) > maxBody {
		s.add(Protocol, "%s with %d bytes", r.URL.Path, len(body))
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /me":
		s.me(w)
	case "POST /sessions/fetch":
		s.fetchSessions(w, body)
	case "POST /encrypted_messages":
		s.takeSealed(w, body)
	default:
		s.add(Protocol, "%s %s", r.Method, r.URL.Path)
		tell(w, http.StatusNotFound, nil, &refusal{404, 404, "not found"})
	}
}

// tell writes an answer as the service does.
func tell(w http.ResponseWriter, status int, data any, refused *refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	answer := map[string]any{"data": data}
	if refused != nil {
		answer = map[string]any{"error": refused}
	}
	_ = json.NewEncoder(w).Encode(answer) // else the client has gone
}

// hangUpHTTP ends the connection without an answer.
func hangUpHTTP(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// me confirms that the bot's key is good. It never says that it is not: that would end the bot.
func (s *server) me(w http.ResponseWriter) {
	switch {
	case s.strikes("GET /me not answered", 4):
		hangUpHTTP(w)
	case s.strikes("GET /me failed", 4):
		tell(w, http.StatusInternalServerError, nil, &refusal{500, 500, "busy"})
	default:
		s.note("GET /me")
		tell(w, http.StatusOK, map[string]string{"type": "user", "user_id": s.botID()}, nil)
	}
}

// obstruct commits a fault of HTTP. It reports whether it did, so that nothing is carried out.
func (s *server) obstruct(w http.ResponseWriter) bool {
	switch {
	case s.strikes("HTTP request lost", 40):
		hangUpHTTP(w)
	case s.strikes("HTTP 401", 30):
		tell(w, http.StatusAccepted, nil, &unauthorized)
	case s.strikes("HTTP answer of a gateway", 30):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader([]int{403, 404, 413, 502}[s.below(4)])
		_, _ = io.WriteString(w, "<html>no</html>")
	case s.strikes("HTTP refused for now", 40):
		busy := busy[s.below(len(busy))]
		tell(w, busy.Status, nil, &busy)
	default:
		return false
	}
	return true
}

// directory knows the sessions of users.
type directory struct {
	mu      sync.Mutex
	changes map[string]int // by user
}

type userSession struct {
	Type      string `json:"type"`
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	PublicKey string `json:"public_key"`
}

// of returns the one to three sessions that a user has now.
func (d *directory) of(s script, user string) []userSession {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := number(user)
	turn := d.changes[user]
	sessions := make([]userSession, 1+(n+turn)%3)
	for i := range sessions {
		sessions[i] = userSession{"session", user, s.uuid(0x400a, (n*100+turn)*4+i), publicKey(i)}
	}
	return sessions
}

// change gives a user other sessions.
func (d *directory) change(user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changes == nil {
		d.changes = make(map[string]int)
	}
	d.changes[user]++
}

// publicKey returns one of some keys. Nobody opens what is sealed for them.
func publicKey(n int) string {
	seed := make([]byte, 32)
	seed[0], seed[31] = 8, byte(0x40+n) //nolint:gosec // G115: small
	key, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
}

// checksum is what the service compares sessions by.
func checksum(sessions []userSession) string {
	ids := make([]string, len(sessions))
	for i, s := range sessions {
		ids[i] = s.SessionID
	}
	slices.Sort(ids)
	sum := md5.Sum([]byte(strings.Join(ids, ""))) //nolint:gosec // G401: as above
	return hex.EncodeToString(sum[:])
}

func (s *server) fetchSessions(w http.ResponseWriter, body []byte) {
	if s.obstruct(w) {
		return
	}
	var users []string
	if err := json.Unmarshal(body, &users); err != nil || len(users) == 0 {
		s.add(Protocol, "sessions of %d users: %v", len(users), err)
	}
	sessions := []userSession{}
	for _, user := range users {
		sessions = append(sessions, s.sessions.of(s.script, user)...)
	}
	tell(w, http.StatusOK, sessions, nil)
}

// sealedLetter is an encrypted message.
type sealedLetter struct {
	ConversationID string `json:"conversation_id"`
	RecipientID    string `json:"recipient_id"`
	MessageID      string `json:"message_id"`
	Category       string `json:"category"`
	Data           string `json:"data_base64"`
	Checksum       string `json:"checksum"`
	Sessions       []struct {
		SessionID string `json:"session_id"`
	} `json:"recipient_sessions"`
}

// check returns what is wrong with a message, or nil.
func (l *sealedLetter) check() error {
	data, err := base64.RawURLEncoding.DecodeString(l.Data)
	switch {
	case err != nil:
		return err
	case l.Category != "ENCRYPTED_TEXT" || l.ConversationID == "" || l.RecipientID == "":
		return fmt.Errorf("a sealed message of category %q", l.Category)
	case len(data) < 1+2+32+64*len(l.Sessions)+12+16 || len(l.Sessions) == 0:
		return fmt.Errorf("%d bytes for %d sessions", len(data), len(l.Sessions))
	}
	return nil
}

type sealedResult struct {
	Type        string        `json:"type"`
	MessageID   string        `json:"message_id"`
	RecipientID string        `json:"recipient_id"`
	State       string        `json:"state"`
	Sessions    []userSession `json:"sessions"`
}

// takeSealed stores encrypted messages: all, or none where one is refused. Of those it is not sealed for, it says so.
func (s *server) takeSealed(w http.ResponseWriter, body []byte) {
	s.requests.Add(1)
	var letters []sealedLetter
	if err := json.Unmarshal(body, &letters); err != nil || len(letters) == 0 || len(letters) > 100 {
		s.add(Protocol, "%d encrypted messages: %v", len(letters), err)
		return
	}
	sends := make([]int, len(letters))
	for i := range letters {
		sends[i] = s.sentNumber(letters[i].MessageID)
		if err := letters[i].check(); err != nil || sends[i] < 0 || !s.sealed(sends[i]) {
			s.add(Protocol, "encrypted send %d: %v", sends[i], err)
			tell(w, http.StatusAccepted, nil, &invalid)
			return
		}
	}
	if s.obstruct(w) {
		s.inTrouble(sends)
		return
	}
	if slices.ContainsFunc(sends, s.refused) {
		s.note("encrypted message refused")
		tell(w, http.StatusAccepted, nil, &forbidden)
		return
	}
	results := make([]sealedResult, len(letters))
	for i, l := range letters {
		if s.strikes("sessions changed", 30) {
			s.sessions.change(l.RecipientID)
		}
		now := s.sessions.of(s.script, l.RecipientID)
		results[i] = sealedResult{"message", l.MessageID, l.RecipientID, "SUCCESS", now}
		if l.Checksum != checksum(now) {
			results[i].State = "FAILED"
			continue
		}
		s.out.store(sendText(sends[i], number(l.RecipientID)), l.MessageID)
	}
	if s.strikes("HTTP answer lost", 40) {
		s.inTrouble(sends)
		hangUpHTTP(w)
		return
	}
	tell(w, http.StatusOK, results, nil)
}
