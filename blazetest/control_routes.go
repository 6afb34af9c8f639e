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
		return nil, invalidBody("the body: %v", err)
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
			summary: "The connections, what is pending, and how much was sent and acknowledged.",
			do:      func(r *request) (any, *controlError) { return r.state(), nil },
		},
		{
			method: "GET", path: "/keystore", name: "keystore", out: keystoreJSON{},
			summary: "The keystore of the bot under test, and where it is to connect.",
			do:      func(r *request) (any, *controlError) { return r.keystore(), nil },
		},
		{
			method: "GET", path: "/events", name: "events", answersType: "text/event-stream",
			summary: "The events of the server, as server-sent events: from now on, or behind the event of " +
				"Last-Event-ID. The event 0 is before the first one.",
			query:  []param{{"last_event_id", "In place of the header Last-Event-ID."}},
			stream: (*controller).streamEvents,
		},
		{
			method: "GET", path: "/options", name: "options", out: optionsJSON{}, do: (*request).options,
			summary: "How strict the server is.",
		},
		{
			method: "POST", path: "/options", name: "setOptions", in: optionsIn{}, out: optionsJSON{},
			example: `{"per_minute":100}`,
			summary: "Changes how strict the server is, from now on.", do: with((*request).setOptions),
		},
		{
			method: "POST", path: "/restart", name: "restart",
			summary: "Stops the bot that Start or Run started, and starts it again.",
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
			method: "GET", path: "/users", name: "users", summary: "All virtual people.", out: []userJSON{},
			do: (*request).users,
		},
		{
			method: "POST", path: "/users", name: "user", in: nameIn{}, out: userJSON{}, example: `{"name":"alice"}`,
			summary: "The virtual person of a name: the same one for the same name.", do: with((*request).user),
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
			summary: "Taps a button of a message of the bot. message_id is empty where the button says nothing.",
			do:      with((*request).tap),
		},
		{
			method: "POST", path: "/users/{user}/reads", name: "reads", in: readsIn{},
			example: `{"message_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c"}`,
			summary: "Tells the bot that a message was delivered to the person and read.", do: with((*request).reads),
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
			summary: "Waits for the next message that the bot sent to the person, and takes it for this person.",
			do:      with((*request).nextForUser),
		},
		{
			method: "GET", path: "/groups", name: "groups", summary: "All groups that have a name.",
			out: []groupJSON{}, do: (*request).groups,
		},
		{
			method: "POST", path: "/groups", name: "group", in: groupIn{}, out: groupJSON{},
			example: `{"name":"staff","members":["alice","bob"]}`,
			summary: "The group of a name, in which the members are added who are not in it.",
			do:      with((*request).group),
		},
		{
			method: "POST", path: "/groups/{group}/add", name: "addMember", in: memberIn{}, out: groupJSON{},
			example: `{"name":"carol"}`,
			summary: "Makes a person, or the bot, a member of the group.", do: with((*request).addMember),
		},
		{
			method: "POST", path: "/groups/{group}/remove", name: "removeMember", in: memberIn{}, out: groupJSON{},
			example: `{"name":"carol"}`,
			summary: "Ends the membership of a person, or of the bot.", do: with((*request).removeMember),
		},
		{
			method: "POST", path: "/groups/{group}/next", name: "nextInGroup", in: waitIn{}, out: messageJSON{},
			example: `{"timeout":"5s"}`,
			summary: "Waits for the next message that the bot sent into the group, and takes it for the group.",
			do:      with((*request).nextInGroup),
		},
	}
}
