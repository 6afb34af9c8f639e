package blazetest

import (
	"encoding/json"
	"regexp"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// adopt makes the recording of another bot one of the bot of a session.
func adopt(lines []*line, own serve.Session) error {
	bot := botOf(lines)
	if bot == "" || bot == own.AppID {
		return nil
	}
	r := roles{bot: bot, own: own, ids: map[string]string{bot: own.AppID}}
	for _, l := range lines {
		r.learn(l)
	}
	for _, l := range lines {
		if l.Frame == nil {
			continue
		}
		l.Frame = r.translate(l.Frame)
		if l.out != nil {
			if err := l.readOut(); err != nil {
				return err // it was read before
			}
		}
	}
	return nil
}

// told holds the ids of a frame's data.
type frameIDs struct {
	ID   string `json:"id"`
	Data struct {
		UserID         string  `json:"user_id"`
		SessionID      string  `json:"session_id"`
		ConversationID string  `json:"conversation_id"`
		Category       *string `json:"category"`
	} `json:"data"`
}

// botOf returns the id of the recording's bot, "" if it does not say.
func botOf(lines []*line) string {
	sent := map[string]bool{} // ids of requests that send a message
	usual := ""
	for _, l := range lines {
		var f frameIDs
		switch {
		case l.Bot != "":
			return l.Bot
		case l.out != nil:
			sent[l.out.ID] = sent[l.out.ID] || l.out.Action == wire.ActionCreateMessage
			continue
		case l.Frame == nil || json.Unmarshal(l.Frame, &f) != nil:
			continue
		}
		d := f.Data
		if sent[f.ID] && serve.IsUUID(d.UserID) && d.Category != nil && *d.Category == "" {
			return d.UserID // the stub of a message that it sent
		}
		if serve.IsUUID(d.UserID) && d.ConversationID == blaze.ConversationID(defaultAppID, d.UserID) {
			usual = defaultAppID
		}
	}
	return usual
}

// roles says which ids of a recording stand for which of this server's.
type roles struct {
	bot string
	own serve.Session
	ids map[string]string
}

// learn notes the conversations of the bot with the users in a line, and the bot's session.
func (r *roles) learn(l *line) {
	if l.Frame == nil {
		return
	}
	// Nothing is changed, and what is nested too deeply names nobody.
	_, _ = rewrite(l.Frame, maxRecordedDepth, func(name, v []byte) []byte {
		switch string(lowerName(name)) {
		case "user_id", "recipient_id", "representative_id":
			var user string
			if v != nil && json.Unmarshal(v, &user) == nil && serve.IsUUID(user) && user != r.bot {
				r.ids[blaze.ConversationID(r.bot, user)] = blaze.ConversationID(r.own.AppID, user)
			}
		}
		return nil
	})
	var f frameIDs
	if json.Unmarshal(l.Frame, &f) == nil && f.Data.UserID == r.bot && serve.IsUUID(f.Data.SessionID) {
		r.ids[f.Data.SessionID] = r.own.ID
	}
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// translate returns a frame with the ids of this server in it, in the bodies of messages too.
func (r *roles) translate(frame json.RawMessage) json.RawMessage {
	translated, ok := rewrite(r.replace(frame), maxJSONDepth, func(name, v []byte) []byte {
		field := string(lowerName(name))
		var text string
		if field != "data" && field != "data_base64" || len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &text) != nil {
			return nil
		}
		body, ok := decodeBody(text)
		if !ok || !r.names(body) {
			return nil
		}
		return encodeBody(field, r.replace(body))
	})
	if !ok {
		return frame // deeper than what is read as JSON
	}
	return translated
}

// names reports whether text has an id that is replaced.
func (r *roles) names(text []byte) bool {
	for _, id := range uuids.FindAll(text, -1) {
		if _, ok := r.ids[string(id)]; ok {
			return true
		}
	}
	return false
}

func (r *roles) replace(text []byte) []byte {
	return uuids.ReplaceAllFunc(text, func(id []byte) []byte {
		if with, ok := r.ids[string(id)]; ok {
			return []byte(with)
		}
		return id
	})
}
