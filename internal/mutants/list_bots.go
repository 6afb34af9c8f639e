package mutants

// bots has the mutants of conveniences for the authors of bots.
var bots = []Mutant{
	{
		Name: "an apology is sent for a message that is redelivered", By: unit("TestNoApologyWhileRunEnds"),
		Marker: "apology-ending", Old: "c.engine.Ending()", New: "false",
	},
	{
		Name: "an apology is sent for each failed attempt", By: unit("TestApologize"),
		Marker: "apology-last", Old: "m.LastAttempt", New: "true",
	},
	{
		Name: "a retry counts in RateLimit", By: unit("TestRateLimitDoesNotCountRetries"),
		Marker: "limit-retry", Old: "attempt > 1", New: "false",
	},
	{
		Name: "RateLimit counts messages that the handler declines", By: unit("TestRateLimitCountsHandledMessages"),
		Marker: "limit-declined", Old: "errors.Is(err, ErrNotHandled)", New: "false",
	},
	{
		Name: "RateLimit saves up messages without a limit", By: unit("TestRateLimitAllowsABurst"),
		Marker: "limit-burst", Old: "min(l.n,", New: "max(0,",
	},
	{
		Name: "each unknown command gets a hint", By: unit("TestCommands"),
		Marker: "hint-once", Old: "t.hinted.Get(m.Sender()) != nil", New: "false",
	},
	{
		Name: "a button may run a script", By: unit("TestActionsOfButtons"),
		Marker: "action-scheme", Old: "actionSchemes[scheme] && ", New: "",
	},
	{
		Name: "UploadFile opens a pipe", By: unit("TestUploadFileOfAPipe"),
		Marker: "upload-pipe", Old: "!info.Mode().IsRegular()", New: "info.IsDir()",
	},
	{
		Name: "Main ignores the second signal", By: unit("TestMainEndsAtTheSecondSignal"),
		Marker: "main-second", New: "_ = stop",
	},
}
