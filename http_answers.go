package blaze

import (
	"encoding/json"

	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// Response data of the HTTP API. Another server may respond in place of the service, such as the sign-in page of a
// network, with JSON and a status of success. A response is therefore valid only if it contains the field that matters.
// Otherwise the error is [rest.ErrMissing], which counts as no response.

// openedConversation is the response to POST /conversations.
type openedConversation struct{ asked string } // the conversation's id

// UnmarshalJSON implements [json.Unmarshaler].
func (o *openedConversation) UnmarshalJSON(p []byte) error {
	var v struct {
		ID lenient.String `json:"conversation_id"`
	}
	//mutant:response-conversation
	return sameID(json.Unmarshal(p, &v), v.ID, o.asked)
}

// sameID returns an error unless id, decoded with err, equals asked.
func sameID(err error, id lenient.String, asked string) error {
	if got, ok := canonicalUUID(string(id)); err != nil || !ok || got != asked {
		return rest.ErrMissing
	}
	return nil
}

// place is the response to POST /attachments and GET /attachments/:id: the addresses of a file.
type place struct {
	asked string // the attachment's id; "": a new one
	id    string // in lower case

	upload string // for an upload
	view   string // for a download
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
