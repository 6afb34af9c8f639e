package mutants

// options has the mutants of features that some bots need: manual acknowledgements, a Limiter, the HTTP API, receipts.
// It also has those of the end of Run.
var options = []Mutant{
	{
		Name: "Ack with AckManual does not record the id", By: unit("TestAckManual"),
		Marker: "manual-record", Old: "e.cfg.ManualAcks", New: "false",
	},
	{
		Name: "an acknowledged id is not forgotten with AckManual", By: unit("TestAckManual"),
		Marker: "manual-forget", New: "",
	},
	{
		Name: "a redelivered message is handled again with AckManual", By: unit("TestAckManual"),
		Marker: "manual-kept", New: "",
	},
	{
		Name: "an id acknowledged inside its handler is not forgotten", By: in("inbox", "TestHoldReleaseForget"),
		Marker: "manual-early", New: "",
	},
	{
		Name: "a dropped message is acknowledged with AckManual", By: unit("TestAckManualLeavesDroppedMessagesPending"),
		Marker: "manual-dropped", New: "d.Finish()",
	},
	{
		Name:   "a declined message stays pending with AckManual",
		By:     unit("TestASlowLedgerDelaysNoOtherAcknowledgement"),
		Marker: "declined-finish", New: "v.finish(d)",
	},
	{
		Name: "each attempt acknowledges again with AckReceived", By: unit("TestAckReceivedAcknowledgesFirst"),
		Marker: "accept-once", Old: "!d.acked", New: "true",
	},
	{
		Name: "an id is not recorded before its handler with AckReceived", By: unit("TestAckReceivedAcknowledgesFirst"),
		Marker: "accept-record", New: "",
	},
	{
		Name: "a message is acknowledged again after its handler with AckReceived",
		By:   unit("TestAckReceivedAcknowledgesFirst"), Marker: "finish-once", Old: "!d.acked", New: "true",
	},
	{
		Name: "messages dropped at the end of Run are not reported", By: unit("TestAMessageThatFailedBeforeTheEnd"),
		Marker: "accepted-released", Old: "d.acked", New: "false",
	},
	{
		Name:   "messages released at the end of Run are reported as dropped",
		By:     unit("TestAMessageThatFailedBeforeTheEnd"),
		Marker: "accepted-released", Old: "d.acked", New: "true",
	},
	{
		Name:   "a message overtakes one that failed during the end of Run",
		By:     unit("TestAnErrorAfterTheEndBlocksItsConversation"),
		Marker: "release-stops", New: "",
	},
	{
		Name: "an error during the end of Run counts as an attempt", By: unit("TestAnErrorAfterTheEndIsNoAttempt"),
		Marker: "handler-ending", Old: "v.engine.Stopping()", New: "false",
	},
	{
		Name:   "queued messages are handled after Run with a negative Drain",
		By:     unit("TestNoHandlerStartsDuringOrAfterDrain"),
		Marker: "drain-stop", New: "if e.cfg.Drain >= 0 {\n {{.}}\n }",
	},
	{
		Name: "queued messages are handled after Run without a link", By: unit("TestNoHandlerStartsDuringOrAfterDrain"),
		Marker: "drain-stop", New: "if l != nil {\n {{.}}\n }",
	},
	{
		Name: "a negative Drain waits like the default", By: unit("TestDrainWithoutALink"),
		Marker: "drain-none", Old: "e.cfg.Drain < 0", New: "e.cfg.Drain = max(e.cfg.Drain, 5*time.Second); false",
	},
	{
		Name: "the end of Run without a link does not wait for handlers", By: unit("TestDrainWithoutALink"),
		Marker: "drain-handlers", Old: "e.inbox.Idle(), true", New: "e.inbox.Idle(), false",
	},
	{
		Name: "the end of Run does not wait for OnReceipt", By: unit("TestTheEndWaitsForOnReceipt"),
		Marker: "drain-handlers", Old: "&& d.await(e.receipts.idle(), true)", New: "",
	},
	{
		Name: "requests are accepted while Run drains", By: unit("TestNothingIsAcceptedWhileTheLastRepliesArrive"),
		Marker: "drain-reject", New: "",
	},
	{
		Name: "the last acknowledgements are not flushed", By: unit("TestTheEndDrains"),
		Marker: "drain-flush", New: "",
	},
	{
		Name: "the end of Run does not wait for sends", By: unit("TestTheEndWaitsForSends"),
		Marker: "drain-sends", Old: "&& d.await(e.outbox.Drained(), true)", New: "",
	},
	{
		Name: "the end of Run without a link waits for sends", By: unit("TestASendAtTheEndWithoutALink"),
		Marker: "drain-lost", New: "",
	},
	{
		Name: "the end of Run sends the close code of a resync", By: unit("TestCloseCodes"),
		Marker: "close-end", Old: "CloseNormalClosure", New: "CloseGoingAway",
	},
	{
		Name: "a resync sends the close code of the end of Run", By: unit("TestCloseCodes"),
		Marker: "close-leave", Old: "CloseGoingAway", New: "CloseNormalClosure",
	},
	{
		Name: "Send does not call the Limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-send", New: "",
	},
	{
		Name: "a batch does not call the Limiter", By: unit("TestBatchCallsTheLimiter"),
		Marker: "limit-batch", Old: "b.c.limit(ctx)", New: "nil",
	},
	{
		Name: "a 429 does not call the Limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-429", Old: "Code(rejection.Code) == CodeTooManyRequests", New: "false",
	},
	{
		Name: "each transient rejection calls the Limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-429", Old: "Code(rejection.Code) == CodeTooManyRequests", New: "true",
	},
	{
		Name: "acknowledgements call the Limiter", By: unit("TestAcknowledgementsBypassTheLimiter"),
		Marker: "limit-ack", New: "_ = c.limit(ctx)\n {{.}}",
	},
	{
		Name:   "the end of Run does not wake sends that wait for the Limiter",
		By:     unit("TestTheEndWakesSendsAtTheLimiter"),
		Marker: "limit-end", New: "",
	},
	{
		Name: "a written request counts as not written after a later attempt without a connection",
		By:   unit("TestAnEncryptedMessageLostBeforeAnOutage"), Marker: "rest-written", New: "",
	},
	{
		Name: "a rejection confirms that earlier attempts were not stored", By: in("rest", "TestUnconfirmedBefore"),
		Marker: "rest-unconfirmed", New: "",
	},
	{
		Name: "a request without a client trace counts as not written", By: in("rest", "TestWritten"),
		Marker: "rest-untraced", Old: "|| !w.asked.Load()", New: "",
	},
	{
		Name: "a request counts as written before it has a connection", By: in("rest", "TestWritten"),
		Marker: "rest-untraced", New: "return true",
	},
	{
		Name: "a request that was not sent counts as written", By: in("rest", "TestWritten"),
		Marker: "rest-ended", Old: "Request: name,", New: "Request: name, Written: true,",
	},
	{
		Name: "the attempt timeout over HTTP does not double", By: in("rest", "TestTheTimeOfATryDoubles"),
		Marker: "rest-timeout", New: "",
	},
	{
		Name: "the attempt timeout over HTTP has no maximum", By: in("rest", "TestTheTimeOfATryDoubles"),
		Marker: "rest-timeout", New: "p.timeout *= 2",
	},
	{
		Name: "denials of a gateway count although not consecutive", By: in("rest", "TestDenials"),
		Marker: "rest-consecutive", New: "",
	},
	{
		Name: "denials of a gateway never end a request", By: in("rest", "TestDenials"),
		Marker: "rest-denied", Old: "p.denied >= p.denials", New: "false",
	},
	{
		Name: "the first 401 over HTTP is not retried with a new token", By: in("rest", "TestTheRetryAfterA401"),
		Marker: "rest-sign", Old: "!p.signed", New: "false",
	},
	{
		Name: "Retry-After over HTTP is ignored", By: unit("TestRetryAfterOverHTTP"),
		Marker: "rest-retry-after", Old: "min(pause, mostPause)", New: "min(pause, 0)",
	},
	{
		Name: "Retry-After over HTTP has no maximum", By: unit("TestRetryAfterOverHTTP"),
		Marker: "rest-retry-after", Old: "min(pause, mostPause)", New: "pause",
	},
	{
		Name: "the response to another HTTP request is accepted", By: in("rest", "TestAnswersThatCannotBeUnderstood"),
		Marker: "rest-echo", New: "",
	},
	{
		Name: "encrypted messages keep their capacity of the outbox", By: unit("TestEncryptedMessagesUseCapacity"),
		Marker: "encrypted-release", New: "_ = release",
	},
	{
		Name: "encrypted messages are retried after the end of Run", By: unit("TestAnEncryptedMessageEndsWithRun"),
		Marker: "encrypted-end", New: "",
	},
	{
		Name: "a panic in a cookie jar is not recovered", By: unit("TestAJarThatDoesNotReturn"),
		Marker: "guarded-jar", New: "",
	},
	{
		Name: "a connection may end a goroutine of net/http", By: unit("TestHooksOfATransportOfTheUsers"),
		Marker: "guarded-apart", Old: "ok {", New: "ok && false {",
	},
	{
		Name: "a request of a batch is sent without the guard", By: unit("TestAContextThatDoesNotReturn"),
		Marker: "batch-guard", New: "go func() { _ = guard.Call; b.c.send(ctx, r); b.ended <- r }()",
	},
	{
		Name: "the supervisor calls methods of a dialer's error", By: unit("TestADialersErrorWithMethodsThatBlock"),
		Marker: "connection-error",
		New:    "var rejected *engine.RejectedError\n ok = errors.As(connection.Err, &rejected)",
	},
	{
		Name: "a request denied by a gateway is not halved", By: unit("TestAGatewayThatRejectsOneMessage"),
		Marker: "denied-halves", New: "",
	},
	{
		Name: "messages overtake one that a gateway denied", By: unit("TestAGatewayAndAServiceThatReject"),
		Marker: "denied-order", New: "",
	},
	{
		Name: "a message denied by a gateway counts as not sent", By: unit("TestAMessageOfARejectedRequest"),
		Marker: "denied-unconfirmed", Old: "= true", New: "= m.unconfirmed",
	},
	{
		Name: "a quote gets the id of a reply", By: unit("TestAQuoteIsNoReply"),
		Marker: "quote-kind", Old: "kindQuote", New: "kindReply",
	},
	{
		Name: "queued receipts are handled after the end of Run", By: in("engine", "TestReceiptsAreDroppedAtTheEnd"),
		Marker: "receipts-stop", New: "",
	},
	{
		Name: "each receipt gets a goroutine", By: in("engine", "TestReceiptsAreHandledInOrderByOneGoroutine"),
		Marker: "receipts-one", Old: "!r.running", New: "true",
	},
	{
		Name: "a session that never worked is retried forever", By: in("engine", "TestAuthPolicy"),
		Marker: "probe-patience", Old: "now.Sub(p.since) >= patience", New: "false",
	},
	{
		Name: "a session that GET /me accepted counts as one that never worked", By: in("engine", "TestAuthPolicy"),
		Marker: "probe-accepted", New: "",
	},
	{
		Name:   "a session with a working link counts as one that never worked",
		By:     unit("TestA401WithoutAResponseOverHTTP"),
		Marker: "session-served", New: "",
	},
	{
		Name: "GET /me is not retried after a correction of the clock", By: unit("TestAWrongClockIsCorrected"),
		Marker: "probe-again", Old: "!again", New: "again",
	},
	{
		Name: "GET /me is not retried at the second host", By: unit("TestTheSecondHostVerifiesTheSession"),
		Marker: "probe-host", Old: "!again", New: "false",
	},
}
