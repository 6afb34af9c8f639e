package mutants

// modes has the mutants of features that some bots need: manual acknowledgements, a Limiter, the HTTP API, receipts. It
// also has those of the end of Run.
var modes = []Mutant{
	{
		Name: "Ack with AckManual does not record", By: unit("TestAckManual"),
		Marker: "manual-record", Old: "e.cfg.ManualAcks", New: "false",
	},
	{
		Name: "an id that the user acknowledged is kept", By: unit("TestAckManual"),
		Marker: "manual-forget", New: "",
	},
	{
		Name: "with AckManual a message is handled each time it is pushed", By: unit("TestAckManual"),
		Marker: "manual-kept", New: "",
	},
	{
		Name: "an id that was acknowledged inside its handler is kept", By: in("inbox", "TestHoldReleaseForget"),
		Marker: "manual-early", New: "",
	},
	{
		Name:   "with AckManual a message that is given up is acknowledged",
		By:     unit("TestAckManualLeavesDroppedMessagesPending"),
		Marker: "manual-dropped", New: "d.Finish()",
	},
	{
		Name:   "with AckManual a message that is declined stays pending",
		By:     unit("TestASlowLedgerDelaysNoOtherAcknowledgement"),
		Marker: "declined-finish", New: "v.finish(d)",
	},
	{
		Name: "with AckReceived each attempt records and acknowledges", By: unit("TestAckReceivedAcknowledgesFirst"),
		Marker: "accept-once", Old: "!d.acked", New: "true",
	},
	{
		Name: "with AckReceived nothing is recorded before the handler", By: unit("TestAckReceivedAcknowledgesFirst"),
		Marker: "accept-record", New: "",
	},
	{
		Name: "with AckReceived the end of a handler records and acknowledges again",
		By:   unit("TestAckReceivedAcknowledgesFirst"), Marker: "finish-once", Old: "!d.acked", New: "true",
	},
	{
		Name: "nobody is told what Run gives up at its end", By: unit("TestAMessageThatFailedBeforeTheEnd"),
		Marker: "accepted-released", Old: "d.acked", New: "false",
	},
	{
		Name: "what comes again is reported as dropped at the end", By: unit("TestAMessageThatFailedBeforeTheEnd"),
		Marker: "accepted-released", Old: "d.acked", New: "true",
	},
	{
		Name:   "a message overtakes one that failed after the end",
		By:     unit("TestAnErrorAfterTheEndBlocksItsConversation"),
		Marker: "release-stops", New: "",
	},
	{
		Name: "an error after the end counts as an attempt", By: unit("TestAnErrorAfterTheEndIsNoAttempt"),
		Marker: "handler-stopping", Old: "v.engine.Stopping()", New: "false",
	},
	{
		Name: "without Drain what waits is begun after Run", By: unit("TestNoHandlerStartsDuringOrAfterDrain"),
		Marker: "drain-stop", New: "if e.cfg.Drain >= 0 {\n {{.}}\n }",
	},
	{
		Name: "without a link what waits is begun after the end", By: unit("TestNoHandlerStartsDuringOrAfterDrain"),
		Marker: "drain-stop", New: "if l != nil {\n {{.}}\n }",
	},
	{
		Name: "a negative Drain waits like the default", By: unit("TestDrainWithoutALink"),
		Marker: "drain-none", Old: "e.cfg.Drain < 0", New: "e.cfg.Drain = max(e.cfg.Drain, 5*time.Second); false",
	},
	{
		Name: "without a link handlers are not waited for", By: unit("TestDrainWithoutALink"),
		Marker: "drain-handlers", Old: "e.inbox.Idle(), true", New: "e.inbox.Idle(), false",
	},
	{
		Name: "OnReceipt is not waited for", By: unit("TestTheEndWaitsForOnReceipt"),
		Marker: "drain-handlers", Old: "&& d.await(e.receipts.idle(), true)", New: "",
	},
	{
		Name: "requests are taken while Run drains", By: unit("TestNothingIsAcceptedWhileTheLastRepliesArrive"),
		Marker: "drain-refuse", New: "",
	},
	{
		Name: "the last acknowledgements wait for others", By: unit("TestTheEndDrains"),
		Marker: "drain-flush", New: "",
	},
	{
		Name: "sends are not waited for", By: unit("TestTheEndWaitsForSends"),
		Marker: "drain-sends", Old: "&& d.await(e.outbox.Drained(), true)", New: "",
	},
	{
		Name: "sends wait for a link that does not come", By: unit("TestASendAtTheEndWithoutALink"),
		Marker: "drain-lost", New: "",
	},
	{
		Name: "the end of Run looks like a resync to the service", By: unit("TestCloseCodes"),
		Marker: "close-end", Old: "CloseNormalClosure", New: "CloseGoingAway",
	},
	{
		Name: "a resync looks like the end of Run to the service", By: unit("TestCloseCodes"),
		Marker: "close-leave", Old: "CloseGoingAway", New: "CloseNormalClosure",
	},
	{
		Name: "Send does not ask the limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-send", New: "",
	},
	{
		Name: "a batch does not ask the limiter", By: unit("TestBatchCallsTheLimiter"),
		Marker: "limit-batch", Old: "b.c.limit(ctx)", New: "nil",
	},
	{
		Name: "a 429 does not ask the limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-429", Old: "Code(rejection.Code) == CodeTooManyRequests", New: "false",
	},
	{
		Name: "each passing refusal asks the limiter", By: unit("TestSendCallsTheLimiter"),
		Marker: "limit-429", Old: "Code(rejection.Code) == CodeTooManyRequests", New: "true",
	},
	{
		Name: "acknowledgements ask the limiter", By: unit("TestAcknowledgementsBypassTheLimiter"),
		Marker: "limit-ack", New: "_ = c.limit(ctx)\n {{.}}",
	},
	{
		Name: "who waits for the limiter does not notice the end of Run", By: unit("TestTheEndWakesSendsAtTheLimiter"),
		Marker: "limit-over", New: "",
	},
	{
		Name: "a request that was written counts as not sent once nothing can be reached",
		By:   unit("TestAnEncryptedMessageLostBeforeAnOutage"), Marker: "rest-written", New: "",
	},
	{
		Name: "a refusal makes sure of the requests before it", By: in("rest", "TestUnconfirmedBefore"),
		Marker: "rest-unsure", New: "",
	},
	{
		Name: "a transport that tells nothing counts as one that wrote nothing", By: in("rest", "TestWritten"),
		Marker: "rest-untraced", Old: "|| !w.asked.Load()", New: "",
	},
	{
		Name: "a request counts as written before there is a connection", By: in("rest", "TestWritten"),
		Marker: "rest-untraced", New: "return true",
	},
	{
		Name: "a request that was never made counts as written", By: in("rest", "TestWritten"),
		Marker: "rest-ended", Old: "Request: name,", New: "Request: name, Written: true,",
	},
	{
		Name: "each try over HTTP has the same time", By: in("rest", "TestTheTimeOfATryDoubles"),
		Marker: "rest-timeout", New: "",
	},
	{
		Name: "the time of a try over HTTP has no bound", By: in("rest", "TestTheTimeOfATryDoubles"),
		Marker: "rest-timeout", New: "p.timeout *= 2",
	},
	{
		Name: "denials of a gateway count though others came between", By: in("rest", "TestDenials"),
		Marker: "rest-in-a-row", New: "",
	},
	{
		Name: "a request is never given back because of a gateway", By: in("rest", "TestDenials"),
		Marker: "rest-denied", Old: "p.denied >= p.denials", New: "false",
	},
	{
		Name: "the first 401 over HTTP is not signed anew", By: in("rest", "TestTheRetryAfterA401"),
		Marker: "rest-sign", Old: "!p.signed", New: "false",
	},
	{
		Name: "Retry-After over HTTP is ignored", By: unit("TestRetryAfterOverHTTP"),
		Marker: "rest-retry-after", Old: "min(pause, mostPause)", New: "min(pause, 0)",
	},
	{
		Name: "Retry-After over HTTP has no bound", By: unit("TestRetryAfterOverHTTP"),
		Marker: "rest-retry-after", Old: "min(pause, mostPause)", New: "pause",
	},
	{
		Name: "the answer to another HTTP request is taken", By: in("rest", "TestAnswersThatCannotBeUnderstood"),
		Marker: "rest-echo", New: "",
	},
	{
		Name: "encrypted messages keep their room in the outbox", By: unit("TestEncryptedMessagesUseCapacity"),
		Marker: "sealed-release", New: "_ = release",
	},
	{
		Name: "encrypted messages are tried after the end of Run", By: unit("TestAnEncryptedMessageEndsWithRun"),
		Marker: "sealed-over", New: "",
	},
	{
		Name: "the jar of an HTTP client may panic", By: unit("TestAJarThatDoesNotReturn"),
		Marker: "guarded-jar", New: "",
	},
	{
		Name: "a request of a batch may end its goroutine", By: unit("TestAContextThatDoesNotReturn"),
		Marker: "batch-guard", New: "go func() { _ = guard.Call; b.c.send(ctx, r); b.ended <- r }()",
	},
	{
		Name: "the supervisor asks an error of a dialer", By: unit("TestADialersErrorWithMethodsThatBlock"),
		Marker: "connection-asks",
		New:    "var rejected *engine.RejectedError\n ok = errors.As(connection.Err, &rejected)",
	},
	{
		Name:   "a request that a gateway refuses stays as large as it was",
		By:     unit("TestAGatewayThatRejectsOneMessage"),
		Marker: "denied-halves", New: "",
	},
	{
		Name: "messages overtake one that a gateway refuses", By: unit("TestAGatewayAndAServiceThatReject"),
		Marker: "denied-order", New: "",
	},
	{
		Name:   "a message that a gateway refused and then finds no room counts as not sent",
		By:     unit("TestAMessageOfARejectedRequest"),
		Marker: "denied-unconfirmed", Old: "= true", New: "= m.unconfirmed",
	},
	{
		Name: "a quote has the id of a reply", By: unit("TestAQuoteIsNoReply"),
		Marker: "quote-kind", Old: "kindQuote", New: "kindReply",
	},
	{
		Name: "receipts that wait are handled after the end", By: in("engine", "TestReceiptsAreDroppedAtTheEnd"),
		Marker: "receipts-stop", New: "",
	},
	{
		Name: "each receipt has a goroutine", By: in("engine", "TestReceiptsAreHandledInOrderByOneGoroutine"),
		Marker: "receipts-one", Old: "!r.running", New: "true",
	},
	{
		Name: "a session that never worked is tried for ever", By: in("engine", "TestAuthPolicy"),
		Marker: "probe-patience", Old: "now.Sub(p.since) >= patience", New: "false",
	},
	{
		Name: "a session that GET /me accepted counts as one that never worked", By: in("engine", "TestAuthPolicy"),
		Marker: "probe-accepted", New: "",
	},
	{
		Name: "a session that served counts as one that never worked", By: unit("TestA401WithoutAResponseOverHTTP"),
		Marker: "session-served", New: "",
	},
	{
		Name: "GET /me is not asked again by the service's time", By: unit("TestAWrongClockIsCorrected"),
		Marker: "probe-again", Old: "!again", New: "again",
	},
}
