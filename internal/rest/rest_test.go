package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// server responds with its functions in order, then with the last one again and again, and records the requests.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	steps []http.HandlerFunc
	asked []string // method, address, body
	ids   []string
}

func serve(t *testing.T, steps ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{steps: steps}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked = append(s.asked, fmt.Sprint(r.Method, " ", r.RequestURI, " ", string(body)))
		s.ids = append(s.ids, r.Header.Get("X-Request-Id"))
		step := s.steps[0]
		if len(s.steps) > 1 {
			s.steps = s.steps[1:]
		}
		s.mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// all returns the recorded requests.
func (s *server) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *server) requestIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func cuts(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// client returns a client that signs with a counter, does not wait between attempts, and records the server's times.
func (s *server) client(edit func(*rest.Config)) *rest.Client {
	n := 0
	cfg := rest.Config{
		Bases: []string{s.URL}, HTTP: s.Client(), Timeout: time.Minute, Attempts: 3,
		Token: func(method, uri string, body []byte) (string, string, error) {
			n++
			return fmt.Sprintf("token-%d-%s-%s-%s", n, method, uri, body), fmt.Sprint("id-", n), nil
		},
		Temporary: func(e *wire.Error) bool {
			return e.Code == 429 || e.Code == 500 || e.Code == 7000 || e.Code == 0 && e.Status != 403
		},
		Rest: func(int) time.Duration { return 0 },
	}
	if edit != nil {
		edit(&cfg)
	}
	return rest.New(cfg)
}

type thing struct {
	Name string `json:"name"`
}

func TestDo(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer token-1-POST-/things?a=1&b=<-{\"name\":\"<a&b>\"}", r.Header.Get("Authorization"))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "id-1", r.Header.Get("X-Request-Id"))
		w.Header().Set("X-Request-Id", "id-1")
		w.Header().Set("X-Server-Time", "1700000000000000001")
		_, _ = io.WriteString(w, `{"data":{"name":"x"},"more":1}`)
	})
	var at time.Time
	c := s.client(func(cfg *rest.Config) { cfg.Clock = func(server time.Time) { at = server } })
	var got thing
	require.NoError(t, c.Do(t.Context(), "POST", "/things?a=1&b=<", thing{"<a&b>"}, &got))
	assert.Equal(t, thing{"x"}, got)
	assert.Equal(t, int64(1700000000000000001), at.UnixNano())
	assert.Equal(t, []string{`POST /things?a=1&b=< {"name":"<a&b>"}`}, s.all())
}

func TestAnswersThatNeedNoData(t *testing.T) {
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `[]`, `{"error":null}`} {
		s := serve(t, answers(202, body))
		require.NoError(t, s.client(nil).Do(t.Context(), "POST", "/x", nil, nil), body)
		assert.Len(t, s.all(), 1)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		body     string
		want     wire.Error
		attempts int
	}{
		"with status 202": {202, `{"error":{"status":202,"code":403,` +
			`"description":"no"}}`, wire.Error{Status: 202, Code: 403, Description: "no"}, 1},
		"with status 200": {200, `{"error":{"code":10002,` +
			`"extra":{"field":"x"}}}`, wire.Error{Status: 200, Code: 10002, Extra: []byte(`{"field":"x"}`)}, 1},
		"odd": {200, `{"error":{"status":"202","code":4.03e2,` +
			`"description":{"en":"no"}}}`, wire.Error{Status: 202, Code: 403}, 1},
		"data beside it": {200, `{"data":{"name":"x"},` +
			`"error":{"status":202,"code":404}}`, wire.Error{Status: 202, Code: 404}, 1},
		"too many":       {202, `{"error":{"status":202,"code":429}}`, wire.Error{Status: 202, Code: 429}, 3},
		"a server error": {500, `{"error":{"status":500,"code":7000}}`, wire.Error{Status: 500, Code: 7000}, 3},
		// The service's errors have a status or a code. An error with neither may be retried.
		"a status, final":                 {403, `{"error":{"status":403}}`, wire.Error{Status: 403}, 1},
		"a status, final, in another":     {202, `{"error":{"status":"403","code":{}}}`, wire.Error{Status: 403}, 1},
		"a status, final, of a gateway's": {502, `{"error":{"status":403}}`, wire.Error{Status: 403}, 1},
		"a status, temporary":             {202, `{"error":{"status":503}}`, wire.Error{Status: 503}, 3},
		"neither":                         {202, `{"error":{}}`, wire.Error{}, 3},
		"neither, of status 200": {200, `{"error":{"description":"no",` +
			`"code":[]}}`, wire.Error{Description: "no"}, 3},
		"unauthorized": {202, `{"error":{"status":202,"code":401}}`, wire.Error{Status: 202, Code: 401}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers(c.status, c.body))
			err := s.client(nil).Do(t.Context(), "GET", "/things/secret", nil, new(thing))
			var rejected *rest.Error
			require.ErrorAs(t, err, &rejected)
			assert.Equal(t, &c.want, rejected.Rejection)
			assert.False(t, rejected.Unconfirmed)
			assert.Contains(t, err.Error(), fmt.Sprint("code ", c.want.Code))
			assert.Len(t, s.all(), c.attempts)
			for i, id := range s.requestIDs() {
				assert.Equal(t, fmt.Sprint("id-", i+1), id, "signed again for each attempt")
			}
		})
	}
}

