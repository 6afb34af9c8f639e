package mutants

import "slices"

// All has all mutants.
var All = slices.Concat(
	delivery, shares, requests, modes, answers, people, lines, odd, files, pictures, secrets, memory, hostile)

// delivery has the mutants of features that every bot needs, in the order of a message: in, out, and the connection.
var delivery = []Mutant{
	{
		Name: "ids under way are not held", By: in("inbox", "TestDuplicates"),
		Marker: "inbox-duplicate", Old: "b.ids.has(it.id)", New: "false",
	},
	{
		Name: "what does not fit is dropped, and the next one is taken", By: in("inbox", "TestOneLaneClosesAlone"),
		Marker: "lane-close", New: "",
	},
	{
		Name:   "a conversation that let messages go takes later ones",
		By:     in("inbox", "TestALaneThatReleasedMessagesAcceptsNone"),
		Marker: "lane-refuses", Old: "|| l.closed", New: "",
	},
	{
		Name:   "a closed conversation is forgotten with its last message",
		By:     in("inbox", "TestAClosedLaneStaysClosedWhenItIsEmpty"),
		Marker: "lane-gone", Old: "|| closed", New: "|| closed && false",
	},
	{
		Name: "one conversation closes the inbox for all", By: in("inbox", "TestOneLaneClosesAlone"),
		Marker: "close-all", Old: "!large && b.inLanes < b.used/2", New: "true",
	},
	{
		Name: "a closed conversation is never due", By: in("inbox", "TestAClosedLaneIsDueAtHalfOfItsSize"),
		Marker: "lane-due", New: "",
	},
	{
		Name: "a full inbox is never due", By: in("inbox", "TestTheWholeBoxIsDueHalfEmpty"),
		Marker: "whole-due", Old: "b.used <= min(c.most, b.cfg.Bytes)/2", New: "false",
	},
	{
		Name: "receipts wait without a bound", By: in("engine", "TestReceiptsAreBounded"),
		Marker: "receipts-bound", Old: "r.queue.Len() >= receiptsLen", New: "false",
	},
	{
		Name: "no receipt is handled after one that called Goexit", By: in("engine", "TestAReceiptMayEndItsGoroutine"),
		Marker: "receipts-replace", New: "",
	},
	{
		Name:   "waiting conversations are logged at each attempt",
		By:     unit("TestWaitingConversationsAreLoggedOnceAMinute"),
		Marker: "waiting-log", Old: "last != 0 &&", New: "false &&",
	},
	{
		Name:   "a message that failed goes behind the rest of its conversation",
		By:     in("inbox", "TestRetryBacksOffWithoutAWorker"),
		Marker: "lane-park", New: "l.items.Push(l.items.Pop())\n {{.}}",
	},
	{
		Name:   "ids that the user acknowledged stay in the order of all",
		By:     in("inbox", "TestManualIDsLeaveFewEntries"),
		Marker: "manual-tidy", Old: "s.order.Len() <= 2*s.manual+few", New: "true",
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
		Name: "a panic is not recovered from", By: unit("TestAPanicIsAnErrorWithItsStack"),
		Marker: "handler-panic", Old: "recover()", New: "any(nil)",
	},
	{
		Name: "a worker that called Goexit is not replaced", By: fault(45),
		Marker: "worker-replace", New: "",
	},
	{
		Name: "acknowledged before the handler", By: soak,
		Marker: "ack-received", Old: "v.cfg.Ack == AckReceived", New: "true",
	},
	{
		Name: "a failed message is acknowledged at once", By: unit("TestAttemptsAreFurtherAndFurtherApart"),
		Marker: "handler-retry", New: "e.acks.add(d.MessageID)\n {{.}}",
	},
	{
		Name: "the ledger is not asked", By: unit("TestAMessageInTheLedgerIsAcknowledgedAtOnce"),
		Marker: "ledger-known", Old: "attempt > 1", New: "attempt > 0",
	},
	{
		Name: "handled messages are not recorded", By: unit("TestTheDefaultLedgerRemembersWhatThisProcessHandled"),
		Marker: "ledger-record", New: "",
	},
	{
		Name:   "acknowledgements are forgotten with the connection",
		By:     unit("TestAnAckLostWithItsConnectionIsConfirmedOnTheNext"),
		Marker: "outbox-down", Old: "e.Class == List", New: "{{.}} || e.Class == Ack",
	},
	{
		Name: "acknowledgements wait for a full frame", By: unit("TestNoAckBeforeTheHandlerReturned"),
		Marker: "ack-interval", New: "",
	},
	{
		Name: "refused plural acknowledgements are forgotten", By: unit("TestAServerWithoutPluralAcks"),
		Marker: "ack-parts", New: "",
	},
	{
		Name:   "plural actions are used although the server has none",
		By:     in("engine", "TestPluralIsSuspendedAfterASplit"),
		Marker: "ack-unusable", Old: "min(b.Plural<<min(p.failed, 16), b.MaxPlural)", New: "0",
	},
	{
		Name: "the count of what a reply has said is kept over attempts", By: unit("TestRepliesHaveIDsOfTheirOwn"),
		Marker: "reply-id", Old: "a.ordinal", New: "m.Attempt-1+{{.}}",
	},
	{
		Name: "replies get random ids", By: unit("TestRepliesHaveIDsOfTheirOwn"),
		Marker: "reply-id", Old: "strconv.Itoa(a.ordinal)",
		New: "strconv.Itoa(a.ordinal), uuid.Must(uuid.NewV4()).String()",
	},
	{
		Name: "a reply without an answer is repeated under another id", By: unit("TestAReplyRepeatedInOneAttempt"),
		Marker: "reply-again", Old: "mayRepeat", New: "false",
	},
	{
		Name: "a confirmed reply is written again", By: unit("TestAConfirmedReplyIsNotWrittenAgain"),
		Marker: "reply-confirmed", Old: "end == stored", New: "false",
	},
	{
		Name: "an attempt does not know the replies of those before", By: unit("TestAConfirmedReplyIsNotWrittenAgain"),
		Marker: "reply-attempts", New: "",
	},
	{
		Name: "a 403 is final for a reply that had no answer", By: unit("TestARejectedReplyThatMayBeStored"),
		Marker: "reply-forbidden", Old: "end == unanswered", New: "false",
	},
	{
		Name:   "a 403 is final for a reply that a former process may have sent",
		By:     unit("TestARejectedReplyThatMayBeStored"),
		Marker: "reply-forbidden", Old: "m.Backlog", New: "false",
	},
	{
		Name: "another message id on another try", By: soak,
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
		Name: "another message id outside of a refused batch", By: unit("TestBatchWithoutPluralAction"),
		Marker: "batch-singly",
		New:    "{{.}}\n other := m.messageParams\n other.MessageID, _ = wire.NewID()\n parts[i].Params = &other",
	},
	{
		Name: "a message without an answer counts as not stored", By: in("outbox", "TestContextEndsInEachState"),
		Marker: "outcome-unsure", Old: "e.unconfirmed ||", New: "",
	},
	{
		Name: "a written message that is given up counts as not stored", By: in("outbox", "TestContextEndsInEachState"),
		Marker: "outcome-unsure", Old: "|| e.state == written", New: "",
	},
	{
		Name: "two frames of one conversation are under way", By: unit("TestBatchPipelinesConversations"),
		Marker: "batch-thread", New: `{{.}}
			if len(t.items) > 0 {
				b.enqueue(&lane{items: t.items})
				t.items = nil
			}`,
	},
	{
		Name: "a refused frame of a batch loses all its messages", By: unit("TestBatchRejectedOnceConfirmed"),
		Marker: "batch-split", Old: "Split: func() []engine.Part { return singly(items) },", New: "",
	},
	{
		Name: "one message id is sent twice in a batch", By: unit("TestBatchRejectsDuplicateMessageIDs"),
		Marker: "batch-given-id", Old: "given[id]", New: "false",
	},
	{
		Name:   "what a slow limiter lets through waits for a full request",
		By:     unit("TestBatchSendsAtOnceAfterTheLimiter"),
		Marker: "batch-linger", Old: "batchLinger-", New: "time.Hour-",
	},
	{
		Name: "encrypted messages take no room in the outbox", By: unit("TestTheEndWaitsForEncryptedMessages"),
		Marker: "sealed-hold", Old: "c.engine.Hold(ctx, sizeOf(items))", New: "func() {}, c.engine.Over().Err()",
	},
	{
		Name:   "encrypted messages are packed by what they are expected to take",
		By:     unit("TestEncryptedRequestsOfManySessions"),
		Marker: "sealed-size", Old: "> batchBytes", New: "> 10*batchBytes",
	},
	{
		Name: "a refused encrypted message takes others with it", By: unit("TestAnEncryptedMessageIsRejectedAlone"),
		Marker: "sealed-singly", Old: "mayBeOfOne(rejection)", New: "false",
	},
	{
		Name:   "a second 401 over HTTP is final for an encrypted message",
		By:     unit("TestAnEncryptedMessageOutlivesAnOutage"),
		Marker: "rest-401", Old: "p.endless", New: "false",
	},
	{
		Name:   "an outage of the HTTP API uses up the attempts of an encrypted message",
		By:     unit("TestAnEncryptedMessageOutlivesAnOutage"),
		Marker: "rest-silent", Old: "p.endless ||", New: "",
	},
	{
		Name: "a gateway's answer counts as the service's", By: unit("TestAnOutageIsNoReasonToDropAMessage"),
		Marker: "rest-gateway",
		New:    "return &Error{Request: name, Rejection: &wire.Error{Status: status, Code: status}}",
	},
	{
		Name: "an error without code and status is a gateway's, whatever HTTP reports", By: in("rest", "TestRefusals"),
		Marker: "rest-codeless", Old: "&& !succeeds(status)", New: "",
	},
	{
		Name: "a 429 over HTTP does not ask the limiter", By: unit("TestTheLimiterAfterA429OverHTTP"),
		Marker: "rest-pace", Old: "r.Pace != nil", New: "false",
	},
	{
		Name: "a passing refusal is final", By: unit("TestSendRejectedAsTransient"),
		Marker: "temporary-codes", New: "return false",
	},
	{
		Name: "a reply is matched by action before id", By: fault(40),
		Marker: "answer-by-id", New: `
	if f.Action == wire.ActionCreateMessage {
		e.push(f)
		return nil
	}
	{{.}}`,
	},
	{
		Name: "nothing is listed on a new connection", By: unit("TestALostLinkIsReplaced"),
		Marker: "list-pending", New: "_ = e.list",
	},
	{
		Name: "backoff begins anew with each handshake", By: fault(53),
		Marker: "backoff-lived", Old: "end.lived", New: "time.Hour",
	},
	{
		Name: "no jitter", By: fault(54),
		Marker: "backoff-jitter", New: "_ = rand.N[time.Duration]\n return bound",
	},
	{
		Name: "Retry-After is ignored", By: fault(9),
		Marker: "retry-after", New: "",
	},
	{
		Name: "the server's clock is ignored", By: fault(55),
		Marker: "clock-offset", New: "",
	},
	{
		Name: "a refused key is tried for ever", By: fault(6),
		Marker: "key-refused", New: "",
	},
	{
		Name: "the first refusal of a key is the last", By: fault(7),
		Marker: "key-refused", Old: "probed.Answer == ProbeRejected", New: "true",
	},
	{
		Name:   "a session that GET /me accepted once is tried for ever",
		By:     unit("TestASessionThatEndedAfterATransient401"),
		Marker: "key-refused", Old: "probed.Answer == ProbeRejected", New: "{{.}} && p.reported.IsZero()",
	},
	{
		Name: "a session that worked is given up when GET /me is silent", By: unit("TestA401WithoutAResponseOverHTTP"),
		Marker: "session-worked", New: "",
	},
	{
		Name: "each refusal of a valid session is reported", By: unit("TestA401OfASessionThatTheHTTPAPIAccepts"),
		Marker: "alarm-interval", New: "",
	},
	{
		Name: "a 401 to a request ends the link", By: unit("TestA401ToARequestIsItsError"),
		Marker: "request-401", New: "",
	},
	{
		Name: "a message is given up after a 401", By: unit("TestAHandlerIsRetriedAfterA401"),
		Marker: "handler-401", Old: "!errors.Is(err, CodeUnauthorized) &&", New: "",
	},
	{
		Name: "10006 over HTTP changes nothing", By: unit("TestOutdatedOverHTTP"),
		Marker: "outdated-http", New: "",
	},
	{
		Name: "each endpoint waits for its turn", By: unit("TestTheNextEndpointIsReachedAtOnce"),
		Marker: "next-endpoint", New: "",
	},
	{
		Name: "a ping may be unanswered for ever", By: in("link", "TestAPingThatIsNotAnsweredEndsTheLink"),
		Marker: "pong-deadline", New: "_ = first\n return false",
	},
	{
		Name: "a slow line never gets more patience", By: unit("TestRepliesBehindPushes"),
		Marker: "pong-doubles", New: "p.first = b.Pong",
	},
	{
		Name: "patience with a list does not grow", By: unit("TestAListThatIsNeverAnswered"),
		Marker: "list-overdue", New: "",
	},
	{
		Name: "conversations that only fail replace the link each second", By: in("engine", "TestResyncs"),
		Marker: "resync-step", New: "",
	},
	{
		Name: "a dead connection is not noticed", By: fault(15),
		Marker: "read-deadline", Old: "time.Now().Add(patience)", New: "time.Time{}",
	},
	{
		Name: "a cancelled handshake is waited for", By: fault(51),
		Marker: "handshake-cancel", Old: "_ = c.Close()", New: "",
	},
	{
		Name: "a wake-up from suspend is not noticed", By: fault(56),
		Marker: "clock-jump", Old: "return", New: "return false &&",
	},
	{
		Name: "frames are inflated without a limit", By: fault(23),
		Marker: "inflate-limit", Old: ", MaxInflated", New: "",
	},
	{
		Name: "compression that was not asked for is accepted", By: fault(12),
		Marker: "compression-check", New: "return nil",
	},
	{
		Name:   "frames are handed on in the order in which they are inflated",
		By:     in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "unit-order", New: "",
	},
	{
		Name:   "a message that is read in two parts loses the first",
		By:     in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "unit-message", New: "",
	},
	{
		Name: "a unit is used again before it was handed on", By: in("link", "TestManyFramesAtOnceKeepTheirOrder"),
		Marker: "unit-give-back", New: "u.giveBack()\n {{.}}\n return",
	},
	{
		Name: "a session starts again while it is offline", By: in("engine", "TestASessionStartsOnce"),
		Marker: "start-once", Old: "!= idle", New: "{{.}} && l.phase != offline",
	},
	{
		Name: "a handler's error is asked outside of the guard", By: unit("TestErrorsWithMethodsThatFail"),
		Marker: "judge-guard", New: `
	o = outcome{err: err, declined: errors.Is(err, ErrNotHandled), permanent: permanent(err), text: err.Error()}
	done(o)`,
	},
	{
		Name: "a dropped message is acknowledged before Dropped has returned",
		By:   unit("TestDroppedReturnsBeforeTheAcknowledgement"), Marker: "dropped-first", New: "go {{.}}",
	},
	{
		Name: "what waits for the hooks is not bounded", By: unit("TestTheQueueOfABlockedHookIsBounded"),
		Marker: "hooks-dropped", New: "",
	},
	{
		Name: "the hooks end with one that called Goexit", By: unit("TestAQueuedHookThatFailsIsCalledAgain"),
		Marker: "hooks-replace", New: "",
	},
	{
		Name: "Run does not wait for the log", By: unit("TestTheEndWaitsForTheLog"),
		Marker: "hooks-end", New: "_ = since",
	},
	{
		Name: "frames do not wait for Connected", By: unit("TestConnectedComesBeforeTheFirstFrameRead"),
		Marker: "connected-first", New: "",
	},
	{
		Name: "sends wait for all acknowledgements", By: unit("TestASendDoesNotWaitBehindAcknowledgements"),
		Marker: "class-order", Old: "r.acked", New: "false",
	},
	{
		Name: "silence counts while nothing else is answered", By: in("outbox", "TestSilenceOfAllIsNoAttempt"),
		Marker: "silence-others", Old: "pong ||", New: "true || pong ||",
	},
	{
		Name: "the reply timeout does not double", By: in("outbox", "TestTimeoutsDouble"),
		Marker: "reply-doubles", New: "",
	},
	{
		Name: "a list that is refused for now is written again", By: in("outbox", "TestAListIsWrittenOnce"),
		Marker: "list-once", Old: "&& e.Class != List", New: "",
	},
	{
		Name: "the parts of a conversation are written at once", By: in("outbox", "TestARejectedRequestIsSplit"),
		Marker: "split-order", Old: `p.Order == ""`, New: "true",
	},
	{
		Name: "a late confirmation of what was split is ignored", By: in("outbox", "TestTheWholeIsConfirmedAfterAll"),
		Marker: "split-late", New: "",
	},
	{
		Name: "a suspect is not written alone", By: in("outbox", "TestTheTurnOfASuspect"),
		Marker: "suspect-alone", New: "alone := true",
	},
	{
		Name:   "a suspect is written before those that wait",
		By:     in("outbox", "TestAPoisonedRequestDoesNotStarveTheOthers"),
		Marker: "suspect-last", New: "",
	},
	{
		Name: "a link on which nothing was answered blames", By: in("outbox", "TestAnHourOfAcceptAndClose"),
		Marker: "blame-answered", Old: "l.listed && !l.answered", New: "false",
	},
	{
		Name: "a link that is replaced on purpose blames", By: in("outbox", "TestAReplacedLinkBlamesNoRequest"),
		Marker: "blame-answered", Old: "l.quiet.paused ||", New: "",
	},
	{
		Name: "no request becomes a suspect", By: in("outbox", "TestAPoisonedRequestDoesNotStarveTheOthers"),
		Marker: "blame-links", Old: "e.blame.links < suspectAfter", New: "true",
	},
	{
		Name:   "a suspect is given up for links lost before it was alone",
		By:     in("outbox", "TestASuspectEndsAfterLinksLostAlone"),
		Marker: "blame-alone", Old: "if alone", New: "if true",
	},
	{
		Name: "sends wait for ever where Run ends just before a resync", By: unit("TestTheEndBeforeAResync"),
		Marker: "quiet-resume", New: "",
	},
	{
		Name:   "sends are written on a connection that is to be replaced",
		By:     in("outbox", "TestQuiesceLetsNoSendBeWritten"),
		Marker: "quiesce-sends", Old: "|| class == Send && paused", New: "",
	},
	{
		Name: "a Limiter that panics keeps its room", By: in("outbox", "TestAPaceThatDoesNotReturn"),
		Marker: "pace-returns", Old: "!returned", New: "{{.}} && false",
	},
}
