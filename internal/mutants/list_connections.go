package mutants

// connections has the mutants of slow and broken connections.
var connections = []Mutant{
	{
		Name: "a slow write with progress times out", By: in("link", "TestALargeFrameGoesOutOnASlowLine"),
		Marker: "write-progress", Old: "n == 0", New: "true",
	},
	{
		Name: "a slow write outlives its link", By: in("link", "TestASlowWriteEndsWithTheLink"),
		Marker: "write-last", New: "",
	},
	{
		Name: "silence counts while a large frame delays pings", By: in("link", "TestALargeFrameGoesOutOnASlowLine"),
		Marker: "read-delayed", Old: "patience <= 0", New: "true",
	},
	{
		Name: "a peer that reads single bytes counts as alive", By: in("link", "TestATrickleOutIsNoSignOfLife"),
		Marker: "write-trickle", New: "",
	},
	{
		Name:   "a large message that arrives slowly counts as silence",
		By:     in("link", "TestALargeMessageComesInOnASlowLine"),
		Marker: "read-life", Old: "r.l.raw.came >= lifeBytes", New: "false",
	},
	{
		Name: "a peer that sends single bytes counts as alive", By: in("link", "TestATrickleInIsNoSignOfLife"),
		Marker: "read-life", Old: "lifeBytes", New: "1",
	},
	{
		Name:   "replies are not read after a failed write",
		By:     in("link", "Test(AFailedWriteLetsTheReaderFinish|AnswersBeforeAResetAreRead)"),
		Marker: "write-drain", New: "",
	},
	{
		Name: "the error of a failed write is lost", By: in("link", "TestFailAfterAFailedWrite"),
		Marker: "write-reason", Old: "failed != nil", New: "false && failed != nil",
	},
	{
		Name: "the backoff grows although each link worked", By: unit("TestALinkThatIsCutAgainAndAgain"),
		Marker: "backoff-worked", Old: "!worked", New: "true",
	},
	{
		Name: "the reply to a list counts as work", By: unit("TestALinkThatIsCutAtOnce"),
		Marker: "work-list", Old: "&& !list", New: "",
	},
	{
		Name:   "a message of an earlier link counts as work of the current one",
		By:     in("engine", "TestWorkCountsForItsOwnLink"),
		Marker: "work-link", Old: "link == u.link.Load() &&", New: "",
	},
	{
		Name: "an endpoint that only answers pings counts as useful", By: unit("TestAnEndpointThatOnlyAnswersPings"),
		Marker: "useful-quiet", Old: "!e.asked &&", New: "",
	},
	{
		Name: "a 429 to a list does not delay the other endpoints", By: unit("TestA429BindsAllEndpoints"),
		Marker: "throttled-all", New: "",
	},
	{
		Name: "HTTP/2 is offered for the websocket", By: unit("TestProxiesOfEachKind"),
		Marker: "dial-alpn", New: "",
	},
	{
		Name: "a proxy's rejection is reported without its status", By: in("link", "TestAProxyThatRejects"),
		Marker: "proxy-status", Old: "strings.TrimSpace(resp.Status)", New: "strings.ToLower(\"\")",
	},
	{
		Name: "HTTP requests use only one host", By: in("rest", "TestTheOtherHost"),
		Marker: "rest-next-host", Old: "!silent.ended", New: "false",
	},
	{
		Name:   "concurrent failures change the host twice",
		By:     in("rest", "TestRequestsThatFailTogetherChangeTheHostOnce"),
		Marker: "rest-host-once", Old: "h.failed.CompareAndSwap(n, n+1)", New: "h.failed.Add(1)",
	},
	{
		Name:   "a reader that returns an impossible count panics",
		By:     unit("TestReadersOfUploadsThatBreakTheirContract"),
		Marker: "guard-count", Old: "n < 0 || n > of", New: "false",
	},
	{
		Name: "a panic in a private key is not recovered", By: unit("TestAKeyThatDoesNotReturn"),
		Marker: "guarded-key", New: "case int:\n",
	},
	{
		Name: "Client.Ack has only one frame in flight", By: unit("TestAckOfManyIDsIsPipelined"),
		Marker: "ack-window", Old: "len(p.frames) < ackWindow && p.tryEnter()", New: "false",
	},
	{
		Name: "a late reply is handled as a push", By: unit("TestALateReplyIsNoPush"),
		Marker: "late-view", Old: "|| (own || f.Fault != nil) && e.outbox.Late(f.ID.Bytes())", New: "",
	},
}
