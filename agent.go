package blaze

import (
	"errors"
	"runtime"
	"strings"
)

// version is the version of this package, as in CHANGELOG.md.
const version = "0.1.0"

// userAgent returns the default of Config.UserAgent.
func userAgent() string {
	goVersion, _, _ := strings.Cut(runtime.Version(), " ") // GOEXPERIMENT settings may follow a space
	return "mixin-blaze/" + version + " (" + goVersion + ")"
}

// checkUserAgent returns an error if s is not a valid header value.
func checkUserAgent(s string) error {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return errors.New("must be printable ASCII")
		}
	}
	if strings.TrimSpace(s) != s {
		return errors.New("must not begin or end with a space")
	}
	return nil
}
