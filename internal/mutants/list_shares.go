package mutants

// shares has the mutants of messages that fail or do not fit, and of those dropped at the end of Run.
var shares = []Mutant{
	{
		Name: "a message that fails gives way to nobody", By: in("inbox", "TestFailingMessagesAreReleased"),
		Marker: "heads-give", Old: "c == nil", New: "false",
	},
	{
		Name:   "a message that fails gives way although the server does not push it again",
		By:     in("inbox", "TestAcknowledgedFailingMessagesStay"),
		Marker: "acked-stays", Old: "l.verdict.Acked ||", New: "",
	},
	{
		Name: "a message that gave way is tried anew without end", By: in("inbox", "TestFailingMessagesAreReleased"),
		Marker: "away-count", Old: "tried: l.head().attempt", New: "tried: 0",
	},
	{
		Name: "any number of messages that gave way is remembered",
		By:   in("inbox", "TestReleasedMessagesAreBounded"), Marker: "away-bound", Old: "len(a) < maxReleased",
		New: "true",
	},
	{
		Name: "the replies to a message that gave way are forgotten",
		By:   unit("TestTheRepliesToAReleasedMessage"), Marker: "away-recall", New: "",
	},
	{
		Name: "a message that gave way is not forgotten when it is acknowledged",
		By:   in("inbox", "TestTheMemoryOfReleasedMessages"), Marker: "away-acked", New: "",
	},
	{
		Name: "a message larger than the inbox closes it for all", By: in("inbox", "TestAMessageLargerThanTheBox"),
		Marker: "close-own", Old: "large || ", New: "",
	},
	{
		Name:   "messages that fail and do not all fit close the inbox for all",
		By:     in("inbox", "TestTheLargestFailingLaneIsReleased"),
		Marker: "close-own", Old: " || it.attempt > 0", New: "",
	},
	{
		Name: "a message overtakes the only one of the inbox, which gave way",
		By:   in("inbox", "TestTheOnlyMessageIsReleased"), Marker: "close-empty", Old: "b.used, 1)", New: "b.used)",
	},
	{
		Name: "what is closed and holds nothing is not asked for again", By: unit("TestALargeMessageWaitsForCapacity"),
		Marker: "resync-stuck", Old: "e.inbox.Stuck()", New: "false",
	},
	{
		Name: "the end waits for Trace.Dropped without a bound", By: in("inbox", "TestStopDoesNotWaitForOnReleased"),
		Marker: "stop-tells", New: `
if acked := b.stop(); len(acked) > 0 {
	b.reportReleased(acked)
}`,
	},
	{
		Name:   "what Trace.Dropped is to be told at the end is not counted",
		By:     in("inbox", "TestStopDoesNotWaitForOnReleased"),
		Marker: "stop-counts", New: "",
	},
	{
		Name: "a message is given up for a rejection that ends Run", By: unit("TestAHandlersSendThatEndsWithRun"),
		Marker: "rejected-stops", New: "",
	},
	{
		Name: "the timer of a message that gave way makes an empty conversation ready",
		By:   in("inbox", "TestAMessageIsReleasedAsItsTimerFires"), Marker: "unpark-late", Old: "l.backoffAt > 0",
		New: "false",
	},
	{
		Name: "a handler begins after Run", By: unit("TestNoHandlerBeginsAfterRun"),
		Marker: "ledger-late", Old: "v.engine.Abandoned()", New: "false",
	},
	{
		Name:   "the text of a failure is kept though nothing counts it",
		By:     unit("TestTextsOfFailuresAreReleased"),
		Marker: "failure-kept", Old: "!d.acked", New: "false",
	},
	{
		Name: "the end waits for the peer of a resync", By: unit("TestTheEndDuringAResync"),
		Marker: "leave-ends", Old: "t.e.runCtx", New: "context.WithoutCancel(t.e.runCtx)",
	},
	{
		Name: "a connection of the user's is not guarded", By: unit("TestAConnectionThatDoesNotReturn"),
		Marker: "guarded-conn", New: "return conn",
	},
	{
		Name: "a message is given up because a client has ended", By: unit("TestTheEndOfAnotherClientIsTransient"),
		Marker: "closed-hopeless", New: "",
	},
}
