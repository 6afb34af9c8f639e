package mutants

// secrets has the mutants of secrets in errors, logs and files, and of forged responses.
var secrets = []Mutant{
	{
		Name: "a long word of a peer is shown", By: in("tame", "TestALongWordIsHidden"),
		Marker: "tame-long", Old: "n >= longWord", New: "n >= 1<<20",
	},
	{
		Name: "the description of a refusal is shown as it is", By: unit("TestATokenThatTheAPIRepeatsIsNotShown"),
		Marker: "tame-description", Old: "tame.Text(string(v.Description))", New: "string(v.Description)",
	},
	{
		Name: "any JSON opens a conversation", By: unit("TestResponsesOfAnotherServerDoNotCount"),
		Marker: "answer-conversation", New: "_ = v.ID; return nil",
	},
	{
		Name: "a Date blames the clock of this machine", By: unit("TestAClockThatIsFarOff"),
		Marker: "clock-own", Old: "own", New: "own || true",
	},
	{
		Name: "tokens are dated as any server says", By: in("auth", "TestOffsetsAreBounded"),
		Marker: "offset-clamp", Old: "min(max(d, -maxOffset), maxOffset)", New: "d",
	},
	{
		Name: "a proxy sees the token", By: unit("TestAProxyForPlainLoopbackIsRejected"),
		Marker: "plain-proxy", Old: "u != nil &&", New: "false &&",
	},
	{
		Name: "each dropped message is logged", By: unit("TestDroppedMessagesAreCounted"),
		Marker: "thin-each", Old: "t.passes(r.Message, r, maxEach, stack)", New: "true",
	},
	{
		Name: "an error of any length is logged", By: unit("TestLogsAreBoundedWhateverHappens"),
		Marker: "log-error", Old: "len(text) <= maxErrorText", New: "true",
	},
	{
		Name: "a key of a file is written as JSON", By: unit("TestKeysOfFilesDoNotPrint"),
		Marker: "attachment-json", Old: "len(h) == 0",
		New: "len(h) > 0 { return json.Marshal([]byte(h)) }; if len(h) == 0",
	},
	{
		Name: "a redacted key is read as a key", By: unit("TestKeysOfFilesDoNotPrint"),
		Marker: "attachment-redacted", Old: "text == redacted", New: "false",
	},
}
