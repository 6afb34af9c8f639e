package serve

import (
	"fmt"
	"net/http"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// Codes of the rejections by this package and its callers.
const (
	CodeUnauthorized = 401
	CodeForbidden    = 403
	CodeNotFound     = 404
	CodeTooMany      = 429
	CodeInvalidField = 10002
)

// Rejection is the reason why the service rejects a request.
type Rejection struct {
	Code          int
	Field, Reason string
}

// Invalid returns a Rejection of a field, with code 10002.
func Invalid(field, format string, args ...any) *Rejection {
	return &Rejection{CodeInvalidField, field, fmt.Sprintf(format, args...)}
}

// Error returns the error of a reply or an HTTP response. For code 10002 its Extra has the field and the reason.
func (r *Rejection) Error() *wire.Error {
	e := &wire.Error{Status: StatusOf(r.Code), Code: r.Code, Description: Describe(r.Code)}
	if r.Code == CodeInvalidField {
		// Two strings can always be encoded.
		e.Extra, _ = wire.Marshal(map[string]string{"field": r.Field, "reason": r.Reason})
	}
	return e
}

// StatusOf returns the status of an error code: 500 for failures of the service (500, 7000, 7001), otherwise 202.
func StatusOf(code int) int {
	switch code {
	case 500, 7000, 7001:
		return http.StatusInternalServerError
	}
	return http.StatusAccepted
}

// Describe returns the description of an error code.
func Describe(code int) string {
	switch code {
	case CodeNotFound:
		return "The endpoint is not found." // the service's text for all kinds of 404
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
	return "Rejected"
}
