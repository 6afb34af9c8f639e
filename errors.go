package blaze

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/tame"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Errors that a Client returns, alone or wrapped; compare with [errors.Is].
var (
	// ErrClosed means that Run has ended, or is ending and accepts no more requests. No message was stored, unless the
	// error is an [UnconfirmedError]. An acknowledgement may have been sent. A second Run returns ErrClosed too.
	ErrClosed = errors.New("blaze: the client is closed")
	// ErrNotRunning means that the context ended before Run was called. Nothing was sent.
	ErrNotRunning = errors.New("blaze: the client is not running")
	// ErrInvalid matches every [InvalidError].
	ErrInvalid = errors.New("blaze: invalid")
	// ErrNotHandled is returned by a [Handler] that declines a message. [Route] then tries the next handler. A message
	// that every handler declines is acknowledged and not redelivered.
	ErrNotHandled = errors.New("blaze: not handled")
	// ErrDrop is returned, usually wrapped, by a [Handler] that drops a message: it is not retried, and it is
	// acknowledged unless Config.Ack is AckManual.
	ErrDrop = errors.New("blaze: message dropped")
	// ErrClockSkew ends Run if the server rejects a token with a date that is more than five minutes off. The Client
	// dates tokens by the server's clock, unless this machine's clock differs by more than a day, or one of the clocks
	// was set in the meantime.
	ErrClockSkew = errors.New("blaze: the clock of this machine differs from the server's by more than five minutes")
	// ErrNoAnswer means that no usable HTTP response was received, or that a file has an address that is not allowed
	// (see Config.AllowPrivateStorage). A response of a gateway is not usable, whatever its status.
	ErrNoAnswer = errors.New("blaze: no usable HTTP response")
	// ErrDrain means that Run ended before everything in progress had finished. Its text says how much was left.
	ErrDrain = errors.New("blaze: not drained; unacknowledged messages are redelivered on the next start")
	// ErrNoSession means that no session of the recipient can decrypt messages, as for a user of an old client. Nothing
	// was sent: a message for which the caller sets Encrypted is never sent unencrypted (see Outgoing.Encrypted). A new
	// session may appear when the user signs in, so a handler that returns ErrNoSession is retried.
	ErrNoSession = errors.New("blaze: the recipient has no session that can decrypt messages")
	// ErrNotForUs is the Err of a [Raw] for an encrypted message that was encrypted for other sessions.
	ErrNotForUs = errors.New("blaze: encrypted for other sessions")
	// ErrDamaged reports a failed integrity check: wrong size, digest or key of a file, or a corrupt encrypted message.
	// Such a message arrives as a [Raw].
	ErrDamaged = errors.New("blaze: integrity check failed")
)

// Code is an error code of the service. It implements error, so that
//
//	errors.Is(err, blaze.CodeForbidden)
//
// matches every error with that code. Codes without a constant are passed through unchanged.
type Code int

// Codes that concern bots. Source: https://developers.mixin.one/docs/api/error-codes, and for
// CodeChecksum Messenger's apps.
const (
	CodeBadRequest      Code = 400   // the request could not be read
	CodeUnauthorized    Code = 401   // wrong key, session gone, or clock more than five minutes off
	CodeForbidden       Code = 403   // not in the conversation, blocked, or not allowed
	CodeNotFound        Code = 404   // no such thing
	CodeTooManyRequests Code = 429   // slow down; temporary
	CodeServer          Code = 500   // the server failed; temporary
	CodeBlazeServer     Code = 7000  // the websocket server failed; temporary
	CodeBlazeTimeout    Code = 7001  // an operation of the websocket server timed out; temporary
	CodeInvalidField    Code = 10002 // a field of the request is invalid; Error.Extra says which
	CodeUpdateRequired  Code = 10006 // the service no longer accepts this client; Run ends
	CodeGroupFull       Code = 20116 // the group cannot have more participants
	CodeChecksum        Code = 20140 // the sessions of the recipient have changed since the message was encrypted
)

