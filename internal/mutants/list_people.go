package mutants

// people has the mutants of users' files, machines and logs.
var people = []Mutant{
	{
		Name: "the thumbnail of a mirrored picture is not mirrored", By: unit("TestUploadImageIsTurned"),
		Marker: "exif-mirror", Old: "o == 2 ||", New: "",
	},
	{
		Name: "a turned picture keeps its width", By: unit("TestUploadImageIsTurned"),
		Marker: "image-turned", Old: "turn.Turned()", New: "false",
	},
	{
		Name: "equal warnings are all logged", By: unit("TestEqualWarningsAreThinned"),
		Marker: "thin-warnings", Old: "k.passes(now, most)", New: "k.passes(now, most) || true",
	},
	{
		Name: "each panic has its stack in the log", By: unit("TestStacksAreLoggedOnce"),
		Marker: "stack-once", Old: "s.seen[sum] ||", New: "",
	},
	{
		Name: "a stack is another one when the handler is tried again", By: unit("TestStacksAreLoggedOnce"),
		Marker: "stack-user", New: "",
	},
	{
		Name: "a slow handler is reported with each later one", By: unit("TestSlowHandlersAreReportedOnce"),
		Marker: "slow-handler", New: "",
	},
	{
		Name: "a request that waits for Run is not reported", By: unit("TestARequestBeforeRunIsReported"),
		Marker: "send-before-run", Old: "!e.life.begun()", New: "false",
	},
	{
		Name: "an id in capitals is another id", By: unit("TestAMessageWithIDsInCapitals"),
		Marker: "lower-ids", New: "",
	},
	{
		Name: "warnings that differ in an id are not equal", By: unit("TestEqualWarningsAreThinned"),
		Marker: "thin-varying", Old: "mayVary(text)", New: "false",
	},
	{
		Name:   "only the first host is asked whether the session is gone",
		By:     unit("TestTheSecondHostVerifiesTheSession"),
		Marker: "probe-host", Old: "!again", New: "false",
	},
	{
		Name: "a proxy is not named where it is silent", By: unit("TestAProxyThatIsTheCause"),
		Marker: "proxy-cause", Old: "u.handshakes.Load() > own", New: "u.handshakes.Load() > own || true",
	},
	{
		Name: "a connection ends a goroutine of net/http", By: unit("TestHooksOfATransportOfTheUsers"),
		Marker: "guarded-apart", Old: "ok {", New: "ok && false {",
	},
}
