package rest

import "sync/atomic"

// hosts are the addresses of one API. All requests use the same one until it fails. Its methods are safe for concurrent
// use.
type hosts struct {
	bases  []string
	failed atomic.Uint64 // how often the host was changed
}

// present returns the host to use, and a function that changes it, to be called if it gave no answer. Of several
// requests that one host failed, the first changes it.
func (h *hosts) present() (base string, fail func()) {
	n := h.failed.Load()
	//mutant:rest-one-change
	return h.bases[n%uint64(len(h.bases))], func() { h.failed.CompareAndSwap(n, n+1) }
}
