package blazetest_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The storage accepts the same requests as the service's, and reports mistakes in others.
func TestStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		made := newRESTClient(t, s).get("POST", "/attachments", nil)
		url := made["upload_url"].(string)
		c := &http.Client{Transport: &http.Transport{
			DialContext: s.Config.DialContext, DisableKeepAlives: true, ExpectContinueTimeout: time.Minute,
		}}
		do := func(method, url string, size int64, edit func(http.Header)) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("file"))
			require.NoError(t, err)
			r.ContentLength = size
			r.Header = http.Header{
				"Content-Type": {"application/octet-stream"}, "X-Amz-Acl": {"public-read"}, "Expect": {"100-continue"},
			}
			edit(r.Header)
			res, err := c.Do(r)
			require.NoError(t, err)
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			return res.StatusCode, string(text)
		}
		none := func(http.Header) {}
		for _, wrong := range []struct {
			method, url string
			size        int64
			edit        func(http.Header)
			status      int
			report      string
		}{
			{"GET", url, 4, none, 404, ""},
			{"PUT", url + "0", 4, none, 403, ""},
			{"PUT", url, -1, none, 403, "without Content-Length"},
			{"PUT", url, 4, func(h http.Header) { h.Del("Content-Type") }, 403, "application/octet-stream"},
			{"PUT", url, 4, func(h http.Header) { h.Del("X-Amz-Acl") }, 403, "x-amz-acl"},
			{"PUT", url, 64<<20 + 1, none, 413, strconv.Itoa(64<<20+1) + " bytes"},
			{"DELETE", url, 4, none, 405, "DELETE of a file is not supported"},
		} {
			status, _ := do(wrong.method, wrong.url, wrong.size, wrong.edit)
			require.Equal(t, wrong.status, status, wrong)
			reported := strings.Join(f.take(), "")
			require.Contains(t, reported, wrong.report)
			require.Equal(t, wrong.report == "", reported == "", reported)
		}
		_, stored := s.File(made["attachment_id"].(string))
		require.False(t, stored)
		status, _ := do("PUT", url, 4, func(h http.Header) { h.Set("Authorization", "Bearer x") })
		require.Equal(t, 200, status)
		require.Len(t, f.take(), 1, "a token has no business there")
		status, text := do("GET", url, 4, none)
		require.Equal(t, 200, status)
		require.Equal(t, "file", text)
	})
}