// Error returns the code and, if known, its meaning. Zero means no code.
func (c Code) Error() string {
	if c == 0 {
		return "no code"
	}
	if s := c.meaning(); s != "" {
		return "code " + strconv.Itoa(int(c)) + " (" + s + ")"
	}
	return "code " + strconv.Itoa(int(c))
}

func (c Code) meaning() string {
	switch c {
	case CodeBadRequest:
		return "bad request"
	case CodeUnauthorized:
		return "unauthorized"
	case CodeForbidden:
		return "forbidden"
	case CodeNotFound:
		return "not found"
	case CodeTooManyRequests:
		return "too many requests"
	case CodeServer:
		return "server error"
	case CodeBlazeServer:
		return "websocket server error"
	case CodeBlazeTimeout:
		return "websocket server timeout"
	case CodeInvalidField:
		return "invalid field"
	case CodeUpdateRequired:
		return "client update required"
	case CodeGroupFull:
		return "group full"
	case CodeChecksum:
		return "session checksum changed"
	}
	return ""
}

// passes reports whether a rejection is transient, by its code or status: 429, 7000, 7001, and 500 to 599. An error
// with neither counts as transient. This function alone decides.
func passes(code, status int) bool {
	//mutant:temporary-codeless
	return passing(code) || passing(status) || code == 0 && status == 0
}

func passing(n int) bool {
	switch Code(n) {
	case CodeTooManyRequests, CodeBlazeServer, CodeBlazeTimeout:
		return true
	}
	//mutant:temporary-codes
	return n >= 500 && n <= 599
}

// Error is an error response of the service: the message was not stored. If an earlier attempt may have been stored,
// the Error is wrapped in an [UnconfirmedError].
type Error struct {
	Code   Code // as the service numbers it
	Status int  // the HTTP status; the service uses 202 for invalid requests
	// Description is the service's text, at most 200 printable characters. Possible keys and tokens in it are replaced
	// by "[...]".
	Description string
	// Extra has details as JSON, for CodeInvalidField the field and the reason. It is nil if there were none, or more
	// than 4 KiB. Possible keys and tokens in it are replaced as in Description.
	Extra json.RawMessage
	// Action is the rejected request: an action such as CREATE_MESSAGE, or the method and path of an HTTP request. It
	// is "" for a connection.
	Action    string
	MessageID string // the message concerned, "" if the request was not about one
}

// Error names the request, the message and the service's reason. Text from the server is shortened and escaped.
func (e *Error) Error() string {
	if e == nil {
		return "blaze: a nil *Error"
	}
	var b strings.Builder
	b.WriteString("blaze: ")
	if e.Action != "" {
		b.WriteString(clip(e.Action) + " ")
	}
	if e.MessageID != "" {
		b.WriteString("of message " + clip(e.MessageID) + " ")
	}
	b.WriteString("rejected: " + e.Code.Error())
	if e.Status != 0 && e.Status != int(e.Code) {
		b.WriteString(", status " + strconv.Itoa(e.Status))
	}
	if e.Description != "" {
		b.WriteString(": " + clip(e.Description))
	}
	if e.Code == CodeForbidden && (e.Action == wire.ActionCreateMessage || e.Action == sealedAction) {
		b.WriteString(" (a user who never wrote to the bot is reached after OpenConversation)")
	}
	return b.String()
}

// Unwrap returns the Code, for [errors.Is].
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Code
}

// Temporary reports whether the same request may succeed later: the code or status is 429, 7000, 7001 or 500 to 599, or
// both are zero. The Client has already made up to Config.SendAttempts attempts. It makes one attempt to transfer a
// file, and one of a [Client.Call] other than GET and DELETE.
func (e *Error) Temporary() bool { return e != nil && passes(int(e.Code), e.Status) }

