package blazetest

import (
	"fmt"
	"net/http"
)

// controlError is the reason why the Server rejected a call or a control request. Methods of the Server report it to
// Errorf; it is the response of the control interface.
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

// reportMisuse reports misuse, if any. The caller does not hold s.mu.
func (s *Server) reportMisuse(misuse *controlError) {
	if misuse != nil {
		s.misuse("%s", misuse.Reason)
	}
}

// idOrMisuse reports misuse, if any, and returns the id.
func (s *Server) idOrMisuse(id string, misuse *controlError) string {
	s.reportMisuse(misuse)
	return id
}
