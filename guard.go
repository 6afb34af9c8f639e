package blaze

import "context"

// Every function and interface in a Config is user code. User code that runs on a goroutine that must survive
// runtime.Goexit is wrapped here, once, and called on another goroutine. The Handler, the Ledger, OnReceipt and the
// frame hooks run on goroutines that are replaced after a Goexit. deliver.go and report.go call them directly, without
// allocating, except for the Ledger in RecordApart.

// guardUserCode wraps the fields of c that were set in given. Defaults are not wrapped.
func (c *Config) guardUserCode(given *Config) {
	if given == nil {
		return
	}
	if given.DialContext != nil {
		c.DialContext = guardedDial(given.DialContext)
	}
	if given.Proxy != nil {
		c.Proxy = careful(guardedProxy(given.Proxy))
	}
	if c.TLSClientConfig != nil {
		guardTLS(c.TLSClientConfig)
	}
	if given.HTTPClient != nil {
		c.HTTPClient = guardedClient(*given.HTTPClient)
	}
	if given.Limiter != nil {
		c.Limiter = guardedLimiter{given.Limiter}
	}
}

type guardedLimiter struct{ limiter Limiter }

// Wait implements Limiter.
func (g guardedLimiter) Wait(ctx context.Context) error {
	return apart("Limiter", func() error { return g.limiter.Wait(ctx) })
}