func TestAnswersThatCannotBeUnderstood(t *testing.T) {
	for name, step := range map[string]http.HandlerFunc{
		"not JSON": answers(200, "hello"),
		// An intermediary may respond with any status, and may have forwarded the request.
		"a gateway's HTML":             answers(502, `<html>Bad Gateway</html>`),
		"a gateway's 403":              answers(403, `<h1>denied</h1>`),
		"a gateway's 401":              answers(401, ``),
		"a gateway's JSON":             answers(429, `{"message":"slow down"}`),
		"a gateway's error":            answers(403, `{"error":"denied"}`),
		"a gateway's error of a shape": answers(403, `{"error":{"message":"denied"}}`),
		"a gateway's error, empty":     answers(503, `{"error":{}}`),
		"a text for an error":          answers(200, `{"error":"denied"}`),
		"a gateway without a body":     answers(404, ``),
		"a redirect":                   answers(307, ``),
		"another shape":                answers(200, `{"data":[1]}`),
		"no data":                      answers(200, `{}`),
		"cut":                          cuts,
		"too long":                     answers(200, `{"data":"`+strings.Repeat("x", 4<<20)+`"}`),
		"of another request": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "id-9")
			_, _ = io.WriteString(w, `{"data":{}}`)
		},
		"shorter than it was": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"data":{}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, step)
			err := s.client(nil).Do(t.Context(), "GET", "/x", nil, new(thing))
			var silent *rest.NoAnswerError
			require.ErrorAs(t, err, &silent)
			assert.True(t, silent.Written)
			assert.Contains(t, err.Error(), "GET /x: ")
			assert.NotContains(t, err.Error(), "127.0.0.1:")
			assert.NotContains(t, err.Error(), "denied", "no text of a response")
			assert.Len(t, s.all(), 3)
			assert.NotContains(t, err.Error(), "token")
		})
	}
}

// A response may have 4 MiB, and not a byte more, even if the rest is white space.
func TestTheLargestAnswer(t *testing.T) {
	const head = `{"data":{"name":"x"}}`
	for more, fits := range map[int]bool{0: true, 1: false} {
		s := serve(t, answers(200, head+strings.Repeat(" ", 4<<20-len(head)+more)))
		err := s.client(nil).Do(t.Context(), "GET", "/x", nil, new(thing))
		assert.Equal(t, fits, err == nil, err)
	}
}

// Each attempt has its own timeout.
func TestATryIsNotWaitedForForEver(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release }, answers(200, `{}`))
	defer close(release)
	c := s.client(func(cfg *rest.Config) { cfg.Timeout, cfg.Attempts = 200*time.Millisecond, -1 })
	require.NoError(t, c.Do(t.Context(), "GET", "/x", nil, nil))
	assert.GreaterOrEqual(t, len(s.all()), 2, "a busy machine may need more")

	s = serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	c = s.client(func(cfg *rest.Config) { cfg.Timeout, cfg.Attempts = time.Millisecond, 1 })
	err := c.Do(t.Context(), "GET", "/x", nil, nil)
	require.ErrorContains(t, err, "no response within 1ms")
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
}

