package blazetest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/mixin-blaze/blaze/internal/serve"
)

const (
	filesPath = "/files/"
	maxFile   = 64 << 20 // bytes of one file
)

// attachment is an uploaded file, or the reserved place of one.
type attachment struct {
	stored bool
	file   []byte
}

// createAttachment reserves an id for a file.
func (s *Server) createAttachment(r *http.Request, _ []byte) (any, *serve.Rejection) {
	id := uuid.Must(uuid.NewV4()).String()
	s.mu.Lock()
	s.files[id] = &attachment{}
	s.mu.Unlock()
	return map[string]any{
		"type": "attachment", "attachment_id": id, "created_at": s.stamp(),
		"upload_url": fileURL(r, id), "view_url": fileURL(r, id),
	}, nil
}

// showAttachment returns the URL of a file.
func (s *Server) showAttachment(r *http.Request, _ []byte) (any, *serve.Rejection) {
	id := pathID(r)
	s.mu.Lock()
	a := s.files[id]
	stored := a != nil && a.stored
	s.mu.Unlock()
	if !stored {
		return nil, notFound("id", "the file does not exist")
	}
	return map[string]any{"type": "attachment", "attachment_id": id, "view_url": fileURL(r, id)}, nil
}

func fileURL(r *http.Request, id string) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + filesPath + id
}

// isFile reports whether a request is for the storage, which does not use tokens.
func isFile(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, filesPath) }

// storage stores or returns a file.
func (s *Server) storage(w http.ResponseWriter, r *http.Request) {
	a, ok := s.intercept(Frame{Action: r.Method + " " + strings.TrimSuffix(filesPath, "/")})
	if !ok || s.answerIntercepted(w, r, a) {
		return
	}
	if r.Header.Get("Authorization") != "" {
		s.fault("%s of a file with a token; do not send tokens to the storage", r.Method)
	}
	id := strings.TrimPrefix(r.URL.Path, filesPath)
	switch r.Method {
	case http.MethodPut:
		s.putFile(w, r, id)
	case http.MethodGet:
		s.getFile(w, id)
	default:
		s.fault("%s of a file is not supported by the storage", r.Method)
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) putFile(w http.ResponseWriter, r *http.Request, id string) {
	if r.ContentLength < 0 || r.Header.Get("Content-Type") != "application/octet-stream" ||
		r.Header.Get("X-Amz-Acl") != "public-read" {
		s.fault("PUT of a file without Content-Length, " +
			"Content-Type: application/octet-stream or x-amz-acl: public-read")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.ContentLength > maxFile {
		s.misuse("PUT of a file of %d bytes; blazetest stores at most %d", r.ContentLength, maxFile)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	file, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has disconnected
	}
	s.mu.Lock()
	a := s.files[id]
	if a != nil {
		a.stored, a.file = true, file
	}
	s.mu.Unlock()
	if a == nil {
		w.WriteHeader(http.StatusForbidden)
	}
}

func (s *Server) getFile(w http.ResponseWriter, id string) {
	s.mu.Lock()
	a := s.files[id]
	stored, file := a != nil && a.stored, []byte(nil)
	if stored {
		file = a.file
	}
	s.mu.Unlock()
	if !stored {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = io.Copy(w, bytes.NewReader(file))
}
