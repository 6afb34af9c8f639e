package blaze

import "strings"

// Category is the kind of a message, as spelled on the wire. The set is open: a message of a category without a
// constant here arrives as [Raw]. Examples are calls (WEBRTC_*, KRAKEN_*) and messages that only the devices of people
// can decrypt (SIGNAL_*).
type Category string

// Plain categories: the server can read these messages. The comments name the payload types, here and below. Source:
// the service's list of websocket messages, https://developers.mixin.one/api/n-websocket/messages, since replaced by
// https://developers.mixin.one/docs/api/messages/category. PLAIN_TRANSCRIPT and PLAIN_JSON were added by Messenger
// later.
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
	// Raw: used between the devices of one account; bots can ignore it
	CategoryPlainJSON Category = "PLAIN_JSON"
)

// Categories that only bots send. Source: the service's list of websocket messages; see [CategoryPlainText].
const (
	CategoryAppButtonGroup Category = "APP_BUTTON_GROUP" // ButtonGroup
	CategoryAppCard        Category = "APP_CARD"         // Card
)

// Categories that refer to an earlier message.
const (
	CategoryMessageRecall Category = "MESSAGE_RECALL" // Recall
	CategoryMessagePin    Category = "MESSAGE_PIN"    // Pin
)

// Encrypted categories: the content of a plain category, encrypted for the sessions of the recipients. A decrypted
// message has the payload type of the plain category, and keeps its Category. A message that cannot be decrypted is a
// [Raw] with Err set.
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

// Categories written by the service itself.
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

// Encrypted reports whether the message is encrypted for its recipients' sessions: ENCRYPTED_*.
func (c Category) Encrypted() bool { return strings.HasPrefix(string(c), encryptedPrefix) }

// System reports whether the message is a notice: SYSTEM_*, MESSAGE_RECALL or MESSAGE_PIN. A handler that answers every
// message should skip these.
func (c Category) System() bool {
	return strings.HasPrefix(string(c), systemPrefix) || c == CategoryMessageRecall || c == CategoryMessagePin
}

// Plain returns the unencrypted category of the same content: PLAIN_X for ENCRYPTED_X. It returns every other category
// unchanged.
func (c Category) Plain() Category {
	if rest, ok := strings.CutPrefix(string(c), encryptedPrefix); ok {
		return Category(plainPrefix + rest)
	}
	return c
}
