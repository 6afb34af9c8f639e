package blaze_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// An error that ends Run names the remedy.
func TestErrorsOfRunNameTheRemedy(t *testing.T) {
	for code, contains := range map[blaze.Code][]string{
		blaze.CodeUnauthorized: {
			"are app_id and session_id swapped", "was the session replaced", "is the clock wrong",
		},
		blaze.CodeUpdateRequired: {"outdated", "update the package", "Config.UserAgent"},
	} {
		bubble(t, code.Error(), func(t *testing.T) {
			r := prepare(t, nil)
			r.Intercept(handshake, rejected(code))
			r.Intercept(getMe, rejected(code))
			r.Intercept(getMe, rejected(code)) // a second time if the response changes the clock
			r.start(t.Context(), ok)
			err := r.wait()
			require.ErrorIs(t, err, code)
			var rejection *blaze.Error
			require.ErrorAs(t, err, &rejection)
			for _, s := range contains {
				assert.ErrorContains(t, err, s)
			}
		})
	}
}
