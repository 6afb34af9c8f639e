package mutants

// released has the mutants of messages that fail or do not fit, and of those dropped at the end of Run.
var released = []Mutant{
	{
		Name: "a failing message is never released", By: in("inbox", "TestFailingMessagesAreReleased"),
		Marker: "heads-released", Old: "c == nil", New: "false",
	},
	{
		Name:   "a failing message is released although it is acknowledged",
		By:     in("inbox", "TestAcknowledgedFailingMessagesStay"),
		Marker: "acked-stays", Old: "l.verdict.Acked ||", New: "",
	},
	{
		Name: "a released message loses its attempt count", By: in("inbox", "TestFailingMessagesAreReleased"),
		Marker: "released-attempts", Old: "tried: l.head().attempt", New: "tried: 0",
	},
	{
		Name: "released messages are remembered without a limit",
		By:   in("inbox", "TestReleasedMessagesAreBounded"), Marker: "released-bound", Old: "len(a) < maxReleased",
		New: "true",
	},
	{
		Name: "replies to a released message are forgotten",
		By:   unit("TestTheRepliesToAReleasedMessage"), Marker: "released-recall", Old: "m.note", New: "nil",
	},
	{
		Name: "a redelivery ends the backoff of a released message",
		By:   in("inbox", "TestABackoffOutlivesARelease"), Marker: "released-waits", Old: "l.wakes > now",
		New: "l.wakes < 0",
	},
	{
		Name: "an acknowledged message is remembered as released",
		By:   in("inbox", "TestTheMemoryOfReleasedMessages"), Marker: "released-acked", New: "",
	},
	{
		Name: "a message larger than the inbox closes the whole inbox", By: in("inbox", "TestAMessageLargerThanTheBox"),
		Marker: "close-own", Old: "large || ", New: "",
	},
	{
		Name:   "failing messages that do not fit close the whole inbox",
		By:     in("inbox", "TestTheLargestFailingLaneIsReleased"),
		Marker: "close-own", Old: " || it.attempt > 0", New: "",
	},
	{
		Name: "a message overtakes the only message of the inbox after its release",
		By:   in("inbox", "TestTheOnlyMessageIsReleased"), Marker: "close-empty", Old: "b.used, 1)", New: "b.used)",
	},
	{
		Name: "a closed conversation without messages causes no resync", By: unit("TestALargeMessageWaitsForCapacity"),
		Marker: "resync-stuck", Old: "e.inbox.Stuck()", New: "false",
	},
	{
		Name:   "the end of Run waits for Trace.Dropped without a limit",
		By:     in("inbox", "TestStopDoesNotWaitForOnReleased"),
		Marker: "stop-reports", New: `
if acked := b.stop(); len(acked) > 0 {
	b.reportReleased(acked)
}`,
	},
	{
		Name:   "calls of Trace.Dropped at the end of Run are not counted",
		By:     in("inbox", "TestStopDoesNotWaitForOnReleased"),
		Marker: "stop-counts", New: "",
	},
	{
		Name: "a message is dropped for a rejection that ends Run", By: unit("TestAHandlersSendThatEndsWithRun"),
		Marker: "rejected-stops", New: "",
	},
	{
		Name: "the timer of a released message makes an empty lane ready",
		By:   in("inbox", "TestAMessageIsReleasedAsItsTimerFires"), Marker: "backoff-ended", Old: "l.backoffAt > 0",
		New: "false",
	},
	{
		Name: "a handler starts after Run returned", By: unit("TestNoHandlerBeginsAfterRun"),
		Marker: "ledger-abandoned", Old: "v.engine.Abandoned()", New: "false",
	},
	{
		Name: "the text of a failure is kept but not counted", By: unit("TestTextsOfFailuresAreReleased"),
		Marker: "failure-kept", Old: "!d.acked", New: "false",
	},
	{
		Name: "the end of Run waits for the peer of a resync", By: unit("TestTheEndDuringAResync"),
		Marker: "leave-end", Old: "t.e.runCtx", New: "context.WithoutCancel(t.e.runCtx)",
	},
	{
		Name: "a user-defined connection is not guarded", By: unit("TestAConnectionThatDoesNotReturn"),
		Marker: "guarded-conn", New: "return conn",
	},
	{
		Name:   "a message is dropped because another client was closed",
		By:     unit("TestTheEndOfAnotherClientIsTransient"),
		Marker: "closed-permanent", New: "",
	},
}
