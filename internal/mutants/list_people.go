package mutants

// people has the mutants of profiles, mentions, and Client.Call.
var people = []Mutant{
	{
		Name: "errors of Me are cached", By: unit("TestErrorsOfMeAreNotCached"),
		Marker: "me-errors", Old: "&& f.err == nil", New: "",
	},
	{
		Name: "a caller that leaves ends Me for the others", By: unit("TestMeOfACallerThatLeaves"),
		Marker: "me-abandoned", Old: "!f.abandoned", New: "true",
	},
	{
		Name: "Run does not wait for its request of the profile", By: unit("TestRunJoinsTheProfileRequest"),
		Marker: "me-joined", New: "_ = late",
	},
	{
		Name: "a profile without an identity number is kept", By: unit("TestAProfileWithoutANumberIsNotKept"),
		Marker: "me-number", Old: "a.own", New: "false",
	},
	{
		Name: "the profile is logged after Run", By: unit("TestNothingIsLoggedAfterRun"),
		Marker: "me-late", Old: "&& ctx.Err() == nil", New: "",
	},
	{
		Name: "a call without data in the response succeeds", By: unit("TestTheDataOfACall"),
		Marker: "call-no-data", New: "if len(data) == 0 { return nil }",
	},
	{
		Name: "a profile of another user is accepted", By: unit("TestUserOfAnother"),
		Marker: "users-other", Old: "a.id != \"\" && a.ID != a.id || a.number != \"\" && a.IdentityNumber != a.number",
		New: "false",
	},
	{
		Name: "a text of a profile is unbounded", By: unit("TestOddProfiles"),
		Marker: "profile-text", Old: "len(s) > maxProfileText", New: "false",
	},
	{
		Name: "a call may leave the host of the API", By: unit("TestInvalidCalls"),
		Marker: "call-host", Old: `|| strings.HasPrefix(path, "//")`, New: "",
	},
	{
		Name: "a POST of a call is repeated", By: unit("TestCallsThatAreNotConfirmed"),
		Marker: "rest-single", New: "",
	},
	{
		Name: "a call that may have been carried out does not say so", By: unit("TestCallsThatAreNotConfirmed"),
		Marker: "call-unconfirmed", Old: "&& request.Single", New: "&& false",
	},
	{
		Name: "a message in a group that mentions nobody is handled", By: unit("TestMentionedInAGroup"),
		Marker: "mentioned-declines", Old: "!addressed", New: "false && {{.}}",
	},
	{
		Name: "a repeated mention counts twice", By: unit("TestMentions"),
		Marker: "mentions-once", Old: "!slices.Contains(numbers, number)", New: "{{.}} || true",
	},
	{
		Name: "a command for another bot is handled", By: unit("TestCommandMentions"),
		Marker: "command-other", Old: "me.IdentityNumber != number", New: "{{.}} && false",
	},
	{
		Name: "a decline within a Route is logged although the bot is not addressed",
		By:   unit("TestDeclinesThatAreLogged"), Marker: "route-quiet", New: "",
	},
}
