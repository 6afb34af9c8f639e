package blazetest

import (
	"encoding/json"
	"regexp"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// adopt adapts a recording of another bot to the bot of a session.
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
				return err // it was parsed before
			}
		}
	}
	return nil
}

// frameIDs has the ids in the data of a frame.
type frameIDs struct {
	ID   string `json:"id"`
	Data struct {
		UserID         string  `json:"user_id"`
		SessionID      string  `json:"session_id"`
		ConversationID string  `json:"conversation_id"`
		Category       *string `json:"category"`
	} `json:"data"`
}

// botOf returns the id of the recorded bot, or "" if it is unknown.
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
			return d.UserID // the reply to a message of the bot
		}
		if serve.IsUUID(d.UserID) && d.ConversationID == blaze.ConversationID(defaultAppID, d.UserID) {
			usual = defaultAppID
		}
	}
	return usual
}

// roles maps the ids of a recorded bot to those of this server's bot.
type roles struct {
	bot string
	own serve.Session
	ids map[string]string
}

// learn adds the bot's session, and its contact conversations with the users in a line.
func (r *roles) learn(l *line) {
	if l.Frame == nil {
		return
	}
	// Nothing is replaced. Frames that are nested too deeply contribute no ids.
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

// translate returns a frame with the ids of this server, also in message bodies.
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
		return frame // nested deeper than encoding/json accepts
	}
	return translated
}

// names reports whether text contains an id that is replaced.
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
