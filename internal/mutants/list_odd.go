package mutants

// odd has the mutants of values that differ from the documentation.
var odd = []Mutant{
	{
		Name: "an error that says nothing is final", By: unit("TestMalformedErrorsAnswerTheirRequest"),
		Marker: "temporary-silent", New: "return passing(code) || passing(status)",
	},
	{
		Name: "a status of 499 passes by itself", By: unit("TestTransientCodesAndStatuses"),
		Marker: "temporary-codes", Old: "500", New: "499",
	},
	{
		Name: "of joined refusals the first decides", By: unit("TestResultsOfHandlers"),
		Marker: "temporary-joined", New: "return temporary(e.Unwrap()[0])",
	},
	{
		Name: "a frame that cannot be used is not named", By: in("wire", "TestTheFaultNamesTheMessage"),
		Marker: "unusable-id", Old: `m.MessageID == ""`, New: "true",
	},
	{
		Name: "a long id beside a message costs the message", By: in("wire", "TestOddFieldsBesideAMessage"),
		Marker: "long-accompanying", Old: "len(s.spans[span]) > MaxID", New: "false",
	},
	{
		Name: "a fraction is no number", By: in("lenient", "TestInt"),
		Marker: "odd-number", New: "f, ok := 0.0, false",
	},
	{
		Name: "an element that is no object is no fault", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "odd-element", Old: "odd < 0", New: "objects > 0 || odd < 0",
	},
	{
		Name: "a key that cannot be read is none", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "odd-secret", Old: `f.fail(name, "not base64")`, New: "",
	},
	{
		Name: "an amount that cannot be read is none", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "odd-amount", Old: "!ok && f.value(name) != nil", New: "!ok && false",
	},
	{
		Name: "an action is no content of a card", By: unit("TestInvalidOptionalFieldsOfPayloads"),
		Marker: "odd-card", Old: ` && c.Action == ""`, New: "",
	},
}
