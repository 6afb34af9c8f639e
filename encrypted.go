package blaze

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// sealedMessage is one message of POST /encrypted_messages.
type sealedMessage struct {
	ConversationID   string      `json:"conversation_id"`
	RecipientID      string      `json:"recipient_id"`
	MessageID        string      `json:"message_id"`
	Category         Category    `json:"category"`
	DataBase64       string      `json:"data_base64"`
	RepresentativeID string      `json:"representative_id,omitempty"`
	QuoteMessageID   string      `json:"quote_message_id,omitempty"`
	Checksum         string      `json:"checksum"`
	Sessions         []sessionID `json:"recipient_sessions"`
	Silent           bool        `json:"silent,omitempty"`
}

type sessionID struct {
	SessionID string `json:"session_id"`
}

// States of a result.
const (
	sealedStored = "SUCCESS"
	sealedFailed = "FAILED"
)

// sealedResult is the service's result for one message.
type sealedResult struct {
	MessageID string          `json:"message_id"`
	State     string          `json:"state"`
	Sessions  json.RawMessage `json:"sessions"` // of a failed one: the current sessions
}

// sealedDenials is how often in a row a gateway or firewall may reject a request with several messages before it is
// split. The content of one message may be the reason, and the others would wait for it until the context ends.
const sealedDenials = 3

// sealing is one call of sendSealed.
type sealing struct {
	c       *Client
	denials int  // see rest.Request
	denied  bool // a request was denied: the items after it are put back too, so that they keep their order
}

// sendSealed sends at most batchMessages encrypted messages and stores the result in each item. They use outbox
// capacity like one frame, so that they count towards Config's limits and Run waits for them at its end. Messages to
// recipients with changed sessions are encrypted and sent once more. If there are several items, sendSealed may set
// item.again of some: the caller then sends these in a smaller request.
func (c *Client) sendSealed(ctx context.Context, items []*item) {
	//mutant:encrypted-hold
	release, err := c.engine.Hold(ctx, sizeOf(items))
	if err != nil {
		for _, m := range items {
			m.err = c.noCapacityError(m, err)
		}
		return
	}
	s := sealing{c: c}
	if len(items) > 1 {
		s.denials = sealedDenials
	}
	//mutant:encrypted-release
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	//mutant:encrypted-end
	defer context.AfterFunc(c.engine.Over(), cancel)()
	s.try(ctx, items)
	var changed []*item
	for _, m := range items {
		m.unconfirmed = m.unconfirmed || unconfirmed(m.err)
		if m.changed {
			changed = append(changed, m)
		}
	}
	if len(changed) > 0 {
		s.try(ctx, changed)
	}
	for _, m := range items {
		if m.json = nil; !m.again {
			m.err = c.sealedEnd(m)
		}
	}
}

func sizeOf(items []*item) (bytes int64) {
	for _, m := range items {
		bytes += int64(m.size)
	}
	return bytes
}

// noCapacityError returns the error of a message that got no capacity in the outbox.
func (c *Client) noCapacityError(m *item, err error) error {
	closed := errors.Is(err, engine.ErrClosed)
	if closed {
		err = c.closed()
	}
	switch {
	case m.unconfirmed:
		return &UnconfirmedError{MessageID: m.MessageID, Err: err} // an earlier, larger request may have stored it
	case closed:
		return err
	}
	return fmt.Errorf("blaze: message %s was not sent: %w", clip(m.MessageID), err)
}

// sealedEnd returns the final error of m.
func (c *Client) sealedEnd(m *item) error {
	err := m.keepUnconfirmed(m.err)
	if err != nil && c.engine.Over().Err() != nil {
		err = errors.Join(err, c.closed())
	}
	return err
}

// keepUnconfirmed returns the error of a request for m. If an earlier request may have stored m, it stays unconfirmed.
func (m *item) keepUnconfirmed(err error) error {
	if err != nil && m.unconfirmed && !unconfirmed(err) && !atFault(err) {
		return &UnconfirmedError{MessageID: m.MessageID, Err: err}
	}
	return err
}

func unconfirmed(err error) bool {
	var u *UnconfirmedError
	return errors.As(err, &u)
}

// errManySessions is the reason for sending an answer unencrypted.
var errManySessions = errors.New("blaze: too large to be encrypted for all sessions of the recipient")

// try encrypts items for the current sessions of their recipients and sends them. With many sessions an encrypted
// message is longer than estimated, so try may make several requests in sequence.
func (s *sealing) try(ctx context.Context, items []*item) {
	sessions, err := s.c.sessions.of(ctx, recipients(items))
	if err != nil && len(items) > 1 && mayBeOfOne(err) {
		for _, m := range items {
			s.try(ctx, []*item{m})
		}
		return
	}
	var request []*item
	size := 0
	for _, m := range items {
		if err != nil {
			m.err = fmt.Errorf("blaze: message %s was not sent: %w", clip(m.MessageID), err)
			continue
		}
		if m.json, m.err = s.c.sealMessage(m.prepared, sessions[m.RecipientID]); m.err != nil {
			continue
		}
		//mutant:many-sessions
		if m.reply != nil && len("[]")+len(m.json) > batchBytes {
			m.json, m.err = nil, errManySessions
			continue
		}
		more := len(m.json) + len(",")
		//mutant:encrypted-size
		if len(request) > 0 && len("[]")+size+more > batchBytes {
			s.post(ctx, request, false)
			request, size = nil, 0
		}
		request, size = append(request, m), size+more
	}
	if len(request) > 0 {
		s.post(ctx, request, false)
	}
}