func TestAnotherTryMaySucceed(t *testing.T) {
	s := serve(t, cuts, answers(503, "busy"), answers(200, `{"data":{"name":"x"}}`))
	var got thing
	require.NoError(t, s.client(nil).Do(t.Context(), "GET", "/x", nil, &got))
	assert.Equal(t, thing{"x"}, got)

	// A request without a response may have been carried out, whatever a later rejection says.
	s = serve(t, cuts, answers(202, `{"error":{"status":202,"code":403}}`))
	var rejected *rest.Error
	require.ErrorAs(t, s.client(nil).Do(t.Context(), "GET", "/x", nil, nil), &rejected)
	assert.True(t, rejected.Unconfirmed)
}

// A wrong clock can cause the first 401, so its retry uses no attempt. The second 401 is final.
func TestTheRetryAfterA401(t *testing.T) {
	const no, busy, done = `{"error":{"status":202,"code":401}}`, `{"error":{"status":500,"code":500}}`, `{"data":{}}`
	for name, c := range map[string]struct {
		attempts int
		bodies   []string
		requests int
		code     int // of the error; 0: none
	}{
		"with one attempt":             {1, []string{no, done}, 2, 0},
		"before a transient rejection": {2, []string{no, busy, done}, 3, 0},
		"after a transient rejection":  {2, []string{busy, no, done}, 3, 0},
		"all attempts are used":        {2, []string{no, busy, busy, done}, 3, 500},
		"the second is final":          {3, []string{no, no, done}, 2, 401},
		"the second is final, later":   {3, []string{no, busy, no, done}, 3, 401},
		"without a limit on attempts":  {-1, []string{no, busy, busy, busy, done}, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []http.HandlerFunc
			for _, body := range c.bodies {
				steps = append(steps, answers(200, body))
			}
			s := serve(t, steps...)
			var waits []int
			err := s.client(func(cfg *rest.Config) {
				cfg.Attempts = c.attempts
				cfg.Rest = func(failures int) time.Duration { waits = append(waits, failures); return 0 }
			}).Do(t.Context(), "GET", "/x", nil, nil)
			assert.Len(t, s.all(), c.requests)
			for i, failures := range waits {
				assert.Equal(t, i+1, failures, "a 401 that is retried does not lengthen the waits")
			}
			var rejected *rest.Error
			if c.code == 0 {
				require.NoError(t, err)
				return
			}
			require.ErrorAs(t, err, &rejected)
			assert.Equal(t, c.code, rejected.Rejection.Code)
		})
	}
}

func TestTheContextEndsIt(t *testing.T) {
	s := serve(t, answers(500, `{"error":{"code":500}}`))
	ctx, cancel := context.WithCancel(t.Context())
	c := s.client(func(cfg *rest.Config) {
		cfg.Attempts = -1
		cfg.Rest = func(failures int) time.Duration {
			if failures == 5 {
				cancel()
				return time.Hour
			}
			return 0
		}
	})
	err := c.Do(ctx, "GET", "/x", nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected, "the last error of an attempt")
	assert.Len(t, s.all(), 5)
}

// Only the service or the context ends a patient request. Other failures use no attempt; this client has one.
func TestAPatientRequest(t *testing.T) {
	no, busy := answers(202, `{"error":{"status":202,"code":401}}`), answers(500, `{"error":{"status":500,"code":500}}`)
	gateway, never, done := answers(403, `<h1>denied</h1>`), answers(202, `{"error":{"code":403}}`), answers(200, `{}`)
	for name, c := range map[string]struct {
		steps       []http.HandlerFunc
		code        int // of the error; 0: none
		unconfirmed bool
	}{
		"401 again and again":                {[]http.HandlerFunc{no, no, no, no, no, done}, 0, false},
		"a gateway":                          {[]http.HandlerFunc{gateway, gateway, gateway, done}, 0, true},
		"lost":                               {[]http.HandlerFunc{cuts, cuts, cuts, done}, 0, true},
		"all of it":                          {[]http.HandlerFunc{cuts, no, gateway, no, gateway, done}, 0, true},
		"a transient rejection":              {[]http.HandlerFunc{no, no, busy, done}, 500, false},
		"a transient rejection, unconfirmed": {[]http.HandlerFunc{gateway, busy, done}, 500, true},
		"a final rejection":                  {[]http.HandlerFunc{no, never, done}, 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.steps...)
			var waits []int
			client := s.client(func(cfg *rest.Config) {
				cfg.Attempts = 1
				cfg.Rest = func(failures int) time.Duration { waits = append(waits, failures); return 0 }
			})
			unconfirmed, err := client.Make(t.Context(), rest.Request{Method: "GET", Path: "/x", Patient: true})
			assert.Equal(t, c.unconfirmed, unconfirmed)
			for i, failures := range waits {
				assert.Equal(t, i+1, failures)
			}
			if c.code == 0 {
				require.NoError(t, err)
				assert.Len(t, s.all(), len(c.steps))
				return
			}
			var rejected *rest.Error
			require.ErrorAs(t, err, &rejected)
			assert.Equal(t, c.code, rejected.Rejection.Code)
			assert.Equal(t, c.unconfirmed, rejected.Unconfirmed)
			assert.Len(t, s.all(), len(c.steps)-1)
		})
	}
}

