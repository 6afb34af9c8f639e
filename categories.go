package blaze

import "strings"

// Category says what a message is, as the wire spells it. It is an open set: a category without a constant here is
// delivered as [Raw] like any other. Among those are calls (WEBRTC_*, KRAKEN_*) and messages that only people's own
// devices can open (SIGNAL_*).
type Category string

// Plain categories: the server can read the message. Source: the service's list of websocket messages; PLAIN_TRANSCRIPT
// and PLAIN_JSON came later, with Messenger.
const (
	CategoryPlainText       Category = "PLAIN_TEXT"       // Text
	CategoryPlainPost       Category = "PLAIN_POST"       // Post
	CategoryPlainImage      Category = "PLAIN_IMAGE"      // Image
	CategoryPlainData       Category = "PLAIN_DATA"       // Data
	CategoryPlainSticker    Category = "PLAIN_STICKER"    // Sticker
	CategoryPlainContact    Category = "PLAIN_CONTACT"    // Contact
	CategoryPlainAudio      Category = "PLAIN_AUDIO"      // Audio
	CategoryPlainVideo      Category = "PLAIN_VIDEO"      // Video
	CategoryPlainLive       Category = "PLAIN_LIVE"       // Live
	CategoryPlainLocation   Category = "PLAIN_LOCATION"   // Location
	CategoryPlainTranscript Category = "PLAIN_TRANSCRIPT" // Transcript
	// Raw: how the devices of one account talk to each other; nothing for a bot to do
	CategoryPlainJSON Category = "PLAIN_JSON"
)

// Categories that only bots send. Source: the service's list of websocket messages.
const (
	CategoryAppButtonGroup Category = "APP_BUTTON_GROUP" // ButtonGroup
	CategoryAppCard        Category = "APP_CARD"         // Card
)

// Categories that change an earlier message.
const (
	CategoryMessageRecall Category = "MESSAGE_RECALL" // Recall
	CategoryMessagePin    Category = "MESSAGE_PIN"    // Pin
)

// Encrypted categories: what a plain category carries, sealed for the sessions of the recipients. What was sealed for
// ours arrives as the payload of the plain category, with the Category still telling; what cannot be opened is a [Raw]
// with Err set.
const (
	CategoryEncryptedText       Category = "ENCRYPTED_TEXT"
	CategoryEncryptedPost       Category = "ENCRYPTED_POST"
	CategoryEncryptedImage      Category = "ENCRYPTED_IMAGE"
	CategoryEncryptedData       Category = "ENCRYPTED_DATA"
	CategoryEncryptedSticker    Category = "ENCRYPTED_STICKER"
	CategoryEncryptedContact    Category = "ENCRYPTED_CONTACT"
	CategoryEncryptedAudio      Category = "ENCRYPTED_AUDIO"
	CategoryEncryptedVideo      Category = "ENCRYPTED_VIDEO"
	CategoryEncryptedLive       Category = "ENCRYPTED_LIVE"
	CategoryEncryptedLocation   Category = "ENCRYPTED_LOCATION"
	CategoryEncryptedTranscript Category = "ENCRYPTED_TRANSCRIPT"
)

// Categories that the service itself writes.
const (
	CategorySystemConversation    Category = "SYSTEM_CONVERSATION"     // SystemConversation
	CategorySystemUser            Category = "SYSTEM_USER"             // Raw: a user's profile changed
	CategorySystemCircle          Category = "SYSTEM_CIRCLE"           // Raw: a circle of conversations changed
	CategorySystemSession         Category = "SYSTEM_SESSION"          // Raw: a user signed in or out somewhere
	CategorySystemAccountSnapshot Category = "SYSTEM_ACCOUNT_SNAPSHOT" // AccountSnapshot
	CategorySystemSafeSnapshot    Category = "SYSTEM_SAFE_SNAPSHOT"    // SafeSnapshot
	CategorySystemSafeInscription Category = "SYSTEM_SAFE_INSCRIPTION" // SafeSnapshot
)

const (
	plainPrefix     = "PLAIN_"
	encryptedPrefix = "ENCRYPTED_"
	systemPrefix    = "SYSTEM_"
)

// Encrypted reports whether the message is sealed for its recipients' sessions: ENCRYPTED_*.
func (c Category) Encrypted() bool { return strings.HasPrefix(string(c), encryptedPrefix) }

// System reports whether no person wrote the message: SYSTEM_*, and the notices MESSAGE_RECALL and MESSAGE_PIN. A
// handler that answers everything should not answer these.
func (c Category) System() bool {
	return strings.HasPrefix(string(c), systemPrefix) || c == CategoryMessageRecall || c == CategoryMessagePin
}

// Plain returns the category of the same content when it is not sealed: PLAIN_X for ENCRYPTED_X, and every other
// category as it is.
func (c Category) Plain() Category {
	if rest, ok := strings.CutPrefix(string(c), encryptedPrefix); ok {
		return Category(plainPrefix + rest)
	}
	return c
}
