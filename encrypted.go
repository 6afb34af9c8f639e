package blaze

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

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

// The states of a result.
const (
	sealedStored = "SUCCESS"
	sealedFailed = "FAILED"
)

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
	errs := make([]error, len(drafts))
	if err := c.mayWrite(ctx); err != nil {
		return slices.Repeat([]error{err}, len(drafts))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.engine.Over(), cancel)()
	unsure := make([]bool, len(drafts)) // may have been stored in the first try
	left := make([]int, len(drafts))    // indexes of those to be sent
	for i := range left {
		left[i] = i
	}
	for range 2 {
		left = c.trySealed(ctx, drafts, left, errs)
		for _, k := range left {
			unsure[k] = unsure[k] || unconfirmed(errs[k])
		}
	}
	for k, d := range drafts {
		err := errs[k]
		if err != nil && unsure[k] && !unconfirmed(err) {
			err = &UnconfirmedError{MessageID: d.MessageID, Err: err}
		}
		if err != nil && c.engine.Over().Err() != nil {
			err = errors.Join(err, c.closed())
		}
		errs[k] = err
	}
	return errs
}

// mayWrite returns why nothing is to be written.
func (c *Client) mayWrite(ctx context.Context) error {
	if c.engine.Over().Err() != nil {
		return c.closed()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blaze: nothing was sent: %w", err)
	}
	return nil
}

func unconfirmed(err error) bool {
	var u *UnconfirmedError
	return errors.As(err, &u)
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
				c.observer.Observe(engine.Event{Kind: messageSent})
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
			d.MessageID, err = wire.NewID()
		}
		if errs[i] = err; err != nil {
			continue
		}
		more := sealedSize(len(d.Data))
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
	sessions, err := c.sessions.of(ctx, users)
	for _, k := range which {
		var m sealedMessage
		if errs[k] = err; err == nil {
			m, errs[k] = c.sealMessage(drafts[k], sessions[drafts[k].RecipientID])
		}
		if errs[k] == nil {
			request, sent = append(request, m), append(sent, k)
		}
	}
	if len(sent) == 0 {
		return nil
	}
	var results []sealedResult
	unsure, err := c.rest.DoUnsure(ctx, "POST", "/encrypted_messages", request, &results)
	if err != nil {
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
		r := by[drafts[k].MessageID]
		if errs[k] = c.settleSealed(drafts[k], r, unsure); r.State == sealedFailed {
			changed = append(changed, k)
		}
	}
	return changed
}

// settleSealed says how one message ended. unsure: an earlier try of the request may have stored it.
func (c *Client) settleSealed(d *draft, r sealedResult, unsure bool) error {
	switch r.State {
	case sealedStored:
		return nil
	case sealedFailed:
	default:
		return &UnconfirmedError{MessageID: d.MessageID, Err: fmt.Errorf("blaze: %s: an answer that does not say what became of it", sealedAction)}
	}
	if len(r.Sessions) > 0 {
		c.sessions.set(d.RecipientID, r.Sessions)
	} else {
		c.sessions.drop(d.RecipientID)
	}
	e := &Error{Code: CodeChecksum, Action: sealedAction, MessageID: d.MessageID, Description: "the recipient's sessions have changed"}
	if unsure {
		return &UnconfirmedError{MessageID: d.MessageID, Err: e}
	}
	return e
}

// sealMessage makes one message of the request. The checksum is over all sessions that are known, as the service counts them, those that
// nothing can be sealed for too.
func (c *Client) sealMessage(d *draft, all []session) (sealedMessage, error) {
	if len(c.signer.Public()) == 0 {
		return sealedMessage{}, invalid("Outgoing.Encrypted", "this session's key is RSA, which cannot agree on secrets: an ed25519 session is needed")
	}
	sessions := usable(c.signer, all)
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
