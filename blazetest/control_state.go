package blazetest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/mixin-blaze/blaze"
)

// The wait of a request of the control interface.
const (
	defaultWait = 5 * time.Second
	maxWait     = 10 * time.Minute
)

type stateJSON struct {
	Connections []connectionJSON `json:"connections" doc:"The websockets, oldest first."`
	Pending     int              `json:"pending" doc:"Messages that the bot has not acknowledged."`
	Sent        int              `json:"sent" doc:"Messages of the bot."`
	Acked       int              `json:"acked" doc:"Messages that the bot has acknowledged."`
	Unanswered  int              `json:"unanswered" doc:"Requests that were read and not answered yet."`
	Users       int              `json:"users"`
	Groups      int              `json:"groups"`
}

type connectionJSON struct {
	Link   int  `json:"link" doc:"The number of the connection, from 1."`
	Listed bool `json:"listed" doc:"The client has listed pending messages, so messages are pushed."`
}

type keystoreJSON struct {
	AppID             string   `json:"app_id"`
	SessionID         string   `json:"session_id"`
	SessionPrivateKey string   `json:"session_private_key"`
	ServerPublicKey   string   `json:"server_public_key,omitempty"`
	Endpoints         []string `json:"endpoints" doc:"URLs of the websocket."`
	API               string   `json:"api" doc:"Base URL of the HTTP API."`
}

type messageJSON struct {
	MessageID        string          `json:"message_id"`
	ConversationID   string          `json:"conversation_id"`
	Group            string          `json:"group,omitempty" doc:"The name of the message's group."`
	RecipientID      string          `json:"recipient_id,omitempty"`
	QuoteID          string          `json:"quote_message_id,omitempty"`
	RepresentativeID string          `json:"representative_id,omitempty"`
	Mentions         []string        `json:"mentions,omitempty"`
	Category         string          `json:"category" doc:"The category; of a decrypted message, that of its content."`
	Data             json.RawMessage `json:"data,omitempty" doc:"JSON, or a string; missing if it is not UTF-8."`
	DataBase64       string          `json:"data_base64"`
	Text             string          `json:"text" doc:"The text of the message in a script."`
	Encrypted        bool            `json:"encrypted,omitempty"`
	Silent           bool            `json:"silent,omitempty"`
	ExpireIn         int64           `json:"expire_in,omitempty" doc:"Seconds."`
}

type deliverIn struct {
	UserID           string          `json:"user_id"`
	ConversationID   string          `json:"conversation_id,omitempty" doc:"Default: the contact conversation."`
	MessageID        string          `json:"message_id,omitempty" doc:"Default: a random id."`
	QuoteID          string          `json:"quote_message_id,omitempty"`
	RepresentativeID string          `json:"representative_id,omitempty"`
	Category         string          `json:"category"`
	Data             json.RawMessage `json:"data,omitempty" doc:"The data as JSON; a string for texts and posts."`
	DataBase64       string          `json:"data_base64,omitempty" doc:"The data in base64, instead of data."`
	Encrypted        bool            `json:"encrypted,omitempty"`
	Silent           bool            `json:"silent,omitempty"`
	ExpireIn         int64           `json:"expire_in,omitempty" doc:"Seconds."`
}

type receiptIn struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status" doc:"DELIVERED or READ."`
}

func (r *request) state() stateJSON {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	j := stateJSON{
		Connections: []connectionJSON{}, Pending: s.pending.Len(), Sent: len(s.sent), Acked: len(s.acked),
		Unanswered: s.unanswered, Users: len(s.named), Groups: len(s.groups),
	}
	for _, c := range s.conns {
		j.Connections = append(j.Connections, connectionJSON{c.link, c.listed})
	}
	return j
}

func (r *request) keystore() keystoreJSON {
	k, cfg := r.s.Key, r.s.Config
	return keystoreJSON{k.AppID, k.SessionID, k.SessionPrivateKey, k.ServerPublicKey, listed(cfg.Endpoints), cfg.API}
}

// listed returns an empty slice for nil, so that the JSON is an array.
func listed(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

// messageJSON returns the JSON form of a message of the bot.
func (s *Server) messageJSON(out blaze.Outgoing) messageJSON {
	s.mu.Lock()
	group := s.groupName(out.ConversationID)
	s.mu.Unlock()
	j := messageJSON{
		MessageID: out.MessageID, ConversationID: out.ConversationID, Group: group, RecipientID: out.RecipientID,
		QuoteID: out.QuoteID, RepresentativeID: out.RepresentativeID, Mentions: out.Mentions, Encrypted: out.Encrypted,
		Silent: out.Silent, ExpireIn: int64(out.ExpireIn / time.Second),
	}
	if out.Payload == nil {
		return j
	}
	j.Category, j.Text = string(out.Payload.Category()), lineText(out.Payload)
	data, err := blaze.EncodePayload(out.Payload)
	if err != nil { // a client can send payloads that EncodePayload does not accept
		return j
	}
	j.DataBase64 = base64.StdEncoding.EncodeToString(data)
	switch {
	case len(data) > 0 && (data[0] == '{' || data[0] == '[') && json.Valid(data):
		j.Data = data
	case isText(data):
		j.Data = raw(string(data))
	}
	return j
}

func (r *request) sent() (any, *controlError) {
	all := []messageJSON{}
	for _, out := range r.s.Sent() {
		all = append(all, r.s.messageJSON(out))
	}
	return all, nil
}

// wait calls until with the timeout of the request, and ends it with the request's connection.
func (r *request) wait(in waitIn, until func(context.Context) error) *controlError {
	d := time.Duration(in.Timeout)
	if d < 0 || d > maxWait {
		return invalidBody("timeout must be between 0 and %v", maxWait)
	}
	if d == 0 {
		d = defaultWait
	}
	ctx, cancel := context.WithTimeout(r.http.Context(), d)
	defer cancel()
	err := until(ctx)
	switch {
	case errors.Is(err, errClosed):
		return problem(http.StatusServiceUnavailable, "%v", err)
	case err != nil:
		return problem(http.StatusGatewayTimeout, "%v", err)
	}
	return nil
}

func (r *request) next(in waitIn) (any, *controlError) { return r.nextOf(in, r.s.Next) }

func (r *request) idle(in waitIn) (any, *controlError) { return nil, r.wait(in, r.s.Idle) }

func (r *request) deliver(in deliverIn) (any, *controlError) {
	p, problem := payloadIn(in.Category, in.Data, in.DataBase64)
	if problem != nil {
		return nil, problem
	}
	return delivered(r.s.deliver(in.UserID, blaze.Outgoing{
		ConversationID: in.ConversationID, Payload: p, MessageID: in.MessageID, QuoteID: in.QuoteID,
		RepresentativeID: in.RepresentativeID, ExpireIn: time.Duration(in.ExpireIn) * time.Second, Silent: in.Silent,
		Encrypted: in.Encrypted,
	}))
}

func (r *request) receipt(in receiptIn) (any, *controlError) {
	return nil, r.s.receipt("Receipt", in.MessageID, blaze.Status(in.Status))
}

func (r *request) file() (any, *controlError) {
	file, ok := r.s.File(r.http.PathValue("file"))
	if !ok {
		return nil, problem(http.StatusNotFound, "file %q does not exist", r.http.PathValue("file"))
	}
	return file, nil
}
