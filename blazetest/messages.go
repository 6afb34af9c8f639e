package blazetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// createMessages stores messages that the bot sends over HTTP. The response to a single message is the message, the
// response to a list is {}.
func (s *Server) createMessages(r *http.Request, body []byte) (any, *serve.Rejection) {
	var all []serve.Message
	var rejection *serve.Rejection
	list := !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	path := ""
	if list {
		path = "body"
		all, rejection = serve.ReadMessages(path, body, len(body))
	} else {
		var m serve.Message
		m, rejection = serve.ReadMessage(body)
		all = []serve.Message{m}
	}
	if rejection != nil {
		return nil, inBody(rejection)
	}
	outs := outgoing(all...)
	if rejection := s.admit(actionOf(r), batch{outs: outs, path: path, list: list}); rejection != nil {
		return nil, rejection
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, out := range outs {
		s.store(out)
	}
	s.changed()
	if list {
		return noData, nil
	}
	return s.viewOfSent(&all[0]), nil
}

// inBody changes the field of a rejection from the params of a frame to the body of a request.
func inBody(rejection *serve.Rejection) *serve.Rejection {
	if field, inParams := strings.CutPrefix(rejection.Field, "params"); inParams {
		rejection.Field = strings.TrimPrefix(field, ".")
		if rejection.Field == "" {
			rejection.Field = "body"
		}
	}
	return rejection
}

// viewOfSent returns a message of the bot in the form of the service.
func (s *Server) viewOfSent(m *serve.Message) serve.View {
	stamp := serve.Stamp(s.clock())
	return serve.View{
		Type: "message", RepresentativeID: m.RepresentativeID, QuoteMessageID: m.QuoteMessageID,
		ConversationID: m.ConversationID, UserID: s.bot(), SessionID: s.session.ID, MessageID: m.MessageID,
		Category: m.Category, Data: base64.StdEncoding.EncodeToString(m.Data),
		DataBase64: base64.RawURLEncoding.EncodeToString(m.Data), Status: string(blaze.StatusSent), Source: "API",
		Silent: m.Silent, ExpireIn: m.ExpireIn, CreatedAt: stamp, UpdatedAt: stamp,
	}
}

// acknowledgeMessages counts acknowledgements over HTTP, and returns them.
func (s *Server) acknowledgeMessages(_ *http.Request, body []byte) (any, *serve.Rejection) {
	all, rejection := serve.ReadAckList("body", json.RawMessage(body))
	if rejection != nil {
		return nil, rejection
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range all {
		s.acknowledge(a)
	}
	s.changed()
	return all, nil
}
