package blaze_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// foreign are responses with a success status that do not come from the service.
func foreign(id string) map[string]string {
	return map[string]string{
		"text": `"log in to the WiFi"`, "nothing": `{}`,
		"data that is null": `{"data":null}`, "data that is text": `{"data":"welcome"}`,
		"an empty object": `{"data":{}}`, "a list": `{"data":[]}`, "another field": `{"data":{"id":"` + id + `"}}`,
		"an id that is none": `{"data":{"conversation_id":"x","user_id":"x","attachment_id":"x",` +
			`"view_url":"https://a.test/","upload_url":"https://a.test/"}}`,
		"another id": `{"data":{"conversation_id":"` + userB +
			`","user_id":"` + userB + `","attachment_id":"` + userB + `"}}`,
		"HTML": "<html>welcome</html>",
	}
}

// answersAll is an HTTP client with the same response to every request.
func answersAll(body string, queried *int) *http.Client {
	return &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
		*queried++
		return &http.Response{
			StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{},
		}, nil
	})}
}

// A response counts only if it contains the requested object. Otherwise the request is retried.
func TestResponsesOfAnotherServerDoNotCount(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *blaze.Client) error{
		"OpenConversation": func(ctx context.Context, c *blaze.Client) error {
			_, err := c.OpenConversation(ctx, userA)
			return err
		},
		"Upload": func(ctx context.Context, c *blaze.Client) error {
			_, err := c.Upload(ctx, bytes.NewReader([]byte("file")), 4)
			return err
		},
		"Download": func(ctx context.Context, c *blaze.Client) error {
			_, err := c.Download(ctx, blaze.Attachment{ID: userA})
			return err
		},
	}
	for call, do := range calls {
		for name, body := range foreign(userA) {
			bubble(t, call+" "+name, func(t *testing.T) {
				queried := 0
				r := prepare(t, func(cfg *blaze.Config) {
					cfg.HTTPClient, cfg.SendAttempts = answersAll(body, &queried), 3
				})
				err := do(t.Context(), r.Client)
				require.ErrorIs(t, err, blaze.ErrNoAnswer)
				assert.Equal(t, 3, queried)
				assert.NotContains(t, err.Error(), "WiFi")
			})
		}
	}
}

func TestResponsesOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queried := 0
		id := blaze.ConversationID(botID, userA)
		c := newClient(t, keyOf(botID), blaze.Config{
			HTTPClient: answersAll(`{"data":{"conversation_id":"`+strings.ToUpper(id)+`"}}`, &queried),
		}, nil)
		got, err := c.OpenConversation(t.Context(), userA)
		require.NoError(t, err)
		assert.Equal(t, id, got)
		assert.Equal(t, 1, queried)
	})
}

// A GET /me response of another server, or with another user, does not prove that the session is valid.
func TestAProfileOfAnotherServer(t *testing.T) {
	for name, body := range foreign(botID) {
		bubble(t, name, func(t *testing.T) {
			s := newReplyingServer(t)
			s.handshake = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			s.me = func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) }
			r := s.run(ok, nil)
			began := time.Now()
			require.ErrorIs(t, r.wait(), blaze.CodeUnauthorized)
			assert.Greater(t, time.Since(began), 29*time.Second, "as without a response")
			assert.Empty(t, r.log.lines("GET /me accepts"))
		})
	}
}
