package mutants

// replies has the mutants of replies to encrypted messages, and of forwarded messages.
var replies = []Mutant{
	{
		Name: "a reply to a transfer has no recipient", By: unit("TestReplyToATransfer"),
		Marker: "reply-recipient", Old: "m.inContact()", New: "!m.Group && !m.Category.System()",
	},
	{
		Name:   "a reply into another conversation has the sender as its recipient",
		By:     unit("TestReplyIsSentToTheMessagesConversation"),
		Marker: "reply-recipient", Old: "strings.EqualFold(conversationID, m.ConversationID)", New: "true",
	},
	{
		Name: "a received payload is validated when it is forwarded", By: unit("TestReceivedPayloadsAreForwarded"),
		Marker: "forwarded-data", Old: "m.Data != nil", New: "false",
	},
	{
		Name: "a payload changed by the caller is forwarded unchanged", By: unit("TestPayloadsOfTheAuthorAreValidated"),
		Marker: "forwarded-data", Old: "arrivedAs(value, m.Data)", New: "true",
	},
	{
		Name:   "a payload replaced by the caller is forwarded unchanged",
		By:     unit("TestPayloadsOfTheAuthorAreValidated"),
		Marker: "forwarded-changed", Old: "arrivedAs(value, data)", New: "true",
	},
	{
		Name: "the key of an encrypted file is sent in plain text", By: unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "plain-key", Old: "hasKey(value)", New: "false",
	},
	{
		Name:   "a message that the caller encrypts is sent in plain text",
		By:     unit("TestMessagesEncryptedByTheirAuthor"),
		Marker: "encrypted-default", Old: `out.origin.recipient != ""`, New: `true || out.origin.recipient != ""`,
	},
	{
		Name:   "a bot with an RSA key cannot reply to an encrypted message",
		By:     unit("TestAnRSASessionRepliesUnencrypted"),
		Marker: "plain-rsa", Old: "d.way == sealed", New: "false",
	},
	{
		Name: "a reply to a user without a session fails", By: unit("TestAReplyThatNobodyCouldDecrypt"),
		Marker: "plain-no-session", Old: "errors.Is(m.err, ErrNoSession)", New: "false",
	},
	{
		Name: "a batched reply to a user without a session fails", By: unit("TestAReplyThatNobodyCouldDecrypt"),
		Marker: "plain-batch", Old: "m.again || c.asPlain(m)", New: "m.again",
	},
	{
		Name:   "a message is dropped for an error of its reply's defaults",
		By:     unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "default-permanent", Old: "errors.As(err, &byDefault)", New: "byDefault != nil",
	},
	{
		Name: "a card with a cover is invalid without a button", By: unit("TestACardWithACover"),
		Marker: "card-cover", Old: `|| c.CoverURL != ""`, New: "",
	},
	{
		Name: "a picture with a quote is batched", By: unit("TestQuotes"),
		Marker: "quote-frame", Old: `d.QuoteID == ""`, New: "true",
	},
	{
		Name: "an encrypted picture is uploaded unencrypted", By: unit("TestAPictureRepliesToAnEncryptedMessage"),
		Marker: "encrypted-image", Old: "c.UploadEncrypted", New: "c.Upload",
	},
	{
		Name: "a malformed list of sessions counts as empty", By: unit("TestInvalidSessionsDoNotExposeAReply"),
		Marker: "malformed-sessions", Old: "list.Odd", New: "false",
	},
	{
		Name: "a session with a malformed key counts as missing", By: unit("TestInvalidSessionsDoNotExposeAReply"),
		Marker: "malformed-key", Old: "if odd", New: "if false && odd",
	},
	{
		Name:   "a reply is encrypted for more sessions than fit into a request",
		By:     unit("TestAReplyTooLargeForManySessions"),
		Marker: "many-sessions", Old: "m.reply != nil", New: "false",
	},
	{
		Name:   "an unencrypted file cannot reply to an encrypted message",
		By:     unit("TestAPlainPictureRepliesToAnEncryptedMessage"),
		Marker: "plain-file", Old: "!passed && plainFile(value)", New: "false",
	},
	{
		Name: "a forwarded file is validated", By: unit("TestReceivedPayloadsAreForwarded"),
		Marker: "forwarded-file", Old: "attached, nil", New: "attached && false, nil",
	},
	{
		Name: "the key of a malformed file is sent in plain text", By: unit("TestFilesOfRepliesToAnEncryptedMessage"),
		Marker: "raw-key", Old: "namesKey(v.Data)", New: "false",
	},
}
