package rest_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
)

// Once makes one attempt, whatever the result.
func TestOnce(t *testing.T) {
	for _, body := range []string{`{"error":{"code":401}}`, `{"error":{"code":500}}`, "<html>"} {
		s := serve(t, answers(200, body), answers(200, `{"data":{"name":"x"}}`))
		c := s.client(nil)
		var x thing
		require.Error(t, c.Once(t.Context(), "GET", "/x", &x))
		assert.Equal(t, []string{"GET /x "}, s.all())
		require.NoError(t, c.Once(t.Context(), "GET", "/x", &x))
		assert.Equal(t, "x", x.Name)
	}
}

// A rejection by the service is distinguished from one by a gateway, and has the time of the response.
func TestWhoRefused(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	for body, stated := range map[string]bool{
		`{"error":{"code":401}}`: true, `{"error":"denied"}`: false,
		`{"message":"denied"}`: false, "<html>": false, "": false,
	} {
		for _, status := range []int{401, 503} {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Server-Time", "1700000000000000005")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			})
			var told []*rest.Error
			note := func(e *rest.Error) { told = append(told, e) }
			err := s.client(func(cfg *rest.Config) { cfg.OnRejection = note }).
				Once(t.Context(), "GET", "/x", nil)
			var rejected *rest.Error
			if !stated {
				require.ErrorAs(t, err, new(*rest.NoAnswerError), "%s, %d", body, status)
				assert.Empty(t, told)
				continue
			}
			require.ErrorAs(t, err, &rejected, "%s, %d", body, status)
			assert.True(t, at.Equal(rejected.At))
			assert.Equal(t, []*rest.Error{rejected}, told)
		}
	}
}

// A Single request is made once, and again only after the first 401. The query is signed and not named in errors.
func TestASingleRequest(t *testing.T) {
	for _, tt := range []struct {
		body string
		want int
	}{{`{"error":{"code":500}}`, 1}, {"<html>", 1}, {`{"error":{"code":401}}`, 2}} {
		s := serve(t, answers(200, tt.body), answers(200, tt.body), answers(200, tt.body))
		_, err := s.client(nil).Make(t.Context(), rest.Request{Method: "POST", Path: "/x?a=b", Single: true})
		require.ErrorContains(t, err, "POST /x:")
		assert.Len(t, s.all(), tt.want)
	}
}
