package blazetest

import (
	"fmt"
	"net/http"
)

// controlError is why the Server did not do something that a test asked for. The methods of the Server report it to
// Errorf, and the control interface answers with it.
type controlError struct {
	status int
	Reason string `json:"reason" doc:"Why the request was not carried out."`
}

func problem(status int, format string, args ...any) *controlError {
	return &controlError{status, fmt.Sprintf(format, args...)}
}

func invalidBody(format string, args ...any) *controlError {
	return problem(http.StatusBadRequest, format, args...)
}

// tell reports misuse, if there is any. The caller does not hold s.mu.
func (s *Server) reportMisuse(misuse *controlError) {
	if misuse != nil {
		s.misuse("%s", misuse.Reason)
	}
}

// told reports misuse, if there is any, and returns the id.
func (s *Server) idOrMisuse(id string, misuse *controlError) string {
	s.reportMisuse(misuse)
	return id
}
