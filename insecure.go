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
		o.report(slog.LevelWarn, "blaze: InsecureSkipVerify is set: unless a callback verifies certificates, whoever is "+
			"between this machine and the service can read and change everything", "field", field)
	}
	if c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12 {
		o.report(slog.LevelWarn,
			"blaze: MinVersion allows versions of TLS that are not secure: use tls.VersionTLS12 or later",
			"field", field, "version", tls.VersionName(c.MinVersion))
	}
}