// A rejection without a code comes from the service too, and ends a patient request.
func TestAPatientRequestThatIsRefusedWithoutACode(t *testing.T) {
	for body, want := range map[string]wire.Error{
		`{"error":{"status":403}}`: {Status: 403}, `{"error":{"status":503}}`: {Status: 503}, `{"error":{}}`: {},
	} {
		s := serve(t, answers(202, body), answers(200, `{}`))
		client := s.client(func(cfg *rest.Config) { cfg.Attempts = 1 })
		unconfirmed, err := client.Make(t.Context(), rest.Request{Method: "GET", Path: "/x", Patient: true})
		var rejected *rest.Error
		require.ErrorAs(t, err, &rejected, body)
		assert.Equal(t, &want, rejected.Rejection)
		assert.False(t, unconfirmed)
		assert.Len(t, s.all(), 1)
	}
}

// The first 401 is signed again at once. Each later one is followed by a wait.
func TestAPatientRequestRestsAfterA401(t *testing.T) {
	s := serve(t, answers(202, `{"error":{"status":202,"code":401}}`))
	ctx, cancel := context.WithCancel(t.Context())
	asked := -1
	c := s.client(func(cfg *rest.Config) {
		cfg.Rest = func(failures int) time.Duration {
			if failures == 1 {
				asked = len(s.all())
			}
			if failures == 3 {
				cancel()
				return time.Hour
			}
			return 0
		}
	})
	_, err := c.Make(ctx, rest.Request{Method: "GET", Path: "/x", Patient: true})
	require.ErrorIs(t, err, context.Canceled)
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected, "the last error of an attempt")
	assert.Equal(t, 401, rejected.Rejection.Code)
	assert.Equal(t, 2, asked)
	assert.Len(t, s.all(), 4)
}

// Pace is called after each transient rejection that is followed by another attempt. Its error ends the request.
func TestPace(t *testing.T) {
	busy := answers(202, `{"error":{"code":429}}`)
	s := serve(t, busy, cuts, busy, answers(200, `{}`))
	c := s.client(nil)
	var codes []int
	pace := func(_ context.Context, rejection *wire.Error) error {
		codes = append(codes, rejection.Code)
		if len(codes) == 3 {
			return assert.AnError
		}
		return nil
	}
	request := rest.Request{Method: "GET", Path: "/x", Patient: true, Pace: pace}
	_, err := c.Make(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, []int{429, 429}, codes)

	s = serve(t, busy)
	unconfirmed, err := s.client(nil).Make(t.Context(), request)
	require.ErrorIs(t, err, assert.AnError)
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected)
	assert.False(t, unconfirmed)
	assert.Len(t, s.all(), 1)
}

// A request that was unconfirmed before stays so.
func TestUnconfirmedBefore(t *testing.T) {
	s := serve(t, answers(202, `{"error":{"code":403}}`))
	unconfirmed, err := s.client(nil).Make(t.Context(), rest.Request{Method: "GET", Path: "/x", Unconfirmed: true})
	var rejected *rest.Error
	require.ErrorAs(t, err, &rejected)
	assert.True(t, rejected.Unconfirmed)
	assert.True(t, unconfirmed)
}

func TestWhatCannotBeSignedIsNotTriedAgain(t *testing.T) {
	s := serve(t, answers(200, `{}`))
	c := s.client(func(cfg *rest.Config) {
		cfg.Token = func(string, string, []byte) (string, string, error) { return "", "", assert.AnError }
	})
	require.ErrorIs(t, c.Do(t.Context(), "GET", "/x", nil, nil), assert.AnError)
	assert.Error(t, c.Do(t.Context(), "GET", "/x", func() {}, nil))
	assert.Empty(t, s.all())
	assert.NotErrorIs(t, errors.New("x"), assert.AnError)
}
