package blazetest

import (
	"errors"
	"io"
	"net/http"
)

// maxControl is the maximum size of a request's JSON in bytes. Files and recordings have larger limits.
const maxControl = 1 << 20

// route is one request of the control interface. The OpenAPI file is generated from routes.
type route struct {
	method, path string // below /blazetest
	name         string // operationId
	summary      string
	in, out      any    // values of the types of the JSON bodies; nil: an empty object
	example      string // of the request's JSON
	query        []param
	takesType    string  // media type of a request that is not JSON; "": JSON only
	takesExample string  // of a body of takesType
	answersType  string  // media type of the response; "": JSON
	headers      []param // of the response
	maxBytes     int64   // limit of the request's body; 0: maxControl
	do           func(r *request) (any, *controlError)
	stream       func(c *controller, w http.ResponseWriter, r *http.Request) // used instead of do
}

// param is a query parameter or a header.
type param struct{ name, about string }

// with adapts a function with a decoded body to route.do.
func with[In any](do func(r *request, in In) (any, *controlError)) func(r *request) (any, *controlError) {
	return func(r *request) (any, *controlError) {
		var in In
		if problem := readJSON(r.body, &in); problem != nil {
			return nil, problem
		}
		return do(r, in)
	}
}

// read reads the body of a request.
func (rt *route) read(w http.ResponseWriter, r *http.Request) ([]byte, *controlError) {
	maxBytes := rt.maxBytes
	if maxBytes == 0 {
		maxBytes = maxControl
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problem(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxBytes)
	case err != nil:
		return nil, invalidBody("request body: %v", err)
	}
	return body, nil
}

// routes returns all requests of the control interface.
func routes() []*route {
	var all []*route
	for _, some := range [][]*route{stateRoutes(), peopleRoutes(), messageRoutes(), faultRoutes(), playRoutes()} {
		all = append(all, some...)
	}
	return all
}

func stateRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/openapi.json", name: "openapi", summary: "This description.", out: openAPI{},
			do: func(*request) (any, *controlError) { return describeControl(), nil },
		},
		{
			method: "GET", path: "/state", name: "state", out: stateJSON{},
			summary: "The connections, and the numbers of pending, sent and acknowledged messages.",
			do:      func(r *request) (any, *controlError) { return r.state(), nil },
		},
		{
			method: "GET", path: "/keystore", name: "keystore", out: keystoreJSON{},
			summary: "The keystore of the bot under test, and the addresses of the server.",
			do:      func(r *request) (any, *controlError) { return r.keystore(), nil },
		},
		{
			method: "GET", path: "/events", name: "events", answersType: "text/event-stream",
			summary: "The events of the server, as server-sent events: from now on, or after the event " +
				"Last-Event-ID. 0 is before the first event.",
			query:  []param{{"last_event_id", "Used instead of the header Last-Event-ID."}},
			stream: (*controller).streamEvents,
		},
		{
			method: "GET", path: "/options", name: "options", out: optionsJSON{}, do: (*request).options,
			summary: "The options of the server.",
		},
		{
			method: "POST", path: "/options", name: "setOptions", in: optionsIn{}, out: optionsJSON{},
			example: `{"per_minute":100}`,
			summary: "Changes the options of the server.", do: with((*request).setOptions),
		},
		{
			method: "POST", path: "/restart", name: "restart",
			summary: "Restarts the bot of Start or Run.",
			do: func(r *request) (any, *controlError) {
				if err := r.s.restartBot(); err != nil {
					return nil, problem(http.StatusConflict, "%v", err)
				}
				return nil, nil
			},
		},
	}
}

func peopleRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/users", name: "users", summary: "All people.", out: []userJSON{},
			do: (*request).users,
		},
		{
			method: "POST", path: "/users", name: "user", in: nameIn{}, out: userJSON{}, example: `{"name":"alice"}`,
			summary: "Returns the person with a name. A new name creates a person.", do: with((*request).user),
		},
		{
			method: "POST", path: "/users/{user}/say", name: "say", in: sayIn{}, out: messageIDJSON{},
			example: `{"text":"/price BTC"}`,
			summary: "Says a text to the bot, alone or in a group.", do: with((*request).say),
		},
		{
			method: "POST", path: "/users/{user}/send", name: "send", in: sendIn{}, out: messageIDJSON{},
			example: `{"category":"PLAIN_LOCATION","data":{"longitude":126.58,"latitude":53.47}}`,
			summary: "Sends a message of any category to the bot, alone or in a group.", do: with((*request).send),
		},
		{
			method: "POST", path: "/users/{user}/tap", name: "tap", in: tapIn{}, out: messageIDJSON{},
			example: `{"message_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c","label":"ETH"}`,
			summary: "Taps a button of a message of the bot. message_id is empty if that delivers no message.",
			do:      with((*request).tap),
		},
		{
			method: "POST", path: "/users/{user}/reads", name: "reads", in: readsIn{},
			example: `{"message_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c"}`,
			summary: "Notifies the bot that its message was delivered to the person and read.",
			do:      with((*request).reads),
		},
		{
			method: "POST", path: "/users/{user}/upload", name: "upload", out: attachmentJSON{}, maxBytes: maxFile,
			takesType: "application/octet-stream",
			summary:   "Stores a file for a message that the person sends.", do: (*request).upload,
		},
		{
			method: "POST", path: "/users/{user}/transfer", name: "transfer", in: transferIn{}, out: messageIDJSON{},
			example: `{"amount":"0.5","asset":"BTC","memo":"thanks"}`, summary: "Pays the bot.",
			do: with((*request).transfer),
		},
		{
			method: "POST", path: "/users/{user}/next", name: "nextForUser", in: nextIn{}, out: messageJSON{},
			example: `{"timeout":"5s"}`,
			summary: "Waits for the next message of the bot at the person's cursor, and advances the cursor.",
			do:      with((*request).nextForUser),
		},
		{
			method: "GET", path: "/groups", name: "groups", summary: "All named groups.",
			out: []groupJSON{}, do: (*request).groups,
		},
		{
			method: "POST", path: "/groups", name: "group", in: groupIn{}, out: groupJSON{},
			example: `{"name":"staff","members":["alice","bob"]}`,
			summary: "Returns the group with a name, and adds missing members. A new name creates a group.",
			do:      with((*request).group),
		},
		{
			method: "POST", path: "/groups/{group}/add", name: "addMember", in: memberIn{}, out: groupJSON{},
			example: `{"name":"carol"}`,
			summary: "Adds a person or the bot to the group.", do: with((*request).addMember),
		},
		{
			method: "POST", path: "/groups/{group}/remove", name: "removeMember", in: memberIn{}, out: groupJSON{},
			example: `{"name":"carol"}`,
			summary: "Removes a person or the bot from the group.", do: with((*request).removeMember),
		},
		{
			method: "POST", path: "/groups/{group}/next", name: "nextInGroup", in: waitIn{}, out: messageJSON{},
			example: `{"timeout":"5s"}`,
			summary: "Waits for the next message of the bot at the group's cursor, and advances the cursor.",
			do:      with((*request).nextInGroup),
		},
	}
}
