// Package blaze is a client for Blaze, the websocket API of Mixin Messenger. Bots use it to receive and send messages.
//
// A minimal bot:
//
//	key, err := blaze.LoadKeystore("keystore.json")
//	c, err := blaze.New(key, nil)
//	err = c.Run(ctx, blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
//		return c.Reply(ctx, m, "echo: "+t)
//	}))
//
// [Client.Run] connects, requests pending messages, passes each message to the handler, acknowledges it, and reconnects
// when the connection is lost. [On] makes a handler for one payload type, [Command] one for texts such as "/price BTC",
// and [Route] tries several handlers in turn.
//
// # Delivery
//
// Delivery is at least once: the server redelivers a message until it is acknowledged, and the client acknowledges it
// after its handler has returned nil. Messages of one conversation are handled one at a time and in order. Different
// conversations are handled concurrently. Within one process, a message is not handled again after its handler
// succeeded. To keep that across restarts, set Config.Ledger. A handler that fails or panics is retried, up to
// Config.HandlerAttempts.
//
// A sent message keeps its MessageID on every attempt, and the server stores each id once. [Message.NewReply] derives
// the id from the message answered and the reply's content. A handler that runs again and sends the same reply
// therefore never creates a duplicate. If the text differs each time, set the id with [DeriveID].
//
// # Errors
//
// [Client.Send] returns nil once the server has confirmed the message. Its errors include:
//
//   - *[Error]: the server rejected the message. Test for a [Code] with errors.Is.
//   - *[UnconfirmedError]: the message may or may not have been stored.
//   - *[InvalidError]: the message is invalid. Nothing was written.
//
// The errors and log records of this package never contain a key, a token or a message body. Neither does the printed
// form of a [Client], [Keystore], [Message] or [Outgoing]. Errors and panics of handlers are logged verbatim.
//
// # Files, encryption, first contact
//
// [Client.Upload], [Client.Download] and [Client.DownloadFile] transfer files without holding large ones in memory.
// Config.MaxDownload limits downloads. [Client.UploadImage] uploads a picture and returns its [Image].
//
// A session is one sign-in of a user or bot, and has a key of its own. An encrypted message is encrypted for each
// session of its recipient.
//
// Encrypted messages are decrypted and arrive like plain ones. Replies to them are encrypted where possible (see
// [Message.NewReply]). Outgoing.Encrypted encrypts any other message. Encryption hides the content from the service. It
// does not hide who writes to whom, and the sender of an encrypted message is vouched for by the service only.
//
// [Client.OpenConversation] lets the bot write to a user first.
//
// File transfers, encrypted sends and OpenConversation use HTTP and work without Run.
//
// # Tests
//
// Package blazetest is an in-memory server for tests. It delivers messages to a bot and records what the bot sends.
package blaze

// A comment "mutant:" with a name marks code that a mutation test changes; see internal/mutants and ARCHITECTURE.md.
