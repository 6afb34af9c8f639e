package mutants

// requests has the mutants of writing requests after a lost link, and of their timeouts.
var requests = []Mutant{
	{
		Name: "all requests are written at once after a lost link", By: in("outbox", "TestPoisonWithLatency"),
		Marker: "slow-start", Old: "|| lost && unanswered", New: "",
	},
	{
		Name: "a slow start does not wait for the list", By: in("outbox", "TestASlowStart"),
		Marker: "slow-list", New: "return 0",
	},
	{
		Name: "a suspect request does not wait for the list", By: in("outbox", "TestASuspectBeforeALateList"),
		Marker: "suspect-list", Old: "max(b.cfg.ReplyTimeout, b.listDelay(now))", New: "b.cfg.ReplyTimeout",
	},
	{
		Name:   "a timeout does not widen the window of a slow start",
		By:     in("outbox", "TestAPeerThatAnswersBehindPushes"),
		Marker: "slow-timeout", New: "",
	},
	{
		Name:   "a slow start waits for the longest reply timeout",
		By:     in("outbox", "TestASlowStartGoesOnBeforeALongTimeout"),
		Marker: "slow-wait", Old: "b.cfg.ReplyTimeout", New: "b.maxReply",
	},
	{
		Name:   "a slow start does not wait longer for the list after a lost link",
		By:     in("outbox", "TestPoisonBeforeALateList"),
		Marker: "slow-list-grows", New: "",
	},
	{
		Name: "a slow start never waits less for the list again", By: in("outbox", "TestTheListOfALaterSlowStart"),
		Marker: "slow-list-reset", Old: "b.cfg.ReplyTimeout", New: "b.listWait",
	},
	{
		Name: "a reply does not widen the window of a slow start", By: in("outbox", "TestASlowStart"),
		Marker: "slow-window", Old: "*= 2", New: "*= 1",
	},
	{
		Name:   "a late request keeps its place in the window of a slow start",
		By:     in("outbox", "TestASlowStartDoesNotCountLateRequests"),
		Marker: "slow-late", New: "",
	},
	{
		Name:   "a suspect request takes a place in the window of a slow start",
		By:     in("outbox", "TestASlowStartDoesNotCountASuspect"),
		Marker: "slow-suspect", Old: "&& !e.blame.suspect", New: "",
	},
	{
		Name: "a lost link splits only one frame of a family", By: in("outbox", "TestAPeerThatHangsUpAtAFamily"),
		Marker: "split-family", Old: "x != e", New: "false && x != e",
	},
	{
		Name: "a family with a confirmed frame is split", By: in("outbox", "TestAProvenFamilyIsNotSplit"),
		Marker: "family-proven", New: "",
	},
	{
		Name: "a resync waits for late requests", By: in("outbox", "TestQuiesceDoesNotWaitForLateRequests"),
		Marker: "quiesce-late", Old: "&& !e.late", New: "",
	},
	{
		Name: "a 401 to an acknowledgement is final", By: in("outbox", "TestPatientRequests"),
		Marker: "patient-401", Old: "&& e.Patient", New: "&& false",
	},
	{
		Name:   "a pong before queued pushes makes a request overdue",
		By:     in("outbox", "TestPingsThatAreAnsweredBeforePushes"),
		Marker: "overdue-pushes", Old: "&& b.cfg.Pushes() == e.pushes", New: "",
	},
	{
		Name:   "a request is blamed for a link that the client ended",
		By:     in("outbox", "TestAReplacedLinkBlamesNoRequest"),
		Marker: "blame-lost", Old: "if lost", New: "if true",
	},
}
