package blazetest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// restClient is a hand-written client of the HTTP API.
type restClient struct {
	t *testing.T
	s *blazetest.Server
	c *http.Client

	last string // body of the latest response
}

func newRESTClient(t *testing.T, s *blazetest.Server) *restClient {
	t.Helper()
	return &restClient{t: t, s: s, c: &http.Client{Transport: &http.Transport{
		DialContext: s.Config.DialContext, DisableKeepAlives: true,
	}}}
}

// ask signs and sends a request. A string is sent unchanged, other bodies as JSON; nil means no body.
func (c *restClient) ask(method, path string, body any) (data json.RawMessage, rejection *wire.Error) {
	c.t.Helper()
	var p []byte
	switch body := body.(type) {
	case nil:
	case string:
		p = []byte(body)
	default:
		var err error
		p, err = json.Marshal(body)
		require.NoError(c.t, err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.s.Config.API+path, bytes.NewReader(p))
	require.NoError(c.t, err)
	sum := sha256.Sum256([]byte(method + path + string(p)))
	signed := token(c.t, c.s, func(m jwt.MapClaims) { m["sig"] = hex.EncodeToString(sum[:]) })
	r.Header.Set("Authorization", "Bearer "+signed)
	res, err := c.c.Do(r)
	require.NoError(c.t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, res.Body.Close())
	c.last = string(text)
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error *wire.Error     `json:"error"`
	}
	require.NoError(c.t, json.Unmarshal(text, &answer))
	status := http.StatusOK
	if answer.Error != nil {
		status = http.StatusAccepted
	}
	require.Equal(c.t, status, res.StatusCode)
	return answer.Data, answer.Error
}

// get returns the data of a response as an object.
func (c *restClient) get(method, path string, body any) object {
	c.t.Helper()
	data, rejection := c.ask(method, path, body)
	require.Nil(c.t, rejection)
	var o object
	require.NoError(c.t, json.Unmarshal(data, &o))
	return o
}

// rejection returns the code and the field of a rejection.
func (c *restClient) rejection(method, path string, body any) (code int, field string) {
	c.t.Helper()
	_, rejection := c.ask(method, path, body)
	require.NotNil(c.t, rejection)
	var extra struct{ Field string }
	if rejection.Extra != nil {
		require.NoError(c.t, json.Unmarshal(rejection.Extra, &extra))
	}
	return rejection.Code, extra.Field
}

// list returns the data of a response as a list of objects.
func (c *restClient) list(method, path string, body any) []object {
	c.t.Helper()
	data, rejection := c.ask(method, path, body)
	require.Nil(c.t, rejection)
	var list []object
	require.NoError(c.t, json.Unmarshal(data, &list))
	return list
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	p, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return p
}

func encode(p []byte) string { return base64.RawURLEncoding.EncodeToString(p) }

func encodeStd(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
