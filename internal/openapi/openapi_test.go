package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

const file = "../../docs/blazetest.openapi.json"

func load(t *testing.T) *openapi3.T {
	t.Helper()
	for _, text := range []string{"text/event-stream", "application/jsonl"} {
		openapi3filter.RegisterBodyDecoder(text, openapi3filter.PlainBodyDecoder)
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(file)
	require.NoError(t, err)
	return doc
}

// The examples are valid too.
func TestTheFileIsValid(t *testing.T) {
	doc := load(t)
	require.NoError(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation()))
	require.Equal(t, "3.1.0", doc.OpenAPI)
}

// client sends requests to the control interface of a Server, and validates them and their responses.
type client struct {
	t      *testing.T
	s      *blazetest.Server
	http   *http.Client
	router routers.Router
	used   map[string]bool // ids of successful operations
}

func newClient(t *testing.T, doc *openapi3.T, s *blazetest.Server) *client {
	t.Helper()
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	transport := &http.Transport{DialContext: s.Config.DialContext, DisableKeepAlives: true}
	return &client{t: t, s: s, http: &http.Client{Transport: transport}, router: router, used: map[string]bool{}}
}

// exchange is a request with its response.
type exchange struct {
	input   *openapi3filter.RequestValidationInput
	invalid error // of the request, by the file
	answer  string
	status  int
}

// do sends a request and validates the response. A nil read reads the whole body.
func (c *client) do(method, path, mimeType, body string, read func(io.Reader) string) exchange {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.s.Config.API+"/blazetest"+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if body != "" {
		req.Header.Set("Content-Type", mimeType)
	}
	route, params, err := c.router.FindRoute(req)
	require.NoError(c.t, err, "%s %s", method, path)
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	x := exchange{input: input, invalid: openapi3filter.ValidateRequest(ctx, input)}
	res, err := c.http.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	x.status = res.StatusCode
	if read == nil {
		read = readAll
	}
	x.answer = read(res.Body)
	err = openapi3filter.ValidateResponse(ctx, (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header, Options: input.Options,
	}).SetBodyBytes([]byte(x.answer)))
	require.NoError(c.t, err, "%s %s: %s", method, path, x.answer)
	return x
}

func readAll(r io.Reader) string {
	var all bytes.Buffer
	_, _ = all.ReadFrom(r) // an incomplete body is invalid
	return all.String()
}

// call sends a valid request that must succeed.
func (c *client) call(method, path, mimeType, body string) string {
	c.t.Helper()
	x := c.do(method, path, mimeType, body, nil)
	require.NoError(c.t, x.invalid, "%s %s %s", method, path, body)
	require.Equal(c.t, http.StatusOK, x.status, "%s %s: %s", method, path, x.answer)
	c.used[x.input.Route.Operation.OperationID] = true
	return x.answer
}

func (c *client) get(path string) string {
	c.t.Helper()
	return c.call("GET", path, "", "")
}

func (c *client) post(path, body string) string {
	c.t.Helper()
	return c.call("POST", path, "application/json", body)
}

func (c *client) delete(path string) string {
	c.t.Helper()
	return c.call("DELETE", path, "", "")
}

// member returns a string member of an object.
func member(t *testing.T, object, name string) string {
	t.Helper()
	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &all))
	require.IsType(t, "", all[name], object)
	return all[name].(string)
}

// Every operation succeeds at least once, and every response is valid.
func TestTheInterfaceIsAsTheFileSays(t *testing.T) {
	doc := load(t)
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, echo, nil)
		c := newClient(t, doc, s)
		c.people()
		c.messages()
		c.faults()
		c.recordings()
		c.get("/openapi.json")
		c.get("/keystore")
		c.get("/state")
		c.post("/options", `{"lenient":true,"per_minute":100}`)
		c.get("/options")
		c.call("POST", "/restart", "", "")
		c.events()
		for _, item := range doc.Paths.Map() {
			for _, operation := range item.Operations() {
				require.True(t, c.used[operation.OperationID], "%s was not carried out", operation.OperationID)
			}
		}
	})
}

// Requests that are invalid by the file are rejected, with a valid response.
func TestTheInterfaceRefusesWhatTheFileDoes(t *testing.T) {
	doc := load(t)
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, echo, nil)
		c := newClient(t, doc, s)
		requests := 0
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				if operation.RequestBody == nil || operation.RequestBody.Value.Content.Get("application/json") == nil {
					continue
				}
				requests++
				path := strings.NewReplacer("{user}", "alice", "{group}", "staff").Replace(path)
				x := c.do(method, strings.TrimPrefix(path, "/blazetest"), "application/json", `{"unheard_of":1}`, nil)
				require.Error(t, x.invalid, path)
				require.Equal(t, http.StatusBadRequest, x.status, path)
			}
		}
		require.Greater(t, requests, 15)
		for _, x := range []exchange{c.do("GET", "/files/x", "", "", nil), c.do("DELETE", "/faults/9", "", "", nil)} {
			require.Equal(t, http.StatusNotFound, x.status)
		}
	})
}
