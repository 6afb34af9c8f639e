package blaze_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// oddAnswers puts invalid elements into responses of the HTTP API.
type oddAnswers struct {
	http.RoundTripper
	changed int
}

var viewURL = regexp.MustCompile(`"view_url":"[^"]*"`)

func (o *oddAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	odd := string(body)
	switch req.Method + " " + req.URL.Path {
	case "POST /sessions/fetch":
		odd = strings.Replace(odd, `{"data":[`, `{"data":[null,7,"x",{"user_id":5,"session_id":{},"public_key":[]},`, 1)
	case "POST /attachments":
		odd = viewURL.ReplaceAllString(odd, `"view_url":{"x":1},"created_at":5`)
	}
	if odd != string(body) {
		o.changed++
	}
	resp.Body = io.NopCloser(strings.NewReader(odd))
	resp.ContentLength = int64(len(odd))
	return resp, nil
}

// An invalid part of a response is ignored, and the rest is used.
func TestInvalidPartsOfHTTPResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.Errorf = t.Errorf
		defer s.Close()
		var o oddAnswers
		c := newClient(t, s.Key, s.Config, func(cfg *blaze.Config) {
			o.RoundTripper = &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
			cfg.HTTPClient = &http.Client{Transport: &o}
		})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.NoError(t, err)
		assert.Len(t, s.Sent(), 1)
		_, err = c.Upload(t.Context(), bytes.NewReader([]byte("file")), 4)
		require.NoError(t, err)
		assert.Equal(t, 2, o.changed)
	})
}

// An invalid list does not mean that users have no sessions.
func TestSessionsThatAreNotAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := begin(t, nil, nil)
		answers(s, fetchAction, blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(`{}`)}})
		_, err := c.Send(t.Context(), encryptedText(c, "alice", "x"))
		require.NoError(t, err, "looked up again")
	})
}
