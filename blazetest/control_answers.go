package blazetest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/mixin-blaze/blaze"
)

type faultIn struct {
	Action      string          `json:"action" doc:"Such as CREATE_MESSAGE, POST /attachments, or handshake."`
	Always      bool            `json:"always,omitempty" doc:"For every request, not only the next one."`
	Code        int             `json:"code,omitempty" doc:"Rejects the request with this code."`
	Status      int             `json:"status,omitempty" doc:"Of the rejection; default: that of the service."`
	Description string          `json:"description,omitempty" doc:"Of the rejection; default: that of the service."`
	Extra       json.RawMessage `json:"extra,omitempty" doc:"Of the rejection."`
	Hang        bool            `json:"hang,omitempty" doc:"Carries the request out and does not answer it."`
	Cut         bool            `json:"cut,omitempty" doc:"Cuts the connection, with hang after the request was done."`
	Data        json.RawMessage `json:"data,omitempty" doc:"Answers with this data. Nothing is carried out."`
	Reply       *replyIn        `json:"reply,omitempty" doc:"Answers with this frame. Nothing is carried out."`
	Response    *responseIn     `json:"response,omitempty" doc:"Answers an HTTP request. Nothing is carried out."`
	BytesBase64 string          `json:"bytes_base64,omitempty" doc:"Answers with these bytes, in base64."`
}

type replyIn struct {
	ID     string          `json:"id,omitempty" doc:"Default: that of the request."`
	Action string          `json:"action,omitempty" doc:"Default: that of the request."`
	Params json.RawMessage `json:"params,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  *errorIn        `json:"error,omitempty"`
}

type errorIn struct {
	Status      int             `json:"status,omitempty"`
	Code        int             `json:"code,omitempty"`
	Description string          `json:"description,omitempty"`
	Extra       json.RawMessage `json:"extra,omitempty"`
}

type responseIn struct {
	Status     int               `json:"status,omitempty" doc:"Default: 200."`
	Header     map[string]string `json:"header,omitempty"`
	Body       string            `json:"body,omitempty"`
	BodyBase64 string            `json:"body_base64,omitempty" doc:"The body in base64, instead of body."`
}

// answer converts the fault to an Answer.
func (in *faultIn) answer() (Answer, *controlError) {
	a := Answer{Hang: in.Hang, Cut: in.Cut}
	if in.Code == 0 && (in.Status != 0 || in.Description != "" || in.Extra != nil) {
		return a, invalidBody("status, description and extra need a code")
	}
	var problem *controlError
	switch n := in.answers(); {
	case n > 1:
		return a, invalidBody("set only one of code, data, reply, response and bytes_base64")
	case n == 0 && !in.Hang && !in.Cut:
		return a, invalidBody("set code, hang, cut, data, reply, response or bytes_base64")
	case in.Code != 0:
		a.Reply = in.rejection()
	case in.Data != nil:
		a.Reply = &Frame{Data: in.Data}
	case in.Reply != nil:
		a.Reply = in.Reply.frame()
	case in.Response != nil:
		a.Bytes, problem = in.Response.bytes(in.Hang)
	case in.BytesBase64 != "":
		p, err := base64.StdEncoding.DecodeString(in.BytesBase64)
		if err != nil || len(p) == 0 {
			return a, invalidBody("bytes_base64 must be base64 and not empty")
		}
		a.Bytes = p
	}
	return a, problem
}

// answers returns the number of answers in the fault.
func (in *faultIn) answers() (n int) {
	for _, is := range []bool{in.Code != 0, in.Data != nil, in.Reply != nil, in.Response != nil, in.BytesBase64 != ""} {
		if is {
			n++
		}
	}
	return n
}

// check validates the action, and whether it can have this answer.
func (in *faultIn) check(a Answer) *controlError {
	opens := in.Action == "handshake" || in.Action == handshake
	switch {
	case !opens && !interceptable(in.Action) || strings.HasPrefix(in.Action, " "):
		return invalidBody("unknown action %q", in.Action)
	case opens && a.Reply != nil && a.Reply.Error == nil:
		return invalidBody("a handshake cannot be answered with data; use code or response")
	case in.Response != nil && !strings.Contains(in.Action, " ") && !opens:
		return invalidBody("response is only for HTTP requests; use reply")
	}
	return nil
}

// rejection returns the rejection with the fault's code, status, description and extra.
func (in *faultIn) rejection() *Frame {
	f := Refuse(blaze.Code(in.Code)).Reply
	f.Error.Status = cmp.Or(in.Status, f.Error.Status)
	f.Error.Description = cmp.Or(in.Description, f.Error.Description)
	f.Error.Extra = in.Extra
	return f
}

func (in *replyIn) frame() *Frame {
	f := &Frame{ID: in.ID, Action: in.Action, Params: in.Params, Data: in.Data}
	if e := in.Error; e != nil {
		f.Error = &blaze.Error{
			Status: e.Status, Code: blaze.Code(e.Code), Description: e.Description, Extra: e.Extra,
		}
	}
	return f
}

// bytes returns the HTTP response as it is written. If keep is set, the client may reuse the connection.
func (in *responseIn) bytes(keep bool) ([]byte, *controlError) {
	body := []byte(in.Body)
	if in.BodyBase64 != "" {
		p, err := base64.StdEncoding.DecodeString(in.BodyBase64)
		if err != nil || in.Body != "" {
			return nil, invalidBody("response: set only one of body and body_base64, the latter in base64")
		}
		body = p
	}
	status := cmp.Or(in.Status, http.StatusOK)
	empty := status == http.StatusNoContent || status == http.StatusNotModified
	if status < 200 || status > 599 || empty && len(body) > 0 {
		return nil, invalidBody("response: the status %d is invalid or cannot have a body", status)
	}
	r := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Close: !keep,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	for name, value := range in.Header {
		r.Header.Set(name, value)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		return nil, invalidBody("response: %v", err)
	}
	return text.Bytes(), nil
}
