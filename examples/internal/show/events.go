package show

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// event prints an event of the server. The server reports a message of a person before the bot's answer to it.
func (st *Stage) event(ctx context.Context, e blazetest.Event) {
	who, text := "", ""
	switch {
	case e.Kind == blazetest.EventIn && e.Frame != nil && e.Text == "CREATE_MESSAGE":
		who, text = st.pushed(ctx, e.Frame)
	case e.Kind == blazetest.EventMessage:
		who, text = "bot"+st.place(ctx, e.Message.ConversationID), Text(e.Message.Payload)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if text != "" {
		st.print(who, text)
	}
	switch e.Kind {
	case blazetest.EventMessage:
		st.printed++
	case blazetest.EventAck:
		st.acked++
	}
	st.settled.Broadcast()
}

// pushed returns who sent the message of a frame, and its text. The text of a message that was pushed before is "".
func (st *Stage) pushed(ctx context.Context, frame []byte) (who, text string) {
	var f struct {
		Data struct {
			MessageID      string         `json:"message_id"`
			ConversationID string         `json:"conversation_id"`
			UserID         string         `json:"user_id"`
			Category       blaze.Category `json:"category"`
			Data           []byte         `json:"data"`
		} `json:"data"`
	}
	if err := json.Unmarshal(frame, &f); err != nil || f.Data.Category == "" || st.seen[f.Data.MessageID] {
		return "", "" // an answer to a request of the bot has no category
	}
	m := f.Data
	st.seen[m.MessageID] = true
	p := blaze.DecodePayload(m.Category, m.Data)
	if change, ok := p.(blaze.SystemConversation); ok {
		group := strings.TrimPrefix(st.place(ctx, m.ConversationID), "@")
		return "", "(" + strings.TrimSpace(group+": "+change.Action+" "+st.user(ctx, change.ParticipantID)) + ")"
	}
	return st.user(ctx, m.UserID) + st.place(ctx, m.ConversationID), Text(p)
}

// user returns the name of a user.
func (st *Stage) user(ctx context.Context, id string) string {
	if _, known := st.name[id]; !known && id != "" {
		st.name[id] = id
		if id == st.look.AppID() {
			st.name[id] = "bot"
		} else if user, err := st.look.User(ctx, id); err == nil {
			st.name[id] = user.FullName
		}
	}
	return st.name[id]
}

// place returns "@" and the name of a group, or "" for the conversation of a user and the bot.
func (st *Stage) place(ctx context.Context, id string) string {
	if _, known := st.name[id]; !known {
		var group struct {
			Name string `json:"name"`
		}
		st.name[id] = ""
		if err := st.look.Call(ctx, "GET", "/conversations/"+id, nil, &group); err == nil && group.Name != "" {
			st.name[id] = "@" + group.Name
		}
	}
	return st.name[id]
}

// Text returns a payload in a form that is similar to that of an app.
func Text(p blaze.Payload) string {
	switch p := p.(type) {
	case blaze.Text:
		return string(p)
	case blaze.Post:
		return string(p)
	case blaze.ButtonGroup:
		return labels(p)
	case blaze.Card:
		return p.Title + "\n" + p.Description + "\n" + labels(p.Actions)
	case blaze.Raw:
		if p.As.Encrypted() {
			return "(encrypted)"
		}
	case blaze.Image:
		return fmt.Sprintf("(picture, %d x %d)", p.Width, p.Height)
	case blaze.Data:
		return "(file " + p.Name + ")"
	case blaze.Audio:
		return fmt.Sprintf("(recording, %s)", p.Duration)
	case blaze.SafeSnapshot:
		return fmt.Sprintf("(transfer of %s, memo %q)", p.Amount, p.Memo)
	case blaze.AccountSnapshot:
		return fmt.Sprintf("(transfer of %s, memo %q)", p.Amount, p.Memo)
	}
	return "(" + string(p.Category()) + ")"
}

func labels(buttons []blaze.Button) string {
	text := make([]string, len(buttons))
	for i, b := range buttons {
		text[i] = "[" + b.Label + "]"
	}
	return strings.Join(text, " ")
}
