package mutants

// jobs has the mutants of detached messages and of Jobs.
var jobs = []Mutant{
	{
		Name: "a detached message counts as running", By: in("inbox", "TestADetachedMessageLeavesItsLane"),
		Marker: "detached-counted", New: "",
	},
	{
		Name: "a detached message holds up its conversation", By: in("inbox", "TestADetachedMessageLeavesItsLane"),
		Marker: "detached-lane", New: "",
	},
	{
		Name: "the end does not wait for a detached message", By: in("inbox", "TestStopWaitsForADetachedMessage"),
		Marker: "detached-drained", Old: " || b.detached > 0", New: "",
	},
	{
		Name:   "a redelivered message that was detached holds up its conversation",
		By:     in("inbox", "TestADetachedMessageInBackoffIsReleased"),
		Marker: "released-alone", Old: "before.alone", New: "false",
	},
	{
		Name: "a message is detached after its handler has returned", By: unit("TestDetachIsTooLate"),
		Marker: "detach-once", Old: "a.stage != inHandler", New: "false",
	},
	{
		Name: "the return of its handler ends a detached message", By: unit("TestDetach"),
		Marker: "detached-nil", Old: "before == detached && err == nil", New: "false",
	},
	{
		Name: "a detached message is settled twice", By: unit("TestTheResultsOfADetachedMessage"),
		Marker: "settle-once", Old: "a.stage != detached", New: "false",
	},
	{
		Name: "a canceled job is retried", By: unit("TestCancelAJobThatWaitsForItsNextAttempt"),
		Marker: "job-retry-canceled", Old: "j.wasCanceled(m)", New: "false",
	},
	{
		Name: "two jobs of a conversation run at once", By: unit("TestJobs"),
		Marker: "job-conversation", Old: "j.running[one.key] == nil", New: "true",
	},
	{
		Name: "the queue of jobs has no limit", By: unit("TestJobsWithAFullQueue"),
		Marker: "job-queue", Old: "min(len(j.waiting), queue)", New: "len(j.waiting)",
	},
	{
		Name: "the end of Run does not end waiting jobs", By: unit("TestJobsOfTwoClients"),
		Marker: "job-ending", New: "one.undo = func() {}",
	},
	{
		Name: "a job runs although its message is done", By: unit("TestAnErrorAfterBackground"),
		Marker: "job-stale", Old: "!one.message.attempt.open()", New: "false",
	},
	{
		Name: "a job within a job waits for itself", By: unit("TestJobsInPlace"),
		Marker: "job-in-place", Old: "|| !m.attempt.running()", New: "",
	},
	{
		Name: "retries wait for the queue of jobs", By: unit("TestRetriesOfJobsHoldNoWorkers"),
		Marker: "job-retry-queue", Old: "m.Attempt > 1", New: "false",
	},
	{
		Name: "a Ledger that exits ends Cancel", By: unit("TestCancelWithALedgerThatExits"),
		Marker: "job-apart", New: "one.settle(err)",
	},
	{
		Name: "a message that is kept keeps its delivery", By: unit("TestAKeptMessageIsSmall"),
		Marker: "attempt-forgotten", New: "",
	},
	{
		Name: "the end does not wait for a handler that detached", By: unit("TestRunWaitsForAHandlerThatDetached"),
		Marker: "detached-drained", Old: " || b.leaving > 0", New: "",
	},
	{
		Name: "the end waits for a handler that detached and has returned",
		By:   in("inbox", "TestTheGoroutineOfADetachedMessage"), Marker: "detached-leaves", New: "",
	},
	{
		Name: "the result of a canceled job counts", By: unit("TestTheResultOfACanceledJob"),
		Marker: "job-canceled", Old: "j.finish(one)", New: "j.finish(one) && false",
	},
}