func recipients(items []*item) []string {
	users := make([]string, len(items))
	for i, m := range items {
		users[i] = m.RecipientID
	}
	return users
}

// mayBeOfOne reports whether a request may have been rejected because of one of its messages or users.
func mayBeOfOne(err error) bool {
	var rejection *Error
	return errors.As(err, &rejection) && !errors.Is(err, CodeUnauthorized) && !errors.Is(err, CodeUpdateRequired) &&
		!rejection.Temporary()
}

// post makes one request. If the service rejects it permanently, post makes one request per message. maybeStored means
// that an earlier request of the same messages may have stored them.
func (s *sealing) post(ctx context.Context, items []*item, maybeStored bool) {
	//mutant:denied-order
	if s.denied {
		putBack(items)
		return
	}
	request := make([]json.RawMessage, len(items))
	for i, m := range items {
		request[i] = m.json
	}
	var results lenient.List[sealedResult]
	maybeStored, err := s.c.rest.Make(ctx, rest.Request{
		Method: "POST", Path: "/encrypted_messages", In: request, Out: &results,
		Patient: true, Denials: s.denials, Unconfirmed: maybeStored, Pace: s.c.pace,
	})
	switch rejection := httpError(err); {
	case err == nil:
		s.c.settleSealed(items, results.All, maybeStored)
	case errors.Is(rejection, rest.ErrDenied):
		s.denied = true
		for _, m := range items {
			//mutant:denied-unconfirmed
			m.unconfirmed = true
		}
		putBack(items)
	case errors.Is(rejection, CodeChecksum) && !items[0].changed:
		s.c.sessions.drop(recipients(items)...)
		for _, m := range items {
			m.changed, m.err = true, sealedError(err, m.MessageID)
		}
	//mutant:encrypted-singly
	case len(items) > 1 && mayBeOfOne(rejection):
		for _, m := range items {
			s.post(ctx, []*item{m}, maybeStored)
		}
	default:
		for _, m := range items {
			m.err = sealedError(err, m.MessageID)
		}
	}
}

// putBack sets item.again of all items: the caller then sends them in a smaller request.
func putBack(items []*item) {
	for _, m := range items {
		m.again, m.err = true, nil
	}
}

// settleSealed stores the result of each message of a request. maybeStored means that an earlier attempt may have
// stored them.
func (c *Client) settleSealed(items []*item, results []sealedResult, maybeStored bool) {
	by := make(map[string]sealedResult, len(results))
	for _, r := range results {
		by[wire.LowerID(r.MessageID)] = r
	}
	for _, m := range items {
		r := by[m.MessageID]
		switch {
		case r.State == sealedStored:
			m.err = nil
		case r.State != sealedFailed:
			err := fmt.Errorf("blaze: %s: a response without the state of the message", sealedAction)
			m.err = &UnconfirmedError{MessageID: m.MessageID, Err: err}
		case maybeStored:
			m.err = &UnconfirmedError{MessageID: m.MessageID, Err: c.changedSessions(m, r.Sessions)}
		default:
			m.err = c.changedSessions(m, r.Sessions)
		}
	}
}

// changedSessions records that the sessions of a recipient differ from those m was encrypted for.
func (c *Client) changedSessions(m *item, sessions json.RawMessage) error {
	m.changed = true
	var now lenient.List[session]
	if json.Unmarshal(sessions, &now) == nil && !now.Odd && len(now.All) > 0 {
		c.sessions.set(m.RecipientID, now.All)
	} else {
		c.sessions.drop(m.RecipientID)
	}
	return &Error{
		Code: CodeChecksum, Action: sealedAction, MessageID: m.MessageID,
		Description: "the recipient's sessions have changed",
	}
}

// sealMessage returns the JSON of one message. As the service requires, the checksum covers all known sessions,
// including those without a usable key.
func (c *Client) sealMessage(d *prepared, all []session) (json.RawMessage, error) {
	sessions, odd := usable(c.signer, all)
	if len(sessions) == 0 {
		c.sessions.drop(d.RecipientID) // so that the next message finds a new session at once
		err := fmt.Errorf("%w: message %s", ErrNoSession, d.MessageID)
		//mutant:malformed-key
		if odd {
			err = fmt.Errorf("%w: %w", err, errOddSessions)
		}
		return nil, err
	}
	blob, err := seal.Seal(c.signer, sessions, d.Data)
	if err != nil {
		return nil, fmt.Errorf("blaze: message %s cannot be encrypted: %w", d.MessageID, err)
	}
	m := sealedMessage{
		ConversationID: d.ConversationID, RecipientID: d.RecipientID, MessageID: d.MessageID, Category: d.Category,
		DataBase64:       base64.RawURLEncoding.EncodeToString(blob),
		RepresentativeID: d.RepresentativeID, QuoteMessageID: d.QuoteID, Silent: d.Silent,
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.SessionID
		m.Sessions = append(m.Sessions, sessionID{s.SessionID})
	}
	m.Checksum = seal.Checksum(ids)
	return wire.Marshal(m)
}
