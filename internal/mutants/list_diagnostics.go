package mutants

// diagnostics has the mutants of logs and reports, and of errors that name a cause.
var diagnostics = []Mutant{
	{
		Name: "repeated warnings are all logged", By: unit("TestEqualWarningsAreThinned"),
		Marker: "thin-warnings", Old: "k.passes(now, most)", New: "k.passes(now, most) || true",
	},
	{
		Name: "each panic is logged with its stack", By: unit("TestStacksAreLoggedOnce"),
		Marker: "stack-once", Old: "s.seen[sum] ||", New: "",
	},
	{
		Name: "the stack of a retried handler is logged again", By: unit("TestStacksAreLoggedOnce"),
		Marker: "stack-user", New: "",
	},
	{
		Name: "a slow handler is reported more than once", By: unit("TestSlowHandlersAreReportedOnce"),
		Marker: "slow-handler", New: "",
	},
	{
		Name: "a request that waits for Run is not reported", By: unit("TestARequestBeforeRunIsReported"),
		Marker: "send-before-run", Old: "!e.life.begun()", New: "false",
	},
	{
		Name: "warnings that differ in an id are all logged", By: unit("TestEqualWarningsAreThinned"),
		Marker: "thin-varying", Old: "mayVary(text)", New: "false",
	},
	{
		Name: "an error caused by a proxy does not name the proxy", By: unit("TestAProxyThatIsTheCause"),
		Marker: "proxy-cause", Old: "u.handshakes.Load() > own", New: "u.handshakes.Load() > own || true",
	},
}
