package blaze

import (
	"errors"
	"runtime"
	"strings"
)

// version is that of this package, as it stands in CHANGELOG.md.
const version = "0.1.0"

// userAgent returns the default of Config.UserAgent.
func userAgent() string {
	goVersion, _, _ := strings.Cut(runtime.Version(), " ") // experiments follow the version
	return "mixin-blaze/" + version + " (" + goVersion + ")"
}

// checkUserAgent refuses what cannot be the value of a header.
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
