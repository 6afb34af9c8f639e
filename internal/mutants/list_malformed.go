package mutants

// malformed has the mutants of values that differ from the documentation.
var malformed = []Mutant{
	{
		Name: "ids that differ only in case are distinct", By: unit("TestAMessageWithIDsInCapitals"),
		Marker: "lower-ids", New: "",
	},
	{
		Name: "an error without code and status is final", By: unit("TestMalformedErrorsAnswerTheirRequest"),
		Marker: "temporary-codeless", New: "return passing(code) || passing(status)",
	},
	{
		Name: "status 499 counts as transient", By: unit("TestTransientCodesAndStatuses"),
		Marker: "temporary-codes", Old: "500", New: "499",
	},
	{
		Name: "only the first of joined rejections is inspected", By: unit("TestResultsOfHandlers"),
		Marker: "temporary-joined", New: "return temporary(e.Unwrap()[0])",
	},
	{
		Name: "the error of an unusable frame does not name the message", By: in("wire", "TestTheFaultNamesTheMessage"),
		Marker: "unusable-id", Old: `m.MessageID == ""`, New: "true",
	},
	{
		Name: "a message with a long accompanying id is discarded", By: in("wire", "TestOddFieldsBesideAMessage"),
		Marker: "long-accompanying", Old: "len(s.spans[span]) > MaxID", New: "false",
	},
	{
		Name: "a fraction is not read as a number", By: in("lenient", "TestInt"),
		Marker: "fractions", New: "f, ok := 0.0, false",
	},
	{
		Name: "an array element that is not an object is ignored", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "element-type", Old: "odd < 0", New: "objects > 0 || odd < 0",
	},
	{
		Name: "a malformed key counts as missing", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "malformed-secret", Old: `f.fail(name, "not base64")`, New: "",
	},
	{
		Name: "a malformed amount counts as missing", By: unit("TestDecodePayloadReturnsInvalidDataAsRaw"),
		Marker: "malformed-amount", Old: "!ok && f.value(name) != nil", New: "!ok && false",
	},
	{
		Name: "a card with only an action is invalid", By: unit("TestInvalidOptionalFieldsOfPayloads"),
		Marker: "card-content", Old: ` && c.Action == ""`, New: "",
	},
}
