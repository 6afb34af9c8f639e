package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mixin-blaze/blaze"
)

// response returns an HTTP response. Each of headers ends with CRLF.
func response(status, headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

// ok returns a JSON response of the service.
func ok(body string) string { return response("200 OK", "Content-Type: application/json\r\n", body) }

// data returns a response of the service with data.
func data(v any) string {
	text, _ := json.Marshal(map[string]any{"data": v})
	return ok(string(text))
}

// api responds like the service and its storage.
func (s *server) api(p *peer, body []byte) error {
	path := p.Request.URL.Path
	switch {
	case path == "/me":
		return p.Say(data(map[string]any{"user_id": botID}))
	case path == "/conversations":
		return p.Say(data(conversationOf(body)))
	case path == "/attachments":
		return p.Say(s.fileURLs(newID("file")))
	case strings.HasPrefix(path, "/attachments/"):
		return p.Say(s.fileURLs(path[len("/attachments/"):]))
	case path == "/sessions/fetch":
		return p.Say(data(sessionsOf(body)))
	case path == "/encrypted_messages":
		return p.Say(data(stateOf(body)))
	case strings.HasPrefix(path, "/files/") && p.Request.Method == "PUT":
		s.mu.Lock()
		s.files[path] = body
		s.mu.Unlock()
		return p.Say(ok(""))
	case strings.HasPrefix(path, "/files/"):
		s.mu.Lock()
		file := s.files[path]
		s.mu.Unlock()
		return p.Say(response("200 OK", "", string(file)))
	}
	return p.Say(response("404 Not Found", "", ""))
}

// fileURLs returns a response with the URLs of a file.
func (s *server) fileURLs(id string) string {
	url := "http://localhost/files/" + id
	return data(map[string]any{"attachment_id": id, "upload_url": url, "view_url": url})
}

func conversationOf(body []byte) map[string]any {
	var queried struct {
		ID string `json:"conversation_id"`
	}
	_ = json.Unmarshal(body, &queried)
	return map[string]any{"conversation_id": queried.ID, "category": "CONTACT"}
}

// sessionsOf returns one session for each user.
func sessionsOf(body []byte) any {
	var users []string
	_ = json.Unmarshal(body, &users)
	all := []map[string]any{}
	for _, user := range users {
		own := signerOf(user)
		all = append(all, map[string]any{
			"user_id": user, "session_id": own.SessionID(), "platform": "Android",
			"public_key": base64.RawURLEncoding.EncodeToString(own.Public()),
		})
	}
	return all
}

// stateOf returns the state SUCCESS for each message.
func stateOf(body []byte) any {
	var messages []struct {
		ID        string `json:"message_id"`
		Recipient string `json:"recipient_id"`
	}
	_ = json.Unmarshal(body, &messages)
	all := []map[string]any{}
	for _, m := range messages {
		all = append(all, map[string]any{"message_id": m.ID, "recipient_id": m.Recipient, "state": "SUCCESS"})
	}
	return all
}

// onPath returns a hook for the requests of one path. If path ends with a slash, it is a prefix.
func onPath(path string, answer func(p *peer)) func(*peer, []byte) bool {
	return func(p *peer, _ []byte) bool {
		at := p.Request.URL.Path
		if at != path && (!strings.HasSuffix(path, "/") || !strings.HasPrefix(at, path)) {
			return false
		}
		answer(p)
		return true
	}
}

// download returns a whole file.
func download(r *run, a blaze.Attachment) ([]byte, error) {
	body, err := r.c.Download(r.ctx, a)
	if err != nil {
		return nil, err
	}
	file, err := io.ReadAll(body)
	_ = body.Close()
	return file, err
}
