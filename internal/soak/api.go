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

// maxBody is the service's limit for a request body.
const maxBody = 128 << 10

// api serves the HTTP API: GET /me, the sessions of users, and encrypted messages, which it does not decrypt.
func (s *server) api(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4*maxBody))
	if err != nil {
		return // the client has disconnected
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
		s.handleEncrypted(w, body)
	default:
		s.add(Protocol, "%s %s", r.Method, r.URL.Path)
		writeResponse(w, http.StatusNotFound, nil, &rejection{404, 404, "not found"})
	}
}

// writeResponse writes a response in the format of the service.
func writeResponse(w http.ResponseWriter, status int, data any, rejected *rejection) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	response := map[string]any{"data": data}
	if rejected != nil {
		response = map[string]any{"error": rejected}
	}
	_ = json.NewEncoder(w).Encode(response) // an error means that the client has disconnected
}

// hangUpHTTP closes the connection without a response.
func hangUpHTTP(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// me confirms that the bot's key is valid. It never denies that, because the client would then end Run.
func (s *server) me(w http.ResponseWriter) {
	switch {
	case s.happens("GET /me without response", 4):
		hangUpHTTP(w)
	case s.happens("GET /me failed", 4):
		writeResponse(w, http.StatusInternalServerError, nil, &rejection{500, 500, "busy"})
	default:
		s.record("GET /me")
		writeResponse(w, http.StatusOK, map[string]string{"type": "user", "user_id": s.botID()}, nil)
	}
}

// httpFault injects a fault into an HTTP request. It reports whether it did; the request must then have no effect.
func (s *server) httpFault(w http.ResponseWriter) bool {
	switch {
	case s.happens("HTTP request lost", 40):
		hangUpHTTP(w)
	case s.happens("HTTP 401", 30):
		writeResponse(w, http.StatusAccepted, nil, &unauthorized)
	case s.happens("HTTP response of a gateway", 30):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader([]int{403, 404, 413, 502}[s.below(4)])
		_, _ = io.WriteString(w, "<html>no</html>")
	case s.happens("HTTP rejected transiently", 40):
		busy := busy[s.below(len(busy))]
		writeResponse(w, busy.Status, nil, &busy)
	default:
		return false
	}
	return true
}

// directory holds the sessions of users.
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

// of returns the present sessions of a user, one to three.
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

// change replaces the sessions of a user.
func (d *directory) change(user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changes == nil {
		d.changes = make(map[string]int)
	}
	d.changes[user]++
}

// publicKey returns one of a few valid keys. No message is ever decrypted with them.
func publicKey(n int) string {
	seed := make([]byte, 32)
	seed[0], seed[31] = 8, byte(0x40+n) //nolint:gosec // G115: small
	key, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
}

// checksum returns the checksum that the service compares sessions by.
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
	if s.httpFault(w) {
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
	writeResponse(w, http.StatusOK, sessions, nil)
}

// encryptedMessage is an encrypted message in a request.
type encryptedMessage struct {
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

// check returns an error if the message is invalid.
func (m *encryptedMessage) check() error {
	data, err := base64.RawURLEncoding.DecodeString(m.Data)
	switch {
	case err != nil:
		return err
	case m.Category != "ENCRYPTED_TEXT" || m.ConversationID == "" || m.RecipientID == "":
		return fmt.Errorf("encrypted message of category %q", m.Category)
	case len(data) < 1+2+32+64*len(m.Sessions)+12+16 || len(m.Sessions) == 0:
		return fmt.Errorf("%d bytes for %d sessions", len(data), len(m.Sessions))
	}
	return nil
}

type encryptedResult struct {
	Type        string        `json:"type"`
	MessageID   string        `json:"message_id"`
	RecipientID string        `json:"recipient_id"`
	State       string        `json:"state"`
	Sessions    []userSession `json:"sessions"`
}

// handleEncrypted stores encrypted messages: all of them, or none if one is rejected. A message encrypted for outdated
// sessions is not stored; its result is FAILED with the present sessions.
func (s *server) handleEncrypted(w http.ResponseWriter, body []byte) {
	s.requests.Add(1)
	var messages []encryptedMessage
	if err := json.Unmarshal(body, &messages); err != nil || len(messages) == 0 || len(messages) > 100 {
		s.add(Protocol, "%d encrypted messages: %v", len(messages), err)
		return
	}
	sends := make([]int, len(messages))
	for i := range messages {
		sends[i] = s.sentNumber(messages[i].MessageID)
		if err := messages[i].check(); err != nil || sends[i] < 0 || !s.encrypted(sends[i]) {
			s.add(Protocol, "encrypted send %d: %v", sends[i], err)
			writeResponse(w, http.StatusAccepted, nil, &invalid)
			return
		}
	}
	if s.httpFault(w) {
		s.attemptsFailed(sends)
		return
	}
	if slices.ContainsFunc(sends, s.rejected) {
		s.record("encrypted message rejected")
		writeResponse(w, http.StatusAccepted, nil, &forbidden)
		return
	}
	results := make([]encryptedResult, len(messages))
	for i, m := range messages {
		if s.happens("sessions changed", 30) {
			s.sessions.change(m.RecipientID)
		}
		now := s.sessions.of(s.script, m.RecipientID)
		results[i] = encryptedResult{"message", m.MessageID, m.RecipientID, "SUCCESS", now}
		if m.Checksum != checksum(now) {
			results[i].State = "FAILED"
			continue
		}
		s.out.store(sendText(sends[i], number(m.RecipientID)), m.MessageID)
	}
	if s.happens("HTTP response lost", 40) {
		s.attemptsFailed(sends)
		hangUpHTTP(w)
		return
	}
	writeResponse(w, http.StatusOK, results, nil)
}
