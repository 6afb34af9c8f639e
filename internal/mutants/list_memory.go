package mutants

// memory has the mutants of memory bounds: of payloads, the inbox, sessions and a single message.
var memory = []Mutant{
	{
		Name: "JSON may be nested without end", By: in("lenient", "TestCheck"),
		Marker: "json-depth", Old: "depth > MostDepth", New: "false",
	},
	{
		Name:   "a text that is not UTF-8 is read as one three times as long",
		By:     in("lenient", "TestTextsThatAreNotUTF8"),
		Marker: "text-broken", Old: "broken > mostBroken", New: "false",
	},
	{
		Name: "an object may have any number of fields", By: unit("TestListsThatAreTooLong"),
		Marker: "most-fields", Old: "len(f.members) == maxFields", New: "false",
	},
	{
		Name: "a list may have any number of objects", By: unit("TestListsThatAreTooLong"),
		Marker: "list-most", Old: "n == most", New: "false",
	},
	{
		Name: "a list may have any number of texts", By: unit("TestListsThatAreTooLong"),
		Marker: "strs-most", Old: "len(out) == most", New: "false",
	},
	{
		Name: "a list of empty objects is read", By: unit("TestDecodingIsBounded"),
		Marker: "list-cost", Old: "> listCost*", New: "> 1000*listCost*",
	},
	{
		Name:   "any number of large messages is handled at once",
		By:     in("inbox", "TestLargeMessagesAreHandledFewAtOnce"),
		Marker: "large-room", Old: "r.running == 0 ||", New: "r.running >= 0 ||",
	},
	{
		Name: "the room of a large message is lost", By: in("inbox", "TestALargeMessageIsHandledAlone"),
		Marker: "large-done", New: "",
	},
	{
		Name: "a lane that is due before the others waits for them", By: in("inbox", "TestLanesInBackoffAreDueInOrder"),
		Marker: "park-first", Old: "b.backoffs.heap[0] == l", New: "b.backoffs.heap.Len() == 1",
	},
	{
		Name: "of the lanes that wait, one is woken", By: in("inbox", "TestLanesInBackoffAreDueInOrder"),
		Marker: "park-next", Old: "b.backoffs.heap.Len() > 0", New: "false",
	},
	{
		Name: "what is kept of an early acknowledged message is not counted", By: unit("TestAFullInboxNeedsInboxBytes"),
		Marker: "kept-counted", New: "",
	},
	{
		Name: "the whole text of an error is kept", By: unit("TestAFullInboxNeedsInboxBytes"),
		Marker: "failure-short", Old: "len(text) > maxKeptText", New: "false",
	},
	{
		Name: "receipts are lost without a word", By: unit("TestReceiptsUseNoCapacityOfMessages"),
		Marker: "receipt-lost", New: "",
	},
	{
		Name: "control frames hold a link for ever", By: in("link", "TestAMessageThatDoesNotEnd"),
		Marker: "message-endless", Old: " && r.began.IsZero()", New: "",
	},
	{
		Name: "the oldest sessions of a user count", By: unit("TestTheNewestSessionsOfAUserCount"),
		Marker: "newest-sessions", Old: "return all", New: "return all\n } else if true {\n return all[:maxOfUser]",
	},
	{
		Name:   "the sessions that are remembered may have any size",
		By:     unit("TestTheSessionsThatAreRememberedAreBounded"),
		Marker: "session-bytes", Old: "uint64(n)", New: "uint64(n) / 100",
	},
	{
		Name: "a message takes time from the next one", By: in("link", "TestAMessageThatEndedInTime"),
		Marker: "message-deadline", New: "",
	},
	{
		Name:   "the replies to a failed message are all remembered",
		By:     unit("TestTheRepliesThatAreRememberedAreBounded"),
		Marker: "replies-bound", Old: "len(r.all) >= maxEnded", New: "false",
	},
	{
		Name: "only a UUID can be acknowledged", By: unit("TestAckAcceptsEveryIDThatIsDelivered"),
		Marker: "ack-any-id", Old: `id == "" ||`, New: `len(id) != 36 ||`,
	},
}
