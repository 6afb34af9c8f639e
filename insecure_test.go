package blaze_test

import (
	"crypto/tls"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Settings that weaken TLS are logged once, for the websocket and for HTTP.
func TestInsecureTLSIsLoggedOnce(t *testing.T) {
	const verify, version = "InsecureSkipVerify is set", "MinVersion allows"
	for name, tt := range map[string]struct {
		tls              *tls.Config
		verify, versions int
	}{
		"none":        {nil, 0, 0},
		"the default": {&tls.Config{}, 0, 0},
		"secure":      {&tls.Config{MinVersion: tls.VersionTLS12}, 0, 0},
		"unverified":  {&tls.Config{InsecureSkipVerify: true}, 1, 0},
		"old":         {&tls.Config{MinVersion: tls.VersionTLS11}, 0, 1},
		"both":        {&tls.Config{MinVersion: tls.VersionTLS10, InsecureSkipVerify: true}, 1, 1},
	} {
		for _, own := range []bool{true, false} {
			bubble(t, name, func(t *testing.T) {
				r := prepare(t, func(cfg *blaze.Config) {
					if own {
						cfg.TLSClientConfig = tt.tls
					} else {
						cfg.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: tt.tls}}
					}
				})
				if own {
					_, err := r.OpenConversation(t.Context(), userID("alice"))
					require.NoError(t, err)
					synctest.Wait()
					assert.Len(t, r.log.lines(verify), tt.verify, "a client that does not run warns, too")
				}
				r.start(t.Context(), nil)
				for range 3 {
					synctest.Wait()
					r.Cut()
				}
				r.Cut()
				synctest.Wait()
				assert.Len(t, r.log.lines(verify), tt.verify)
				assert.Len(t, r.log.lines(version), tt.versions)
			})
		}
	}
}
