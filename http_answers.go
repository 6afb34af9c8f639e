package blaze

import (
	"encoding/json"

	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// The data of answers of the HTTP API. Whoever answers in the service's place, such as the sign-in page of a network,
// may answer JSON with a status of success. So an answer counts only if the field that matters is there. Otherwise its
// error is [rest.ErrMissing], which counts as no answer.

// openedConversation is the answer to POST /conversations.
type openedConversation struct{ asked string } // the conversation's id

// UnmarshalJSON implements [json.Unmarshaler].
func (o *openedConversation) UnmarshalJSON(p []byte) error {
	var v struct {
		ID lenient.String `json:"conversation_id"`
	}
	//mutant:answer-conversation
	return sameID(json.Unmarshal(p, &v), v.ID, o.asked)
}

// ownProfile is the answer to GET /me.
type ownProfile struct{ appID string }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *ownProfile) UnmarshalJSON(p []byte) error {
	var v struct {
		ID lenient.String `json:"user_id"`
	}
	return sameID(json.Unmarshal(p, &v), v.ID, o.appID)
}

// sameID returns an error unless id, which was decoded with err, is the one asked for.
func sameID(err error, id lenient.String, asked string) error {
	if got, ok := canonicalUUID(string(id)); err != nil || !ok || got != asked {
		return rest.ErrMissing
	}
	return nil
}

// place is the answer to POST /attachments, and to GET of one: where a file goes, or is.
type place struct {
	asked string // the attachment's id; "": a new one
	id    string // in lower case

	upload string // the address of a file to come
	view   string // the address of one that is there
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *place) UnmarshalJSON(p []byte) error {
	var v struct {
		ID     lenient.String `json:"attachment_id"`
		Upload lenient.String `json:"upload_url"`
		View   lenient.String `json:"view_url"`
	}
	if err := json.Unmarshal(p, &v); err != nil {
		return rest.ErrMissing
	}
	id, ok := canonicalUUID(string(v.ID))
	address := v.View
	if l.asked == "" {
		address = v.Upload
	}
	if !ok || l.asked != "" && id != l.asked || address == "" {
		return rest.ErrMissing
	}
	l.id, l.upload, l.view = id, string(v.Upload), string(v.View)
	return nil
}
