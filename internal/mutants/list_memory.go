package mutants

// memory has the mutants of memory bounds: of payloads, the inbox, sessions and a single message.
var memory = []Mutant{
	{
		Name: "JSON is nested without a limit", By: in("lenient", "TestCheck"),
		Marker: "json-depth", Old: "depth > MostDepth", New: "false",
	},
	{
		Name: "invalid UTF-8 triples the length of a text", By: in("lenient", "TestTextsThatAreNotUTF8"),
		Marker: "text-broken", Old: "broken > mostBroken", New: "false",
	},
	{
		Name: "an object has any number of fields", By: unit("TestListsThatAreTooLong"),
		Marker: "max-fields", Old: "len(f.members) == maxFields", New: "false",
	},
	{
		Name: "a list has any number of objects", By: unit("TestListsThatAreTooLong"),
		Marker: "max-objects", Old: "n == most", New: "false",
	},
	{
		Name: "a list has any number of strings", By: unit("TestListsThatAreTooLong"),
		Marker: "max-strings", Old: "len(out) == most", New: "false",
	},
	{
		Name: "a list of empty objects is decoded", By: unit("TestDecodingIsBounded"),
		Marker: "list-cost", Old: "> listCost*", New: "> 1000*listCost*",
	},
	{
		Name:   "any number of large messages is handled at once",
		By:     in("inbox", "TestLargeMessagesAreHandledFewAtOnce"),
		Marker: "large-capacity", Old: "r.running == 0 ||", New: "r.running >= 0 ||",
	},
	{
		Name: "a large message keeps its capacity", By: in("inbox", "TestALargeMessageIsHandledAlone"),
		Marker: "large-done", New: "",
	},
	{
		Name: "a lane due before the others waits for their timer", By: in("inbox", "TestLanesInBackoffAreDueInOrder"),
		Marker: "backoff-first", Old: "b.backoffs.heap[0] == l", New: "b.backoffs.heap.Len() == 1",
	},
	{
		Name: "the timer wakes only the first lane in backoff", By: in("inbox", "TestLanesInBackoffAreDueInOrder"),
		Marker: "backoff-next", Old: "b.backoffs.heap.Len() > 0", New: "false",
	},
	{
		Name: "memory kept for an acknowledged message is not counted", By: unit("TestAFullInboxNeedsInboxBytes"),
		Marker: "acked-counted", New: "",
	},
	{
		Name: "the whole text of a handler's error is kept", By: unit("TestAFullInboxNeedsInboxBytes"),
		Marker: "failure-short", Old: "len(text) > maxKeptText", New: "false",
	},
	{
		Name: "discarded receipts are not logged", By: unit("TestReceiptsUseNoCapacityOfMessages"),
		Marker: "receipt-discarded", New: "",
	},
	{
		Name: "control frames keep an endless message alive", By: in("link", "TestAMessageThatDoesNotEnd"),
		Marker: "message-endless", Old: " && r.began.IsZero()", New: "",
	},
	{
		Name: "the oldest sessions of a user are used", By: unit("TestTheNewestSessionsOfAUserCount"),
		Marker: "newest-sessions", Old: "return all", New: "return all\n } else if true {\n return all[:maxOfUser]",
	},
	{
		Name: "cached sessions have any size", By: unit("TestTheSessionsThatAreRememberedAreBounded"),
		Marker: "session-bytes", Old: "uint64(n)", New: "uint64(n) / 100",
	},
	{
		Name: "the deadline of a message applies to the next one", By: in("link", "TestAMessageThatEndedInTime"),
		Marker: "message-deadline", New: "",
	},
	{
		Name:   "replies to a failed message are remembered without a limit",
		By:     unit("TestTheRepliesThatAreRememberedAreBounded"),
		Marker: "replies-bound", Old: "len(r.all) >= maxEnded", New: "false",
	},
	{
		Name: "an id that is not a UUID cannot be acknowledged", By: unit("TestAckAcceptsEveryIDThatIsDelivered"),
		Marker: "ack-any-id", Old: `id == "" ||`, New: `len(id) != 36 ||`,
	},
}
