package blaze

import (
	"errors"
	"fmt"
)

// prepare is [Outgoing.prepare] for the session of this Client. It logs unencrypted answers to encrypted messages.
func (c *Client) prepare(out *Outgoing) (*prepared, error) {
	d, err := out.prepare()
	if err != nil {
		return nil, err
	}
	if len(d.Mentions) > 0 && d.RecipientID != "" && d.ConversationID == ConversationID(c.appID, d.RecipientID) {
		return nil, invalid("Outgoing.Mentions", "must be empty outside groups: this is the conversation with one user")
	}
	//mutant:plain-rsa
	if d.way == sealed && len(c.signer.Public()) == 0 {
		if d.reply == nil {
			return nil, invalid("Outgoing.Encrypted",
				"this session's key is RSA, which cannot agree on secrets: an ed25519 session is needed")
		}
		return c.unencrypted(d, "the bot's session has an RSA key, which cannot agree on secrets")
	}
	c.logUnencrypted(d)
	return d, nil
}

// unencrypted returns the unencrypted form of an encrypted message that may be sent unencrypted. why is the reason, for
// the log.
func (c *Client) unencrypted(d *prepared, why string) (*prepared, error) {
	out := *d.reply
	out.Encrypted, out.MessageID = false, d.MessageID
	p, err := out.prepare()
	if err != nil {
		return nil, err
	}
	p.plainReason = why
	c.logUnencrypted(p)
	return p, nil
}

// asPlain changes an item to its unencrypted form if that is allowed and the item cannot be encrypted for its
// recipient. Otherwise it returns false and keeps the error.
func (c *Client) asPlain(m *item) bool {
	var why string
	switch {
	case errors.Is(m.err, errOddSessions): // the recipient may have a session
	//mutant:plain-no-session
	case errors.Is(m.err, ErrNoSession):
		why = "the recipient has no session that can decrypt messages"
	case errors.Is(m.err, errManySessions):
		why = "it is too large to be encrypted for all sessions of the recipient"
	}
	if m.reply == nil || why == "" {
		return false
	}
	p, err := c.unencrypted(m.prepared, why)
	if err != nil {
		m.err = fmt.Errorf("%w; it cannot be sent in plain text either: %w", m.err, err)
		return false
	}
	m.prepared, m.err = p, nil
	return true
}

// logUnencrypted logs an unencrypted answer to an encrypted message.
func (c *Client) logUnencrypted(d *prepared) {
	if d.group {
		c.observer.logGroupOnce(d.ConversationID)
	}
	if d.plainReason != "" {
		c.observer.logUserOnce(d.RecipientID, d.plainReason)
	}
}
