package blazetest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// User is a virtual person with a name, an identity number, and a session for encrypted messages. [Server.User] returns
// one. All methods are safe for concurrent use.
type User struct {
	s                *Server
	id, name, number string
	seat             // in the contact conversation
}

// User returns the person with this name. Calls with the same name return the same User. The id is [UserID] of the
// name. As on the service, the bot can write to a user only after the user has written or the bot has opened the
// conversation.
func (s *Server) User(name string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.named[name]; u != nil {
		return u
	}
	id := UserID(name)
	p := s.meet(id)
	p.name = name
	u := &User{s: s, id: id, name: name, number: p.number}
	u.seat = seat{s: s, user: u, conversation: blaze.ConversationID(s.bot(), id)}
	s.named[name] = u
	return u
}

// ID returns the user's id, a UUID.
func (u *User) ID() string { return u.id }

// Name returns the user's name.
func (u *User) Name() string { return u.name }

// IdentityNumber returns the user's ten-digit number, which is used to find users and, after @, to mention them in a
// text.
func (u *User) IdentityNumber() string { return u.number }

// ConversationID returns the id of the conversation between the user and the bot.
func (u *User) ConversationID() string { return u.conversation }

// Say delivers a text to the bot, in the contact conversation, and returns its id. See [Server.Deliver].
func (u *User) Say(text string) (messageID string) { return u.Send(blaze.Text(text)) }

// Send delivers any payload to the bot, like Say. A payload that the service could not push is reported to Errorf, and
// the id is "".
func (u *User) Send(p blaze.Payload) (messageID string) { return u.s.idOrMisuse(u.send(p, false)) }

// SendEncrypted is Send with a payload that is encrypted for the bot's session. The category must be a PLAIN_ one.
func (u *User) SendEncrypted(p blaze.Payload) (messageID string) {
	return u.s.idOrMisuse(u.send(p, true))
}

// Next waits for the next message that the bot sent to the user, in the contact conversation, and advances this user's
// cursor. Server.Next returns the message too. For messages in groups see [Group.Next] and [Member.Next]. A message
// that is encrypted for the user is decrypted and has Encrypted set; if decryption fails, the payload is a [blaze.Raw]
// with Err. The error wraps that of ctx and describes the state of the server, or reports that the server was closed
// and no message is left.
func (u *User) Next(ctx context.Context) (blaze.Outgoing, error) { return u.next(ctx) }

// Tap taps the button with the label, in a [blaze.ButtonGroup] or the Actions of a [blaze.Card] that the bot sent. If
// the button's action is "input:TEXT", the user says TEXT in the conversation of out, and Tap returns the id of that
// message. Any other action opens something on the user's phone: nothing is delivered, and the id is "". It is misuse
// if out has no such button, or the user is not in the conversation.
func (u *User) Tap(out blaze.Outgoing, label string) (messageID string) {
	return u.s.idOrMisuse(u.tap(out, label))
}

// tap is Tap, but returns misuse.
func (u *User) tap(out blaze.Outgoing, label string) (messageID string, misuse *controlError) {
	action, ok := tapped(out.Payload, label)
	if !ok {
		return "", problem(http.StatusNotFound, "Tap: the message has no button %q", label)
	}
	text, input := strings.CutPrefix(action, "input:")
	if !input {
		return "", nil
	}
	if misuse := u.checkMember("Tap", out); misuse != nil {
		return "", misuse
	}
	return u.s.deliver(u.id, blaze.Outgoing{ConversationID: out.ConversationID, Payload: blaze.Text(text)})
}

// tapped returns the action of a button.
func tapped(p blaze.Payload, label string) (action string, ok bool) {
	var buttons []blaze.Button
	switch p := p.(type) {
	case blaze.ButtonGroup:
		buttons = p
	case blaze.Card:
		buttons = p.Actions
	}
	for _, b := range buttons {
		if b.Label == label {
			return b.Action, true
		}
	}
	return "", false
}

// Reads notifies the bot with two receipts that its message was delivered to the user and then read. See
// [Server.Receipt]. It is misuse if no client sent the message, or the user is not in its conversation.
func (u *User) Reads(out blaze.Outgoing) { u.s.reportMisuse(u.reads(out)) }

// reads is Reads, but returns misuse.
func (u *User) reads(out blaze.Outgoing) *controlError {
	if misuse := u.checkMember("Reads", out); misuse != nil {
		return misuse
	}
	for _, st := range []blaze.Status{blaze.StatusDelivered, blaze.StatusRead} {
		if misuse := u.s.receipt("Reads", out.MessageID, st); misuse != nil {
			return misuse
		}
	}
	return nil
}

// checkMember returns misuse if the user is not in the conversation of a message.
func (u *User) checkMember(method string, out blaze.Outgoing) *controlError {
	if u.isIn(out.ConversationID) {
		return nil
	}
	return problem(http.StatusConflict, "%s: %s is not in the conversation %q", method, u.name, out.ConversationID)
}

// isIn reports whether the user is in a conversation.
func (u *User) isIn(conversation string) bool {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	c := u.s.conversations[conversation]
	return conversation == u.conversation || c != nil && c.member(u.id) != nil
}

// Upload stores a file of up to 64 MiB, and returns it in the form that the user's app sends in a plain message: with
// its id, its size, and the MIME type detected from its first 512 bytes. A failing reader or a larger file is misuse,
// and the Attachment is zero.
func (u *User) Upload(r io.Reader) blaze.Attachment {
	a, misuse := u.upload(r)
	u.s.reportMisuse(misuse)
	return a
}

// upload is Upload, but returns misuse.
func (u *User) upload(r io.Reader) (blaze.Attachment, *controlError) {
	var file bytes.Buffer
	n, err := io.Copy(&file, io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return blaze.Attachment{}, invalidBody("Upload: %v", err)
	case n > maxFile:
		return blaze.Attachment{}, invalidBody("Upload: the file is larger than %d bytes", maxFile)
	}
	id := serve.NewID()
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.s.files[id] = &attachment{stored: true, file: file.Bytes()}
	return blaze.Attachment{ID: id, MimeType: http.DetectContentType(file.Bytes()), Size: n}, nil
}
