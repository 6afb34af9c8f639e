package blaze

import (
	"crypto/tls"
	"log/slog"
	"net/http"
)

// warnOfTLS logs, once, the weaknesses of a Config's TLS configurations.
func (o *observer) warnOfTLS(cfg *Config) {
	o.tls.Do(func() {
		o.insecure("Config.TLSClientConfig", cfg.TLSClientConfig)
		if g, ok := cfg.HTTPClient.Transport.(guardedTransport); ok {
			if t, ok := g.next.(*http.Transport); ok {
				o.insecure("Config.HTTPClient", t.TLSClientConfig)
			}
		}
	})
}

func (o *observer) insecure(field string, c *tls.Config) {
	if c == nil {
		return
	}
	if c.InsecureSkipVerify {
		o.report(slog.LevelWarn, "blaze: InsecureSkipVerify is set", "field", field,
			"hint", "without a callback that verifies certificates, the network can read and change everything")
	}
	if c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12 {
		o.report(slog.LevelWarn,
			"blaze: MinVersion allows insecure TLS", "field", field, "version", tls.VersionName(c.MinVersion),
			"hint", "use tls.VersionTLS12 or later")
	}
}
