package mutants

// answers has the mutants of replies to encrypted messages, and of forwarded messages.
var answers = []Mutant{
	{
		Name: "a transfer is answered without a recipient", By: unit("TestReplyToATransfer"),
		Marker: "answer-recipient", Old: "m.inContact()", New: "!m.Group && !m.Category.System()",
	},
	{
		Name:   "an answer into any conversation has the recipient of the message",
		By:     unit("TestReplyIsSentToTheMessagesConversation"),
		Marker: "answer-recipient", Old: "strings.EqualFold(conversationID, m.ConversationID)", New: "true",
	},
	{
		Name: "what arrived is checked when it is passed on", By: unit("TestReceivedPayloadsAreForwarded"),
		Marker: "passed-on", Old: "m.Data != nil", New: "false",
	},
	{
		Name: "what its author changes goes out as it arrived", By: unit("TestPayloadsOfTheAuthorAreValidated"),
		Marker: "passed-on", Old: "arrivedAs(value, m.Data)", New: "true",
	},
	{
		Name: "a payload that replaces what arrived is not sent", By: unit("TestPayloadsOfTheAuthorAreValidated"),
		Marker: "passed-changed", Old: "arrivedAs(value, data)", New: "true",
	},
	{
		Name: "the key of an encrypted file goes out in plain text", By: unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "opened-key", Old: "hasKey(value)", New: "false",
	},
	{
		Name: "what its author encrypts goes out in plain text", By: unit("TestMessagesEncryptedByTheirAuthor"),
		Marker: "sealed-default", Old: `out.origin.recipient != ""`, New: `true || out.origin.recipient != ""`,
	},
	{
		Name: "a bot with an RSA key does not answer", By: unit("TestAnRSASessionRepliesUnencrypted"),
		Marker: "rsa-opens", Old: "d.way == sealed", New: "false",
	},
	{
		Name: "whoever has no session is not answered", By: unit("TestAReplyThatNobodyCouldDecrypt"),
		Marker: "no-session-opens", Old: "errors.Is(m.err, ErrNoSession)", New: "false",
	},
	{
		Name: "a batch does not answer whoever has no session", By: unit("TestAReplyThatNobodyCouldDecrypt"),
		Marker: "batch-opens", Old: "m.again || c.asPlain(m)", New: "m.again",
	},
	{
		Name:   "a message is given up for what a default did to its reply",
		By:     unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "default-hopeless", Old: "errors.As(err, &byDefault)", New: "byDefault != nil",
	},
	{
		Name: "a card with a cover needs a button", By: unit("TestACardWithACover"),
		Marker: "card-cover", Old: `|| c.CoverURL != ""`, New: "",
	},
	{
		Name: "a picture that quotes shares a frame", By: unit("TestQuotes"),
		Marker: "quote-frame", Old: `d.QuoteID == ""`, New: "true",
	},
	{
		Name: "an encrypted picture is not encrypted", By: unit("TestAPictureRepliesToAnEncryptedMessage"),
		Marker: "encrypted-image", Old: "c.UploadEncrypted", New: "c.Upload",
	},
	{
		Name: "a list of sessions that cannot be read is empty", By: unit("TestInvalidSessionsDoNotExposeAReply"),
		Marker: "odd-sessions", Old: "list.Odd", New: "false",
	},
	{
		Name: "a session whose key cannot be read is none", By: unit("TestInvalidSessionsDoNotExposeAReply"),
		Marker: "odd-key", Old: "if odd", New: "if false && odd",
	},
	{
		Name:   "an answer is encrypted for more sessions than a request has room for",
		By:     unit("TestAReplyTooLargeForManySessions"),
		Marker: "many-sessions", Old: "m.reply != nil", New: "false",
	},
	{
		Name:   "a plain file does not answer an encrypted message",
		By:     unit("TestAPlainPictureRepliesToAnEncryptedMessage"),
		Marker: "plain-file", Old: "!passed && plainFile(value)", New: "false",
	},
	{
		Name: "a file that is passed on as it came is checked", By: unit("TestReceivedPayloadsAreForwarded"),
		Marker: "passed-file", Old: "attached, nil", New: "attached && false, nil",
	},
	{
		Name:   "the key of a file that cannot be read goes out in plain text",
		By:     unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "raw-key", Old: "namesKey(v.Data)", New: "false",
	},
}
