package engine

import "time"

// Delays before slow work is reported.
const (
	slowHandler = time.Minute
	runWait     = 5 * time.Second // of a request, for the call of Run
)

// slow reports an attempt that has been running for long.
func (e *Engine) slow(conversation, id string, running time.Duration, busy int) {
	e.observer.Observe(Event{Kind: HandlerSlow, Text: id, Conversation: conversation, Age: running, Count: busy})
}

// slowReceipt reports a receipt that has been handled for long. It has no conversation.
func (e *Engine) slowReceipt(id string, running time.Duration) {
	e.observer.Observe(Event{Kind: ReceiptSlow, Text: id, Age: running})
}

// watchRun reports a request that waits because Run was not called, and may wait for ever. It starts a timer only if
// Run was not called yet; done stops it.
func (e *Engine) watchRun(action string) (done func()) {
	if e.life.begun() {
		return func() {}
	}
	timer := time.AfterFunc(runWait, func() {
		//mutant:send-before-run
		if !e.life.begun() {
			e.observer.Observe(Event{Kind: NotRun, Text: action, Age: runWait})
		}
	})
	return func() { timer.Stop() }
}
