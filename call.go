package blaze

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// maxPath is the maximum length of the path of a Call, query included, in bytes.
const maxPath = 8 << 10

// Call makes a request to any endpoint of the service's HTTP API. It signs the request for the bot's session and sends
// it to the hosts of all other requests.
//
//   - method is GET, POST, PUT, PATCH or DELETE.
//   - path begins with exactly one slash, may have a query, and is escaped as in a URL (see [url.PathEscape] and
//     [url.Values.Encode]). The query is signed, and does not appear in errors.
//   - in is encoded as the JSON body. Nil: no body.
//   - out points to the value into which the data field of the response is decoded. A response without that field is
//     [ErrNoAnswer], and is not repeated. Nil: the data is ignored.
//
// GET and DELETE are repeated after no response and after a transient rejection, up to Config.SendAttempts. Other
// methods are not: if such a request was written and not confirmed, the error is an [UnconfirmedError] without a
// MessageID. Every request is signed again after the first 401. A DELETE that was repeated may be rejected with 404,
// because an earlier attempt was carried out.
//
// A handler that returns the UnconfirmedError is retried and makes the request again. To transfer or create something
// once, put an id into the request that is the same in every attempt, such as a trace_id of DeriveID(c.AppID(), m.ID).
//
// Other errors are an [InvalidError] before anything was written, an *[Error] with the Action "METHOD /path",
// [ErrNoAnswer], the error of ctx, and the error of decoding the data into out, after which the request was carried
// out. Call works before, during and without Run.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	request, err := newCall(method, path, in, out)
	if err != nil {
		return err
	}
	var data json.RawMessage
	if out != nil {
		request.Out = &data
	}
	_, err = c.rest.Make(ctx, request)
	var silent *rest.NoAnswerError
	switch {
	//mutant:call-unconfirmed
	case errors.As(err, &silent) && silent.Written && request.Single:
		return &UnconfirmedError{Err: httpError(err)}
	case err != nil:
		return httpError(err)
	case out == nil:
		return nil
	}
	action, _, _ := strings.Cut(path, "?")
	//mutant:call-no-data
	if len(data) == 0 {
		return fmt.Errorf("blaze: %s %s: the response has no data: %w", method, clip(action), ErrNoAnswer)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("blaze: %s %s succeeded, but its data does not fit out: %w", method, clip(action), err)
	}
	return nil
}

// callMethods are the methods of a Call. Those of an API without a JSON response, such as HEAD, are missing.
var callMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// newCall returns the request of a Call, without Out.
func newCall(method, path string, in, out any) (rest.Request, error) {
	if !slices.Contains(callMethods, method) {
		return rest.Request{}, invalid("method", "must be one of %s", strings.Join(callMethods, ", "))
	}
	if err := checkPath(path); err != nil {
		return rest.Request{}, err
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return rest.Request{}, invalid("out", "must be nil or a pointer")
	}
	r := rest.Request{Method: method, Path: path, Single: method != http.MethodGet && method != http.MethodDelete}
	if in != nil {
		body, err := wire.Marshal(in)
		if err != nil {
			return rest.Request{}, invalid("in", "cannot be encoded as JSON: %s", clip(err.Error()))
		}
		r.In = json.RawMessage(body)
	}
	return r, nil
}

// checkPath checks that a path stays on the host of the API and is sent exactly as it is signed.
func checkPath(path string) error {
	//mutant:call-host
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return invalid("path", "must begin with exactly one slash; the host is that of the API")
	}
	if len(path) > maxPath {
		return invalid("path", "must have at most %d bytes", maxPath)
	}
	sentOtherwise := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }
	if u, err := url.Parse(path); err != nil || u.RequestURI() != path || strings.ContainsFunc(path, sentOtherwise) {
		return invalid("path", "must be escaped as in a URL, without a fragment; see url.PathEscape and url.Values")
	}
	return nil
}
