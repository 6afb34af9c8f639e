package blaze

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// unseal opens the data of an encrypted message that was sealed for this session, so that it is decoded like a plain one. What was
// sealed for others, what is damaged, and everything where the session's key is RSA, stays as it is, with the reason.
func (c *Client) unseal(v *wire.Message) ([]byte, error) {
	data, err := seal.Open(c.signer, c.signer.SessionID(), []byte(v.Data))
	if err != nil {
		return nil, fmt.Errorf("blaze: a %s message cannot be opened: %w", clip(v.Category), err)
	}
	return data, nil
}

// sealedAction is the request that stores encrypted messages. Over the websocket only the service's own apps write them.
const sealedAction = "POST /encrypted_messages"

// sealedMessage is one message of the request.
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

// sealedResult is what became of one.
type sealedResult struct {
	MessageID   string    `json:"message_id"`
	RecipientID string    `json:"recipient_id"`
	State       string    `json:"state"`
	Sessions    []session `json:"sessions"` // of a failed one: those that there are now
}

// sendSealed sends encrypted messages, at most 100, in one request, and once more those that failed because their recipients'
// sessions have changed. It returns an error for each.
func (c *Client) sendSealed(ctx context.Context, drafts []*draft) []error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	errs := make([]error, len(drafts))
	left := make([]int, len(drafts)) // indexes of those to be sent
	for i := range left {
		left[i] = i
	}
	for try := 1; len(left) > 0; try++ {
		left = c.trySealed(ctx, drafts, left, errs)
		if try == 2 {
			break
		}
	}
	if c.over.Err() != nil {
		for i, err := range errs {
			if err != nil {
				errs[i] = errors.Join(err, ErrClosed)
			}
		}
	}
	return errs
}

// sendSealedBatch sends any number of encrypted messages, one request after the other.
func (c *Client) sendSealedBatch(ctx context.Context, outs []Outgoing, sent []Sent, errs []error) {
	var drafts []*draft
	var which []int // indexes of outs
	size := 0
	flush := func() {
		for i, err := range c.sendSealed(ctx, drafts) {
			if errs[which[i]] = err; err == nil {
				sent[which[i]] = Sent{MessageID: drafts[i].MessageID, ConversationID: drafts[i].ConversationID}
				c.stats.sent.Add(1)
			}
		}
		drafts, which, size = nil, nil, 0
	}
	for i, out := range outs {
		d, err := out.draft()
		if err == nil {
			err = c.limit(ctx)
		}
		if err == nil && d.MessageID == "" {
			d.MessageID, err = newID()
		}
		if errs[i] = err; err != nil {
			continue
		}
		more := 2*len(d.Data) + envelopeBytes // more than base64 of it, with some sessions
		if len(drafts) == batchMessages || size+more > batchBytes && len(drafts) > 0 {
			flush()
		}
		drafts, which, size = append(drafts, d), append(which, i), size+more
	}
	flush()
}

// trySealed sends once, notes how each message ended, and returns those whose recipient's sessions have changed.
func (c *Client) trySealed(ctx context.Context, drafts []*draft, which []int, errs []error) (changed []int) {
	users := make([]string, len(which))
	for i, k := range which {
		users[i] = drafts[k].RecipientID
	}
	var request []sealedMessage
	var sent []int
	err := c.fetchSessions(ctx, users)
	for _, k := range which {
		var m sealedMessage
		if errs[k] = err; err == nil {
			m, errs[k] = c.sealMessage(drafts[k])
		}
		if errs[k] == nil {
			request, sent = append(request, m), append(sent, k)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	var results []sealedResult
	if err := c.rest.Do(ctx, "POST", "/encrypted_messages", request, &results); err != nil {
		for _, k := range sent {
			errs[k] = sealedError(err, drafts[k].MessageID)
		}
		if errors.Is(errs[sent[0]], CodeChecksum) {
			c.sessions.drop(users...)
			return sent
		}
		return nil
	}
	by := make(map[string]sealedResult, len(results))
	for _, r := range results {
		by[r.MessageID] = r
	}
	for _, k := range sent {
		d := drafts[k]
		switch r := by[d.MessageID]; r.State {
		case "SUCCESS":
		case "FAILED":
			errs[k] = &Error{Code: CodeChecksum, Action: sealedAction, MessageID: d.MessageID, Description: "the recipient's sessions have changed"}
			if c.sessions.drop(d.RecipientID); len(r.Sessions) > 0 {
				c.sessions.set(d.RecipientID, r.Sessions)
			}
			changed = append(changed, k)
		default:
			errs[k] = &UnconfirmedError{MessageID: d.MessageID, Err: fmt.Errorf("blaze: %s: an answer that does not say what became of it", sealedAction)}
		}
	}
	return changed
}

// sealMessage makes one message of the request. The checksum is over all sessions that are known, as the service counts them, those that
// nothing can be sealed for too.
func (c *Client) sealMessage(d *draft) (sealedMessage, error) {
	all := c.sessions.of(d.RecipientID)
	sessions := usable(all)
	if len(sessions) == 0 {
		return sealedMessage{}, fmt.Errorf("%w: message %s", ErrNoSession, d.MessageID)
	}
	sealed, err := seal.Seal(c.signer, sessions, d.Data)
	if err != nil {
		return sealedMessage{}, fmt.Errorf("blaze: message %s cannot be encrypted: %w", d.MessageID, err)
	}
	m := sealedMessage{
		ConversationID: d.ConversationID, RecipientID: d.RecipientID, MessageID: d.MessageID, Category: d.Category,
		DataBase64: base64.RawURLEncoding.EncodeToString(sealed), RepresentativeID: d.RepresentativeID, QuoteMessageID: d.QuoteID, Silent: d.Silent,
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.SessionID
		m.Sessions = append(m.Sessions, sessionID{s.SessionID})
	}
	m.Checksum = seal.Checksum(ids)
	return m, nil
}

// sealedError says what the end of the request means for one message: whether it may have been stored is never left open.
func sealedError(err error, messageID string) error {
	var refused *rest.Error
	if !errors.As(err, &refused) {
		return &UnconfirmedError{MessageID: messageID, Err: httpError(err)}
	}
	e := newError(refused.Refusal, sealedAction, messageID)
	if refused.Unsure && e.Code != CodeBadRequest && e.Code != CodeInvalidField {
		return &UnconfirmedError{MessageID: messageID, Err: e}
	}
	return e
}
