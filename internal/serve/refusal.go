package serve

import (
	"fmt"
	"net/http"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Codes of refusals that this package or its callers give.
const (
	CodeUnauthorized = 401
	CodeForbidden    = 403
	CodeNotFound     = 404
	CodeTooMany      = 429
	CodeInvalidField = 10002
)

// Refusal is why a request cannot be carried out.
type Refusal struct {
	Code          int
	Field, Reason string
}

// Invalid returns a refusal of a field, with code 10002.
func Invalid(field, format string, args ...any) *Refusal {
	return &Refusal{CodeInvalidField, field, fmt.Sprintf(format, args...)}
}

// Error returns the refusal as frames and HTTP bodies have it. That of a field names the field in its extra.
func (r *Refusal) Error() *wire.Error {
	e := &wire.Error{Status: StatusOf(r.Code), Code: r.Code, Description: Describe(r.Code)}
	if r.Code == CodeInvalidField {
		// Two strings are always JSON.
		e.Extra, _ = wire.Marshal(map[string]string{"field": r.Field, "reason": r.Reason})
	}
	return e
}

// StatusOf returns the status of an error with a code: 500 for failures of the service itself (500, 7000, 7001), and
// 202 for everything else.
func StatusOf(code int) int {
	switch code {
	case 500, 7000, 7001:
		return http.StatusInternalServerError
	}
	return http.StatusAccepted
}

// Describe returns the description of an error with a code.
func Describe(code int) string {
	switch code {
	case CodeNotFound:
		return "The endpoint is not found." // whatever was not found
	case 7000:
		return "Blaze server error"
	case 7001:
		return "Blaze operation timeout"
	case CodeInvalidField:
		return "Invalid field"
	case 10006:
		return "Update required"
	case 20116:
		return "The group is full"
	case 20140:
		return "Conversation checksum is not valid"
	}
	if text := http.StatusText(code); text != "" {
		return text
	}
	return "Refused"
}
