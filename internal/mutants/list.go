package mutants

import "slices"

// All has all mutants.
var All = slices.Concat(
	delivery, released, requests, options, replies, diagnostics, connections, malformed, files, pictures, secrets,
	memory, hostile, bots, fileLedger, people, dialogs, jobs)

// delivery has the mutants of features that every bot needs, in the order of a message: in, out, and the connection.
var delivery = []Mutant{
	{
		Name: "a message in flight is accepted again", By: in("inbox", "TestDuplicates"),
		Marker: "inbox-duplicate", Old: "b.ids.has(it.id)", New: "false",
	},
	{
		Name: "a conversation stays open after a message that does not fit", By: in("inbox", "TestOneLaneClosesAlone"),
		Marker: "lane-close", New: "",
	},
	{
		Name:   "a conversation that released messages accepts later ones",
		By:     in("inbox", "TestALaneThatReleasedMessagesAcceptsNone"),
		Marker: "lane-rejects", Old: "|| l.closed", New: "",
	},
	{
		Name:   "a closed conversation reopens when it is empty",
		By:     in("inbox", "TestAClosedLaneStaysClosedWhenItIsEmpty"),
		Marker: "lane-empty", Old: "|| closed", New: "|| closed && false",
	},
	{
		Name: "one full conversation closes the whole inbox", By: in("inbox", "TestOneLaneClosesAlone"),
		Marker: "close-all", Old: "!large && b.inLanes < b.used/2", New: "true",
	},
	{
		Name: "a closed conversation is never due for a resync", By: in("inbox", "TestAClosedLaneIsDueAtHalfOfItsSize"),
		Marker: "lane-due", New: "",
	},
	{
		Name: "a full inbox is never due for a resync", By: in("inbox", "TestTheWholeBoxIsDueHalfEmpty"),
		Marker: "whole-due", Old: "b.used <= min(c.most, b.cfg.Bytes)/2", New: "false",
	},
	{
		Name: "receipts are queued without a limit", By: in("engine", "TestReceiptsAreBounded"),
		Marker: "receipts-bound", Old: "r.queue.Len() >= receiptsLen", New: "false",
	},
	{
		Name: "receipts stop after a handler calls Goexit", By: in("engine", "TestAReceiptMayEndItsGoroutine"),
		Marker: "receipts-replace", New: "",
	},
	{
		Name:   "waiting conversations are logged at each attempt",
		By:     unit("TestWaitingConversationsAreLoggedOnceAMinute"),
		Marker: "waiting-log", Old: "last != 0 &&", New: "false &&",
	},
	{
		Name:   "a failed message moves behind the rest of its conversation",
		By:     in("inbox", "TestRetryBacksOffWithoutAWorker"),
		Marker: "lane-backoff", New: "l.items.Push(l.items.Pop())\n {{.}}",
	},
	{
		Name: "the list of acknowledged ids grows without a limit", By: in("inbox", "TestManualIDsLeaveFewEntries"),
		Marker: "manual-compact", Old: "s.order.Len() <= 2*s.manual+few", New: "true",
	},
	{
		Name: "a conversation is handled by two workers", By: soak,
		Marker: "lane-ready", New: `
	if last := l.items.Len() - 1; last > 0 {
		it := l.items.All()[last]
		l.items.Keep(last)
		l = &lane[M]{key: key}
		b.lanes[key] = l
		l.items.Push(it)
	}
	b.ready.push(l)
	b.hire()`,
	},
	{
		Name: "a panic in a handler is not recovered", By: unit("TestAPanicIsAnErrorWithItsStack"),
		Marker: "handler-panic", Old: "recover()", New: "any(nil)",
	},
	{
		Name: "a worker that called Goexit is not replaced", By: fault(45),
		Marker: "worker-replace", New: "",
	},
	{
		Name: "a message is acknowledged before its handler returned", By: soak,
		Marker: "ack-received", Old: "v.cfg.Ack == AckReceived", New: "true",
	},
	{
		Name: "a failed message is acknowledged", By: unit("TestAttemptsAreFurtherAndFurtherApart"),
		Marker: "handler-retry", New: "e.acks.add(d.MessageID)\n {{.}}",
	},
	{
		Name: "the Ledger is not consulted", By: unit("TestAMessageInTheLedgerIsAcknowledgedAtOnce"),
		Marker: "ledger-known", Old: "attempt > 1", New: "attempt > 0",
	},
	{
		Name:   "handled messages are not recorded in the Ledger",
		By:     unit("TestTheDefaultLedgerRemembersWhatThisProcessHandled"),
		Marker: "ledger-record", New: "",
	},
	{
		Name:   "acknowledgements are lost with their link",
		By:     unit("TestAnAckLostWithItsConnectionIsConfirmedOnTheNext"),
		Marker: "outbox-down", Old: "e.Class == List", New: "{{.}} || e.Class == Ack",
	},
	{
		Name: "acknowledgements wait for a full frame", By: unit("TestNoAckBeforeTheHandlerReturned"),
		Marker: "ack-interval", New: "",
	},
	{
		Name: "the replies to a split acknowledgement are ignored", By: unit("TestAServerWithoutPluralAcks"),
		Marker: "ack-parts", New: "",
	},
	{
		Name: "a rejected plural action is written again at once", By: in("engine", "TestPluralIsSuspendedAfterASplit"),
		Marker: "ack-unusable", Old: "min(b.Plural<<min(p.failed, 16), b.MaxPlural)", New: "0",
	},
	{
		Name: "the reply counter is not reset between attempts", By: unit("TestRepliesHaveIDsOfTheirOwn"),
		Marker: "reply-id", Old: "a.ordinal", New: "m.Attempt-1+{{.}}",
	},
	{
		Name: "replies get random ids", By: unit("TestRepliesHaveIDsOfTheirOwn"),
		Marker: "reply-id", Old: "strconv.Itoa(a.ordinal)",
		New: "strconv.Itoa(a.ordinal), uuid.Must(uuid.NewV4()).String()",
	},
	{
		Name: "an unconfirmed reply is repeated under another id", By: unit("TestAReplyRepeatedInOneAttempt"),
		Marker: "reply-unconfirmed", Old: "mayRepeat", New: "false",
	},
	{
		Name: "a confirmed reply is written again", By: unit("TestAConfirmedReplyIsNotWrittenAgain"),
		Marker: "reply-confirmed", Old: "end == stored", New: "false",
	},
	{
		Name: "an attempt ignores the replies of earlier attempts", By: unit("TestAConfirmedReplyIsNotWrittenAgain"),
		Marker: "reply-attempts", New: "",
	},
	{
		Name: "a 403 is final for an unconfirmed reply", By: unit("TestARejectedReplyThatMayBeStored"),
		Marker: "reply-forbidden", Old: "end == unanswered", New: "false",
	},
	{
		Name:   "a 403 is final for a reply that an earlier process may have sent",
		By:     unit("TestARejectedReplyThatMayBeStored"),
		Marker: "reply-forbidden", Old: "m.Backlog", New: "false",
	},
	{
		Name: "each attempt of a send has another message id", By: soak,
		Marker: "send-do", New: `
		var o outbox.Outcome
		for again := true; again; {
			try, stop := context.WithTimeout(ctx, c.cfg.ReplyTimeout)
			o = c.do(try, engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams})
			stop()
			if again = ctx.Err() == nil && errors.Is(o.Err, context.DeadlineExceeded); again {
				d.MessageID, _ = wire.NewID()
			}
		}`,
	},
	{
		Name: "messages split from a rejected batch get other ids", By: unit("TestBatchWithoutPluralAction"),
		Marker: "batch-singly",
		New:    "{{.}}\n other := m.messageParams\n other.MessageID, _ = wire.NewID()\n parts[i].Params = &other",
	},
	{
		Name: "an unconfirmed message counts as not stored", By: in("outbox", "TestContextEndsInEachState"),
		Marker: "outcome-unconfirmed", Old: "e.unconfirmed ||", New: "",
	},
	{
		Name:   "a written message counts as not stored when its context ends",
		By:     in("outbox", "TestContextEndsInEachState"),
		Marker: "outcome-unconfirmed", Old: "|| e.state == written", New: "",
	},
	{
		Name: "two frames of one conversation are in flight", By: unit("TestBatchPipelinesConversations"),
		Marker: "batch-lane", New: `{{.}}
			if len(t.items) > 0 {
				b.enqueue(&lane{items: t.items})
				t.items = nil
			}`,
	},
	{
		Name: "a rejected frame of a batch is not split", By: unit("TestBatchRejectedOnceConfirmed"),
		Marker: "batch-split", Old: "Split: func() []engine.Part { return singly(items) },", New: "",
	},
	{
		Name: "a batch accepts a message id twice", By: unit("TestBatchRejectsDuplicateMessageIDs"),
		Marker: "batch-given-id", Old: "given[id]", New: "false",
	},
	{
		Name: "a batch waits for a full request after a slow Limiter", By: unit("TestBatchSendsAtOnceAfterTheLimiter"),
		Marker: "batch-linger", Old: "batchLinger-", New: "time.Hour-",
	},
	{
		Name: "encrypted messages use no capacity of the outbox", By: unit("TestTheEndWaitsForEncryptedMessages"),
		Marker: "encrypted-hold", Old: "c.engine.Hold(ctx, sizeOf(items))", New: "func() {}, c.engine.Over().Err()",
	},
	{
		Name: "an encrypted request exceeds its maximum size", By: unit("TestEncryptedRequestsOfManySessions"),
		Marker: "encrypted-size", Old: "> batchBytes", New: "> 10*batchBytes",
	},
	{
		Name:   "one rejected message fails its whole encrypted request",
		By:     unit("TestAnEncryptedMessageIsRejectedAlone"),
		Marker: "encrypted-singly", Old: "mayBeOfOne(rejection)", New: "false",
	},
	{
		Name:   "a second 401 over HTTP is final for an encrypted message",
		By:     unit("TestAnEncryptedMessageOutlivesAnOutage"),
		Marker: "rest-401", Old: "p.endless", New: "false",
	},
	{
		Name:   "an outage of the HTTP API uses attempts of an encrypted message",
		By:     unit("TestAnEncryptedMessageOutlivesAnOutage"),
		Marker: "rest-outage", Old: "p.endless ||", New: "",
	},
	{
		Name: "a gateway's response counts as the service's", By: unit("TestAnOutageIsNoReasonToDropAMessage"),
		Marker: "rest-gateway",
		New:    "return &Error{Request: name, Rejection: &wire.Error{Status: status, Code: status}}",
	},
	{
		Name: "an error without code and status never counts as the service's", By: in("rest", "TestRefusals"),
		Marker: "rest-codeless", Old: "&& !succeeds(status)", New: "",
	},
	{
		Name: "a 429 over HTTP does not call the Limiter", By: unit("TestTheLimiterAfterA429OverHTTP"),
		Marker: "rest-limiter", Old: "r.Pace != nil", New: "false",
	},
	{
		Name: "a transient rejection is final", By: unit("TestSendRejectedAsTransient"),
		Marker: "temporary-codes", New: "return false",
	},
	{
		Name: "a reply is matched by its action before its id", By: fault(40),
		Marker: "reply-by-id", New: `
	if f.Action == wire.ActionCreateMessage {
		e.push(f)
		return nil
	}
	{{.}}`,
	},
	{
		Name: "pending messages are not listed on a new link", By: unit("TestALostLinkIsReplaced"),
		Marker: "list-pending", New: "_ = e.list",
	},
	{
		Name: "each handshake resets the backoff", By: fault(53),
		Marker: "backoff-lived", Old: "end.lived", New: "time.Hour",
	},
	{
		Name: "the backoff has no jitter", By: fault(54),
		Marker: "backoff-jitter", New: "_ = rand.N[time.Duration]\n return bound",
	},
	{
		Name: "Retry-After at the handshake is ignored", By: fault(9),
		Marker: "retry-after", New: "",
	},
	{
		Name: "the clock offset is not applied", By: fault(55),
		Marker: "clock-offset", New: "",
	},
	{
		Name: "a rejected session is retried forever", By: fault(6),
		Marker: "key-rejected", New: "",
	},
	{
		Name: "the first rejection of a session is final", By: fault(7),
		Marker: "key-rejected", Old: "probed.Answer == ProbeRejected", New: "true",
	},
	{
		Name:   "a session that GET /me accepted once is retried forever",
		By:     unit("TestASessionThatEndedAfterATransient401"),
		Marker: "key-rejected", Old: "probed.Answer == ProbeRejected", New: "{{.}} && p.reported.IsZero()",
	},
	{
		Name: "a session that worked ends when GET /me does not respond", By: unit("TestA401WithoutAResponseOverHTTP"),
		Marker: "session-worked", New: "",
	},
	{
		Name: "each rejection of a valid session is reported", By: unit("TestA401OfASessionThatTheHTTPAPIAccepts"),
		Marker: "alarm-interval", New: "",
	},
	{
		Name: "a 401 to a request ends the link", By: unit("TestA401ToARequestIsItsError"),
		Marker: "request-401", New: "",
	},
	{
		Name: "a message is dropped after a 401", By: unit("TestAHandlerIsRetriedAfterA401"),
		Marker: "handler-401", Old: "!errors.Is(err, CodeUnauthorized) &&", New: "",
	},
	{
		Name: "an update-required error (10006) over HTTP is ignored", By: unit("TestOutdatedOverHTTP"),
		Marker: "outdated-http", New: "",
	},
	{
		Name: "the next endpoint is tried only after a backoff", By: unit("TestTheNextEndpointIsReachedAtOnce"),
		Marker: "next-endpoint", New: "",
	},
	{
		Name: "an unanswered ping does not end the link", By: in("link", "TestAPingThatIsNotAnsweredEndsTheLink"),
		Marker: "pong-deadline", New: "_ = first\n return false",
	},
	{
		Name: "the pong timeout does not grow on a slow link", By: unit("TestRepliesBehindPushes"),
		Marker: "pong-doubles", New: "p.first = b.Pong",
	},
	{
		Name: "the list timeout does not grow", By: unit("TestAListThatIsNeverAnswered"),
		Marker: "list-overdue", New: "",
	},
	{
		Name: "resyncs for failing conversations do not back off", By: in("engine", "TestResyncs"),
		Marker: "resync-step", New: "",
	},
	{
		Name: "a dead connection is not detected", By: fault(15),
		Marker: "read-deadline", Old: "time.Now().Add(patience)", New: "time.Time{}",
	},
	{
		Name: "a cancelled handshake is not interrupted", By: fault(51),
		Marker: "handshake-cancel", Old: "_ = c.Close()", New: "",
	},
	{
		Name: "a suspend of the machine is not detected", By: fault(56),
		Marker: "clock-jump", Old: "return", New: "return false &&",
	},
	{
		Name: "frames are inflated without a size limit", By: fault(23),
		Marker: "inflate-limit", Old: ", MaxInflated", New: "",
	},
	{
		Name: "compression that was not negotiated is accepted", By: fault(12),
		Marker: "compression-check", New: "return nil",
	},
	{
		Name:   "frames are delivered in the order of their inflation",
		By:     in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "chunk-order", New: "",
	},
	{
		Name: "a message read in two chunks loses its first part", By: in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "chunk-message", New: "",
	},
	{
		Name: "a chunk is reused before it was delivered", By: in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "chunk-reuse", New: "u.giveBack()\n {{.}}\n return",
	},
	{
		Name: "a session starts again while offline", By: in("engine", "TestASessionStartsOnce"),
		Marker: "start-once", Old: "!= idle", New: "{{.}} && l.phase != offline",
	},
	{
		Name: "a handler's error is inspected outside the guard", By: unit("TestErrorsWithMethodsThatFail"),
		Marker: "outcome-guard", New: `
	o = outcome{err: err, declined: errors.Is(err, ErrNotHandled), permanent: permanent(err), text: err.Error()}
	done(o)`,
	},
	{
		Name: "a dropped message is acknowledged before Trace.Dropped returned",
		By:   unit("TestDroppedReturnsBeforeTheAcknowledgement"), Marker: "dropped-first", New: "go {{.}}",
	},
	{
		Name: "calls of hooks are queued without a limit", By: unit("TestTheQueueOfABlockedHookIsBounded"),
		Marker: "hooks-dropped", New: "",
	},
	{
		Name: "hooks stop after one calls Goexit", By: unit("TestAQueuedHookThatFailsIsCalledAgain"),
		Marker: "hooks-replace", New: "",
	},
	{
		Name: "Run returns before the log is written", By: unit("TestTheEndWaitsForTheLog"),
		Marker: "hooks-end", New: "_ = since",
	},
	{
		Name: "frames are read before Trace.Connected returned", By: unit("TestConnectedComesBeforeTheFirstFrameRead"),
		Marker: "connected-first", New: "",
	},
	{
		Name: "sends wait for all acknowledgements", By: unit("TestASendDoesNotWaitBehindAcknowledgements"),
		Marker: "class-order", Old: "r.acked", New: "false",
	},
	{
		Name:   "a timeout counts as an attempt while nothing else is answered",
		By:     in("outbox", "TestSilenceOfAllIsNoAttempt"),
		Marker: "overdue-others", Old: "pong ||", New: "true || pong ||",
	},
	{
		Name: "the reply timeout does not double", By: in("outbox", "TestTimeoutsDouble"),
		Marker: "reply-doubles", New: "",
	},
	{
		Name: "a transiently rejected list is written again", By: in("outbox", "TestAListIsWrittenOnce"),
		Marker: "list-once", Old: "&& e.Class != List", New: "",
	},
	{
		Name: "parts of one conversation are written concurrently", By: in("outbox", "TestARejectedRequestIsSplit"),
		Marker: "split-order", Old: `p.Order == ""`, New: "true",
	},
	{
		Name: "a late confirmation of a split request is ignored", By: in("outbox", "TestTheWholeIsConfirmedAfterAll"),
		Marker: "split-late", New: "",
	},
	{
		Name: "a suspect request is not written alone", By: in("outbox", "TestTheTurnOfASuspect"),
		Marker: "suspect-alone", New: "alone := true",
	},
	{
		Name:   "a suspect request is written before the others",
		By:     in("outbox", "TestAPoisonedRequestDoesNotStarveTheOthers"),
		Marker: "suspect-last", New: "",
	},
	{
		Name: "a request is blamed for a lost link without any reply", By: in("outbox", "TestAnHourOfAcceptAndClose"),
		Marker: "blame-answered", Old: "l.listed && !l.answered", New: "false",
	},
	{
		Name:   "a request is blamed for a link replaced by a resync",
		By:     in("outbox", "TestAReplacedLinkBlamesNoRequest"),
		Marker: "blame-answered", Old: "l.quiet.paused ||", New: "",
	},
	{
		Name: "no request becomes a suspect", By: in("outbox", "TestAPoisonedRequestDoesNotStarveTheOthers"),
		Marker: "blame-links", Old: "e.blame.links < suspectAfter", New: "true",
	},
	{
		Name:   "a suspect ends for links lost with others in flight",
		By:     in("outbox", "TestASuspectEndsAfterLinksLostAlone"),
		Marker: "blame-alone", Old: "if alone", New: "if true",
	},
	{
		Name: "sends wait forever when Run ends before a resync", By: unit("TestTheEndBeforeAResync"),
		Marker: "quiesce-ends", New: "",
	},
	{
		Name: "sends are written on a link about to be replaced", By: in("outbox", "TestQuiesceLetsNoSendBeWritten"),
		Marker: "quiesce-sends", Old: "|| class == Send && paused", New: "",
	},
	{
		Name: "a Limiter that panics keeps its request's capacity", By: in("outbox", "TestAPaceThatDoesNotReturn"),
		Marker: "limiter-panic", Old: "!returned", New: "{{.}} && false",
	},
}
