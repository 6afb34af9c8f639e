package blazetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// batch has the messages of one request.
type batch struct {
	outs []blaze.Outgoing
	path string // path of the messages, for rejections
	list bool   // the request contains a list of messages
}

// field returns the path of a field of the message at an index.
func (b *batch) field(i int, name string) string {
	switch {
	case b.list:
		return b.path + "[" + strconv.Itoa(i) + "]." + name
	case b.path != "":
		return b.path + "." + name
	}
	return name
}

// admit checks whether the bot may send messages. It reports mistakes in messages that are stored all the same. The
// caller reports the rejection.
func (s *Server) admit(action string, b batch) *serve.Rejection {
	s.mu.Lock()
	rejection, remarks := s.mistakes(&b)
	if rejection == nil && !s.withinQuota(len(b.outs)) {
		rejection = &serve.Rejection{Code: serve.CodeTooMany}
	}
	s.mu.Unlock()
	for _, remark := range remarks {
		s.fault("%s: %s", action, remark)
	}
	return rejection
}

// reportRejection reports a rejection, except for the rate limit, which is not a mistake.
func (s *Server) reportRejection(action string, rejection *serve.Rejection) {
	if rejection.Code != serve.CodeTooMany {
		s.fault("%s: %s: %s", action, rejection.Field, rejection.Reason)
	}
}

// mistakes returns the rejection of the messages, or remarks on messages that are accepted. The caller holds s.mu.
func (s *Server) mistakes(b *batch) (rejection *serve.Rejection, remarks []string) {
	if s.lenient {
		return nil, nil
	}
	for i := range b.outs {
		if rejection := s.checkTarget(b, i); rejection != nil {
			return rejection, nil
		}
		for _, remark := range s.mentions(&b.outs[i]) {
			remarks = append(remarks, b.field(i, "mentions")+": "+remark)
		}
		if remark := s.checkID(b, i); remark != "" {
			remarks = append(remarks, b.field(i, "message_id")+": "+remark)
		}
	}
	return nil, remarks
}

// checkTarget returns a rejection if a message cannot be sent to its conversation or recipient. The caller holds s.mu.
func (s *Server) checkTarget(b *batch, i int) *serve.Rejection {
	out := &b.outs[i]
	conversation, recipient := b.field(i, "conversation_id"), b.field(i, "recipient_id")
	switch {
	case out.ConversationID == s.bot():
		return serve.Invalid(conversation, "this is the id of the bot")
	case s.people[out.ConversationID] != nil || out.ConversationID == out.RecipientID:
		return serve.Invalid(conversation, "this is the id of a user; use Client.ToUser")
	case out.RecipientID == s.bot():
		return serve.Invalid(recipient, "this is the id of the bot")
	}
	c := s.conversations[out.ConversationID]
	switch {
	case c == nil:
		return forbidden(conversation, s.unknown(out))
	case c.member(s.bot()) == nil:
		return forbidden(conversation, "the bot is not in the conversation")
	case out.RecipientID != "" && c.member(out.RecipientID) == nil:
		return forbidden(recipient, "the user is not in the conversation")
	}
	return nil
}

func forbidden(field, reason string) *serve.Rejection {
	return &serve.Rejection{Code: serve.CodeForbidden, Field: field, Reason: reason}
}

// unknown returns the reason for rejecting an unknown conversation. The caller holds s.mu.
func (s *Server) unknown(out *blaze.Outgoing) string {
	const silent = " never wrote to the bot; call Client.OpenConversation first"
	if p := s.contactOf(out.ConversationID); p != nil {
		return p.displayName() + silent
	}
	if out.RecipientID != "" && out.ConversationID == blaze.ConversationID(s.bot(), out.RecipientID) {
		return "the user " + out.RecipientID + silent
	}
	return "the conversation does not exist"
}

// checkID returns a remark if another message has the id of a message. The service stores the first message with an id.
// A message that is sent again has the same conversation, and may have a different text. The caller holds s.mu.
func (s *Server) checkID(b *batch, i int) (remark string) {
	const advice = "; use a new id for each message"
	out := &b.outs[i]
	if at, sent := s.sentIDs[out.MessageID]; sent {
		if s.sent[at].ConversationID != out.ConversationID {
			return "a message in another conversation has this id, so this one is not stored" + advice
		}
		return ""
	}
	elsewhere := func(other blaze.Outgoing) bool {
		return other.MessageID == out.MessageID && other.ConversationID != out.ConversationID
	}
	if slices.ContainsFunc(b.outs[:i], elsewhere) {
		return "a message to another conversation in this request has this id" + advice
	}
	if _, acked := s.ackedIDs[out.MessageID]; acked || s.pendingBy[out.MessageID] != nil {
		return "a message to the bot has this id" + advice
	}
	return ""
}

// mentions returns remarks on the mentions of a message, which the service stores all the same. The caller holds s.mu.
func (s *Server) mentions(out *blaze.Outgoing) (remarks []string) {
	if len(out.Mentions) == 0 {
		return nil
	}
	c := s.conversations[out.ConversationID]
	if c.category != categoryGroup {
		return []string{"only messages in groups can have mentions"}
	}
	text, ok := textOf(out.Payload)
	if !ok {
		return []string{"only texts and posts can have mentions"}
	}
	for _, id := range out.Mentions {
		if c.member(id) == nil {
			remarks = append(remarks, "the user "+id+" is not in the group")
			continue
		}
		number := botNumber
		if id != s.bot() {
			number = s.meet(id).number
		}
		if !mentioned(text, number) {
			remark := fmt.Sprintf("the text does not mention the user %s; write @%s", id, number)
			remarks = append(remarks, remark)
		}
	}
	return remarks
}

// mentioned reports whether a text contains @ and the number, not followed by another digit.
func mentioned(text, number string) bool {
	for {
		_, after, found := strings.Cut(text, "@"+number)
		if !found {
			return false
		}
		if after == "" || after[0] < '0' || after[0] > '9' {
			return true
		}
		text = after
	}
}

// textOf returns the text of a payload that supports mentions.
func textOf(p blaze.Payload) (string, bool) {
	switch p := p.(type) {
	case blaze.Text:
		return string(p), true
	case blaze.Post:
		return string(p), true
	}
	return "", false
}

// quota counts the messages of a minute. A minute starts with its first message.
type quota struct {
	since time.Time
	count int
}

// withinQuota counts n messages. It returns false, and does not count them, if they exceed the limit. The caller holds
// s.mu.
func (s *Server) withinQuota(n int) bool {
	if s.perMinute <= 0 {
		return true
	}
	now := time.Now()
	if now.Sub(s.quota.since) >= time.Minute {
		s.quota = quota{since: now}
	}
	if s.quota.count+n > s.perMinute {
		return false
	}
	s.quota.count += n
	return true
}
