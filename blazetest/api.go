package blazetest

import (
	"bytes"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// endpoint handles one request of the HTTP API. It returns the data of the response, or a rejection.
type endpoint func(s *Server, r *http.Request, body []byte) (data any, rejection *serve.Rejection)

// noData is returned by endpoints with the response {}.
var noData any = struct{}{}

// endpoints has the supported requests, by their net/http pattern.
var endpoints = map[string]endpoint{
	"GET /me":              (*Server).showMe,
	"GET /users/{id}":      (*Server).showUser,
	"POST /users/fetch":    (*Server).fetchUsers,
	"GET /search/{number}": (*Server).searchUser,

	"POST /messages":           (*Server).createMessages,
	"POST /acknowledgements":   (*Server).acknowledgeMessages,
	"POST /sessions/fetch":     (*Server).fetchSessions,
	"POST /encrypted_messages": (*Server).storeEncrypted,

	"POST /attachments":     (*Server).createAttachment,
	"GET /attachments/{id}": (*Server).showAttachment,

	"POST /conversations":                            inConversation((*Server).createConversation),
	"GET /conversations/{id}":                        inConversation((*Server).showConversation),
	"POST /conversations/{id}":                       inConversation((*Server).updateConversation),
	"POST /conversations/{id}/participants/{action}": inConversation((*Server).changeParticipants),
	"POST /conversations/{code}/join":                inConversation((*Server).joinConversation),
	"POST /conversations/{id}/exit":                  inConversation((*Server).exitConversation),
	"POST /conversations/{id}/rotate":                inConversation((*Server).rotateConversation),
	"POST /conversations/{id}/mute":                  inConversation((*Server).muteConversation),
	"POST /conversations/{id}/disappear":             inConversation((*Server).setDisappearing),
}

// newRoutes returns the handler of the HTTP API.
func (s *Server) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, answer := range endpoints {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, answer) })
	}
	mux.HandleFunc("/", s.answerUnknown)
	return mux
}

// api handles a request with a valid token.
func (s *Server) api(w http.ResponseWriter, r *http.Request, body []byte) {
	if path.Clean(r.URL.Path) != r.URL.Path {
		s.answerUnknown(w, r) // ServeMux would redirect it
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.routes.ServeHTTP(w, r)
}

// answer responds to a request with the result of an endpoint.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, e endpoint) {
	body, _ := io.ReadAll(r.Body) // it is in memory
	data, rejection := e(s, r, body)
	if rejection == nil {
		answer := map[string]any{"data": data}
		if data == noData {
			answer = map[string]any{}
		}
		writeJSON(w, http.StatusOK, answer)
		return
	}
	if rejection.Code != serve.CodeNotFound { // a client may look for something that does not exist
		s.reportRejection(actionOf(r), rejection)
	}
	writeError(w, rejection.Error())
}

// answerUnknown rejects an unsupported request. It is reported once for each method and path.
func (s *Server) answerUnknown(w http.ResponseWriter, r *http.Request) {
	action := actionOf(r)
	s.mu.Lock()
	_, known := s.unknownPaths[action]
	s.unknownPaths[action] = struct{}{}
	s.mu.Unlock()
	if !known {
		s.fault("%s is not supported by blazetest", action)
	}
	writeError(w, (&serve.Rejection{Code: serve.CodeNotFound}).Error())
}

// pathID returns the id in a request's path, in lowercase as the service reads it.
func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func actionOf(r *http.Request) string { return r.Method + " " + r.URL.Path }

func (s *Server) stamp() string { return s.clock().UTC().Format(time.RFC3339Nano) }
