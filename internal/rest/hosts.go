package rest

import "sync/atomic"

// hosts holds the base addresses of one API. All requests use the same host until it fails. The methods are safe for
// concurrent use.
type hosts struct {
	bases  []string
	failed atomic.Uint64 // number of changes of the host
}

// present returns the current host, and a function that switches to the next one. Call it if the host did not respond.
// If several requests to one host fail, only the first call switches.
func (h *hosts) present() (base string, fail func()) {
	n := h.failed.Load()
	//mutant:rest-host-once
	return h.bases[n%uint64(len(h.bases))], func() { h.failed.CompareAndSwap(n, n+1) }
}
