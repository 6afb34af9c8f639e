package blazetest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A recording contains all frames before the request for it, and reports whether it is full.
func TestAFullRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer()
		defer s.Close()
		c := s.controls()
		get := func() *httptest.ResponseRecorder {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/blazetest/recording", nil)
			req.Host, req.RemoteAddr = "localhost", "127.0.0.1:40000"
			w := httptest.NewRecorder()
			s.Control().ServeHTTP(w, req)
			require.Equal(t, http.StatusOK, w.Code)
			return w
		}
		emit := func(frame string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.emit(Event{Kind: EventIn, Link: 1, Frame: []byte(frame)})
		}
		c.tape = newTape(s, maxTape, RecorderOptions{})
		large := strings.Repeat("x", 8<<20) // recording it takes long
		emit(`{"id":"` + large + `"}`)
		require.Greater(t, get().Body.Len(), len(large))
		c.tape.stop()
		require.Greater(t, get().Body.Len(), len(large), "one that has ended")

		c.tape = newTape(s, 250, RecorderOptions{})
		emit(`{"id":"1"}`)
		w := get()
		require.Equal(t, "false", w.Header().Get("Recording-Full"))
		require.Contains(t, w.Body.String(), `{"id":"1"}`)
		emit(`{"id":"` + strings.Repeat("x", 250) + `"}`)
		emit(`{}`)
		full := get()
		require.Equal(t, "true", full.Header().Get("Recording-Full"))
		require.Equal(t, w.Body.String(), full.Body.String(), "whole lines, and none behind one that is missing")
	})
}
