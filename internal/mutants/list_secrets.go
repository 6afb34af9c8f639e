package mutants

// secrets has the mutants of secrets in errors, logs and files, and of forged responses.
var secrets = []Mutant{
	{
		Name: "a long word from a peer is not redacted", By: in("tame", "TestALongWordIsHidden"),
		Marker: "tame-long", Old: "n >= longWord", New: "n >= 1<<20",
	},
	{
		Name: "the description of a rejection is not redacted", By: unit("TestATokenThatTheAPIRepeatsIsNotShown"),
		Marker: "tame-description", Old: "tame.Text(string(v.Description))", New: "string(v.Description)",
	},
	{
		Name: "any JSON response confirms a conversation", By: unit("TestResponsesOfAnotherServerDoNotCount"),
		Marker: "response-conversation", New: "_ = v.ID; return nil",
	},
	{
		Name: "the Date header alone counts as proof of a wrong clock", By: unit("TestAClockThatIsFarOff"),
		Marker: "clock-own", Old: "own", New: "own || true",
	},
	{
		Name: "the clock offset has no maximum", By: in("auth", "TestOffsetsAreBounded"),
		Marker: "offset-clamp", Old: "min(max(d, -maxOffset), maxOffset)", New: "d",
	},
	{
		Name: "a token is sent through a proxy in plain text", By: unit("TestAProxyForPlainLoopbackIsRejected"),
		Marker: "plain-proxy", Old: "u != nil &&", New: "false &&",
	},
	{
		Name: "each dropped message is logged", By: unit("TestDroppedMessagesAreCounted"),
		Marker: "thin-each", Old: "t.passes(r.Message, r, maxEach, stack)", New: "true",
	},
	{
		Name: "the text of an error is logged at any length", By: unit("TestLogsAreBoundedWhateverHappens"),
		Marker: "log-error", Old: "len(text) <= maxErrorText", New: "true",
	},
	{
		Name: "the key of a file is written to JSON", By: unit("TestKeysOfFilesDoNotPrint"),
		Marker: "attachment-json", Old: "len(h) == 0",
		New: "len(h) > 0 { return json.Marshal([]byte(h)) }; if len(h) == 0",
	},
	{
		Name: "a redacted key is read as a key", By: unit("TestKeysOfFilesDoNotPrint"),
		Marker: "attachment-redacted", Old: "text == redacted", New: "false",
	},
}
