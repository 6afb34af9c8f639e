package blaze

import "context"

// Everything that a Config brings is user code. What runs on a goroutine that must survive runtime.Goexit is wrapped
// here, once, and called apart. The Handler, the Ledger, OnReceipt and the hooks of frames run on goroutines that are
// replaced: they are called in place in deliver.go and tell.go, which allocates nothing.

// guardUserCode wraps what given brought into c. The defaults are not wrapped.
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
