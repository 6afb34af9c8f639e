package mutants

// lines has the mutants of slow and broken connections.
var lines = []Mutant{
	{
		Name: "a write that takes long is cut", By: in("link", "TestALargeFrameGoesOutOnASlowLine"),
		Marker: "write-progress", Old: "n == 0", New: "true",
	},
	{
		Name: "a slow write outlives its link", By: in("link", "TestASlowWriteEndsWithTheLink"),
		Marker: "write-last", New: "",
	},
	{
		Name:   "silence counts while a large frame keeps pings back",
		By:     in("link", "TestALargeFrameGoesOutOnASlowLine"),
		Marker: "read-excuse", Old: "patience <= 0", New: "true",
	},
	{
		Name: "a peer that takes a byte now and then is alive", By: in("link", "TestATrickleOutIsNoSignOfLife"),
		Marker: "write-trickle", New: "",
	},
	{
		Name:   "a message that takes long is silence",
		By:     in("link", "TestALargeMessageComesInOnASlowLine"),
		Marker: "read-life", Old: "r.l.raw.came >= lifeBytes", New: "false",
	},
	{
		Name: "a byte now and then is a sign of life", By: in("link", "TestATrickleInIsNoSignOfLife"),
		Marker: "read-life", Old: "lifeBytes", New: "1",
	},
	{
		Name:   "a failed write leaves answers unread",
		By:     in("link", "Test(AFailedWriteLetsTheReaderFinish|AnswersBeforeAResetAreRead)"),
		Marker: "write-drain", New: "",
	},
	{
		Name: "a failed write is forgotten as the reason", By: in("link", "TestFailAfterAFailedWrite"),
		Marker: "write-reason", Old: "failed != nil", New: "false && failed != nil",
	},
	{
		Name: "waits grow although each connection works", By: unit("TestALinkThatIsCutAgainAndAgain"),
		Marker: "backoff-worked", Old: "!worked", New: "true",
	},
	{
		Name: "the answer to the list is useful work", By: unit("TestALinkThatIsCutAtOnce"),
		Marker: "work-list", Old: "&& !list", New: "",
	},
	{
		Name:   "a message of an earlier connection is work of the present one",
		By:     in("engine", "TestWorkCountsForItsOwnLink"),
		Marker: "work-link", Old: "link == u.link.Load() &&", New: "",
	},
	{
		Name: "an endpoint that answers pings only stays", By: unit("TestAnEndpointThatOnlyAnswersPings"),
		Marker: "useful-quiet", Old: "!e.asked &&", New: "",
	},
	{
		Name: "a 429 to the list does not bind the other endpoint", By: unit("TestA429BindsAllEndpoints"),
		Marker: "throttled-all", New: "",
	},
	{
		Name: "HTTP/2 is offered for the websocket", By: unit("TestProxiesOfEachKind"),
		Marker: "dial-alpn", New: "",
	},
	{
		Name: "the reason of a proxy is not told", By: in("link", "TestAProxyThatRejects"),
		Marker: "proxy-refused", Old: "strings.TrimSpace(resp.Status)", New: "strings.ToLower(\"\")",
	},
	{
		Name: "HTTP knows one host only", By: in("rest", "TestTheOtherHost"),
		Marker: "rest-next-host", Old: "!silent.ended", New: "false",
	},
	{
		Name:   "requests that fail together change the host twice",
		By:     in("rest", "TestRequestsThatFailTogetherChangeTheHostOnce"),
		Marker: "rest-one-change", Old: "h.failed.CompareAndSwap(n, n+1)", New: "h.failed.Add(1)",
	},
	{
		Name: "a reader that miscounts ends the process", By: unit("TestReadersOfUploadsThatBreakTheirContract"),
		Marker: "guard-count", Old: "n < 0 || n > of", New: "false",
	},
	{
		Name: "a key that panics ends the process", By: unit("TestAKeyThatDoesNotReturn"),
		Marker: "guarded-key", New: "case int:\n",
	},
	{
		Name: "Client.Ack is one frame a round trip", By: unit("TestAckOfManyIDsIsPipelined"),
		Marker: "ack-window", Old: "len(p.frames) < ackWindow && p.tryEnter()", New: "false",
	},
	{
		Name: "a late reply with the whole message is a push", By: unit("TestALateReplyIsNoPush"),
		Marker: "late-view", Old: "|| (own || f.Fault != nil) && e.outbox.Late(f.ID.Bytes())", New: "",
	},
}