// UnconfirmedError means that a message may or may not have been stored: it was written without a reply or response.
// Then the context or the Client ended, the connection was lost Config.SendAttempts times, or a later attempt was
// rejected. [Client.Reply] also returns some rejections with 403 as an UnconfirmedError. Sending the message again with
// the same MessageID is safe, because the server stores an id once.
//
// [Client.Call] returns it, without a MessageID, if a request that is not repeated may or may not have been carried
// out.
type UnconfirmedError struct {
	MessageID string
	Err       error // why it is not confirmed, or a later rejection
}

// Error names the message and says how to retry.
func (e *UnconfirmedError) Error() string {
	if e == nil {
		return "blaze: a nil *UnconfirmedError"
	}
	if e.MessageID == "" {
		return fmt.Sprintf("blaze: the request was written but not confirmed; it may have been carried out: %v", e.Err)
	}
	return fmt.Sprintf("blaze: message %s was written but not confirmed; send it again with the same MessageID: %v",
		clip(e.MessageID), e.Err)
}

// Unwrap returns Err.
func (e *UnconfirmedError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// InvalidError reports an invalid value. Nothing was sent or stored. It matches [ErrInvalid].
type InvalidError struct {
	Field  string // a field or parameter, such as "Image.Width" or "userID"; in a keystore, the name in the file
	Reason string // the fault and the remedy; never a secret or a text of the message
}

// Error names the field and the reason.
func (e *InvalidError) Error() string {
	if e == nil {
		return "blaze: a nil *InvalidError"
	}
	return "blaze: invalid " + e.Field + ": " + e.Reason
}

// Is reports whether target is [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return e != nil && target == ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// clip sanitizes text from the network for printing: short, one line, no control characters, keys or tokens.
func clip(s string) string { return tame.Text(s) }

// newError converts a rejection from its wire form.
func newError(e *wire.Error, action, messageID string) *Error {
	return &Error{
		Code: Code(e.Code), Status: e.Status, Description: e.Description, Extra: e.Extra,
		Action: clip(action), MessageID: messageID, // the server chooses the action of an ERROR frame
	}
}

// transient reports whether the request may succeed later.
func transient(r *wire.Error) bool { return passes(r.Code, r.Status) }

// connectionError converts the engine's reason for being offline, or for the end of Run.
func connectionError(err error) error {
	connection, ok := err.(*engine.ConnectionError) //nolint:errorlint // see rejectedConnection
	switch {
	case ok && connection.Lost:
		return fmt.Errorf("blaze: connection to %s lost: %w", connection.Endpoint, connectionCause(connection))
	case ok:
		return fmt.Errorf("blaze: cannot connect to %s: %w", connection.Endpoint, connectionCause(connection))
	case errors.Is(err, engine.ErrNotRunning):
		return ErrNotRunning
	case errors.Is(err, engine.ErrConnecting):
		return errConnecting
	case errors.Is(err, engine.ErrClosed):
		return closedError(err)
	}
	return runError(err)
}

func connectionCause(e *engine.ConnectionError) error {
	if rejection := rejectedConnection(e); rejection != nil {
		return rejection
	}
	return e.Err
}

// rejectedConnection returns the rejection in an error of a connection, or nil. It must not call methods of other
// errors: they may be user code, which may block the supervisor.
func rejectedConnection(err error) *Error {
	connection, ok := err.(*engine.ConnectionError) //nolint:errorlint // made by the engine
	if !ok {
		return nil
	}
	//mutant:connection-error
	rejected, ok := connection.Err.(*engine.RejectedError) //nolint:errorlint // made by the engine
	if !ok {
		return nil
	}
	return newError(rejected.Rejection, rejected.Action, "")
}

// closedError converts an error that is engine.ErrClosed and may wrap the error of Run.
func closedError(err error) error {
	_, lives := err.(*engine.ConnectionError) //nolint:errorlint // errors.Is would ask an error of user code
	if lives || !errors.Is(err, engine.ErrClosed) {
		return ErrClosed // Run is about to end
	}
	if end := runError(err); end != nil {
		return fmt.Errorf("%w: %w", ErrClosed, end)
	}
	return ErrClosed
}

// runError converts the engine's error to that of Run. It is nil if Run ended without an error.
func runError(err error) error {
	var rejected *engine.RejectedError
	var left *engine.DrainError
	var end error
	if errors.As(err, &rejected) {
		end = sessionError(rejected)
	}
	switch {
	case !errors.As(err, &left):
		return end
	case end == nil:
		return fmt.Errorf("%w: %w", ErrDrain, left)
	}
	return fmt.Errorf("%w; %w: %w", end, ErrDrain, left)
}

// sessionError returns the error for a session that was rejected permanently.
func sessionError(r *engine.RejectedError) error {
	e := newError(r.Rejection, r.Action, "")
	switch r.Reason { //nolint:exhaustive // the end of the function is for the others
	case engine.ClockSkew:
		return fmt.Errorf("%w: it is %v off: %w", ErrClockSkew, r.Skew.Round(time.Second), e)
	case engine.Unauthorized:
		const what = "blaze: the service rejects the session: are app_id and session_id swapped, was the session " +
			"replaced by a newer keystore, or is the clock wrong? %w"
		return fmt.Errorf(what, e)
	case engine.UpdateRequired:
		return fmt.Errorf("blaze: the service rejects this client as outdated: update the package,"+
			" or see Config.UserAgent: %w", e)
	}
	return e
}

// errConnecting is the state before the first connection is established or has failed.
var errConnecting = errors.New("blaze: not connected yet")

// unwrittenError returns the error of a request that ended without a reply. It names the request, the reason, and the
// state of the connection.
func unwrittenError(what string, err, offline error) error {
	if errors.Is(err, engine.ErrClosed) {
		return closedError(offline)
	}
	if offline == nil {
		return fmt.Errorf("blaze: %s: %w", what, err)
	}
	why := connectionError(offline)
	if rejectedConnection(offline) != nil {
		// The rejection concerns the connection and not the message. Its code must not make a handler drop the message.
		why = errors.New(why.Error())
	}
	return fmt.Errorf("blaze: %s: %w: %w", what, err, why)
}

// ackRejected converts the rejection of an acknowledgement.
func ackRejected(r *wire.Error, messageID string) *Error {
	return newError(r, wire.ActionAck, messageID)
}

// httpError converts an error of the HTTP API.
func httpError(err error) error {
	if err == nil {
		return nil
	}
	var rejection *rest.Error
	if !errors.As(err, &rejection) {
		var silent *rest.NoAnswerError
		if errors.As(err, &silent) {
			return fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		return fmt.Errorf("blaze: %w", err)
	}
	return withEnd(err, newError(rejection.Rejection, rejection.Request, ""))
}

// withEnd joins e with the reason why err was not retried, if there is one.
func withEnd(err, e error) error {
	var ended *rest.EndedError
	if errors.As(err, &ended) {
		return errors.Join(ended.Why, e)
	}
	return e
}

// sealedAction is the request that stores encrypted messages. Only the service's own apps send them over the websocket.
const sealedAction = "POST /encrypted_messages"

// sealedError returns the error of one message of a finished request. It always says whether the message may be stored.
func sealedError(err error, messageID string) error {
	var rejection *rest.Error
	var silent *rest.NoAnswerError
	switch {
	case errors.As(err, &rejection):
	case errors.As(err, &silent) && silent.Written:
		return &UnconfirmedError{MessageID: messageID, Err: httpError(err)}
	default:
		return fmt.Errorf("blaze: message %s was not sent: %w", clip(messageID), httpError(err))
	}
	e := withEnd(err, newError(rejection.Rejection, sealedAction, messageID))
	if rejection.Unconfirmed && !atFault(e) {
		return &UnconfirmedError{MessageID: messageID, Err: e}
	}
	return e
}

// atFault reports whether the service rejected a request as invalid. Earlier attempts then were invalid too.
func atFault(err error) bool {
	return errors.Is(err, CodeBadRequest) || errors.Is(err, CodeInvalidField)
}
