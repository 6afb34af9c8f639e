package mutants

// requests has the mutants of writing requests after a lost link, and of their timeouts.
var requests = []Mutant{
	{
		Name: "all is written at once after a connection was lost", By: in("outbox", "TestPoisonWithLatency"),
		Marker: "slow-start", Old: "|| lost && unanswered", New: "",
	},
	{
		Name: "a slow start does not await the list", By: in("outbox", "TestASlowStart"),
		Marker: "slow-list", New: "return 0",
	},
	{
		Name: "a suspect does not await the list", By: in("outbox", "TestASuspectBeforeALateList"),
		Marker: "suspect-list", Old: "max(b.cfg.ReplyTimeout, b.listDelay(now))", New: "b.cfg.ReplyTimeout",
	},
	{
		Name: "a request without an answer opens no window", By: in("outbox", "TestAPeerThatAnswersBehindPushes"),
		Marker: "slow-borne", New: "",
	},
	{
		Name:   "a slow start waits as long as the timeout of a request",
		By:     in("outbox", "TestASlowStartGoesOnBeforeALongTimeout"),
		Marker: "slow-hold", Old: "b.cfg.ReplyTimeout", New: "b.maxReply",
	},
	{
		Name: "a slow start does not learn to await a late list", By: in("outbox", "TestPoisonBeforeALateList"),
		Marker: "slow-patience", New: "",
	},
	{
		Name: "slow starts await lists for minutes for ever", By: in("outbox", "TestTheListOfALaterSlowStart"),
		Marker: "slow-calm", Old: "b.cfg.ReplyTimeout", New: "b.listWait",
	},
	{
		Name: "an answer opens no window", By: in("outbox", "TestASlowStart"),
		Marker: "slow-window", Old: "*= 2", New: "*= 1",
	},
	{
		Name:   "what is never answered takes the place of others",
		By:     in("outbox", "TestASlowStartDoesNotCountLateRequests"),
		Marker: "slow-late", New: "",
	},
	{
		Name:   "a suspect takes the place of others after its turn",
		By:     in("outbox", "TestASlowStartDoesNotCountASuspect"),
		Marker: "slow-suspect", Old: "&& !e.blame.suspect", New: "",
	},
	{
		Name: "the frames of an action are split one by one", By: in("outbox", "TestAPeerThatHangsUpAtAFamily"),
		Marker: "split-family", Old: "x != e", New: "false && x != e",
	},
	{
		Name:   "one poisonous frame splits those of an action that works",
		By:     in("outbox", "TestAProvenFamilyIsNotSplit"),
		Marker: "family-proven", New: "",
	},
	{
		Name: "a pause waits for what is never answered", By: in("outbox", "TestQuiesceDoesNotWaitForLateRequests"),
		Marker: "quiesce-late", Old: "&& !e.late", New: "",
	},
	{
		Name: "a 401 to an acknowledgement ends it", By: in("outbox", "TestPatientRequests"),
		Marker: "patient", Old: "&& e.Patient", New: "&& false",
	},
	{
		Name: "pongs before pushes make requests silent", By: in("outbox", "TestPingsThatAreAnsweredBeforePushes"),
		Marker: "overdue-pushes", Old: "&& b.cfg.Pushes() == e.pushes", New: "",
	},
	{
		Name: "a link that this side has ended blames", By: in("outbox", "TestAReplacedLinkBlamesNoRequest"),
		Marker: "blame-lost", Old: "if lost", New: "if true",
	},
}
