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

// User is a virtual person who talks to the bot: with a name, an identity number, and a session that opens what is
// sealed for it. [Server.User] makes one. All methods are safe for concurrent use.
type User struct {
	s                *Server
	id, name, number string
	seat             // in the contact conversation
}

// User returns the person of that name: the same one for the same name. The id is [UserID] of the name. A person who
// has not written cannot be written to, unless the bot opens the conversation first, as on the service.
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

// IdentityNumber returns the ten digits by which people find the user, and which @ mentions in a text.
func (u *User) IdentityNumber() string { return u.number }

// ConversationID returns the id of the conversation of the user and the bot.
func (u *User) ConversationID() string { return u.conversation }

// Say delivers a text to the bot, in the conversation with the user, and returns its id. [Server.Deliver] says how it
// is pushed.
func (u *User) Say(text string) (messageID string) { return u.Send(blaze.Text(text)) }

// Send delivers any payload to the bot, like Say. One that the service could not push is reported to Errorf, and the id
// is "".
func (u *User) Send(p blaze.Payload) (messageID string) { return u.s.idOrMisuse(u.send(p, false)) }

// SendEncrypted delivers a payload sealed for the bot's session, like Send. Only payloads of PLAIN_ categories can be.
func (u *User) SendEncrypted(p blaze.Payload) (messageID string) {
	return u.s.idOrMisuse(u.send(p, true))
}

// Next waits for the next message that the bot sent into the conversation with the user, and takes it for this user
// only: Server.Next, and every other user and group, return each message that is theirs as well. Messages in groups are
// those of [Group.Next]. What was sealed for the user is opened, and has Encrypted set; what the user's session cannot
// open is a [blaze.Raw] with Err. The error is that of ctx with the state of the server, or says that the server was
// closed and no message is left.
func (u *User) Next(ctx context.Context) (blaze.Outgoing, error) { return u.next(ctx) }

// Tap taps the button with the label, of a [blaze.ButtonGroup] or among the Actions of a [blaze.Card] that the bot
// sent. A button with the action "input:TEXT" makes the user say TEXT in the conversation of out, and Tap returns the
// id of that message. Any other action opens something on the user's phone: nothing is delivered, and the id is "". A
// label that out does not have is misuse, and so is a conversation that the user is not in.
func (u *User) Tap(out blaze.Outgoing, label string) (messageID string) {
	return u.s.idOrMisuse(u.tap(out, label))
}

// tap is Tap, and returns misuse.
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

// Reads tells the bot that its message was delivered to the user, and then that the user has read it. Receipts are
// pushed as by [Server.Receipt]. A message that no client sent is misuse, and so is one of a conversation that the user
// is not in.
func (u *User) Reads(out blaze.Outgoing) { u.s.reportMisuse(u.reads(out)) }

// reads is Reads, and returns misuse.
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

// seesNot returns misuse if the user is not in the conversation of a message.
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

// Upload stores a file, up to 64 MiB, and returns it as the user's app would send it in a plain message: with its id,
// its size, and the MIME type that its first 512 bytes suggest. A reader that fails, and a file that is too large, are
// misuse, and the Attachment is the zero value.
func (u *User) Upload(r io.Reader) blaze.Attachment {
	a, misuse := u.upload(r)
	u.s.reportMisuse(misuse)
	return a
}

// upload is Upload, and returns misuse.
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
