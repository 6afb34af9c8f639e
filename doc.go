// Package blaze is a client for Blaze, the websocket of Mixin Messenger: it lets a bot receive and send messages.
// A bot is
//
//	key, err := blaze.LoadKeystore("keystore.json")
//	c, err := blaze.New(key, nil)
//	err = c.Run(ctx, blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
//		return c.Reply(ctx, m, "echo: "+t)
//	}))
//
// [Client.Run] connects, asks for what is pending, hands messages to the handler, acknowledges them, and connects again
// when the connection is lost. [On] makes a handler for one type of payload, [Command] for texts such as "/price BTC",
// and [Route] asks several in turn.
//
// # Delivery
//
// A message is acknowledged after its handler has returned nil, and pushed again by the server until it is
// acknowledged: at least once. Messages of one conversation are handled one at a time and in order, different
// conversations at the same time. Within one process a message is not handled again once that has succeeded; across
// restarts a [Ledger] remembers. A handler that fails or panics is tried again, up to Config.HandlerAttempts.
//
// A message that is sent keeps its MessageID on every try, and the server stores an id once. [Message.NewReply] derives
// that id from what is answered and what is said, so that a handler which runs again and says the same is stored once.
// For text that differs each time, [DeriveID] pins the id.
//
// # Errors
//
// [Client.Send] returns nil once the server has confirmed the message. A refusal is an *[Error], whose [Code] errors.Is
// finds; when it cannot be known whether the message was stored, it is an *[UnconfirmedError]; a message that cannot be
// sent is an *[InvalidError], before anything is written.
//
// No error and no log line of this package, and no [Client], [Keystore], [Message] or [Outgoing] that is printed, holds
// a key, a token or what a message says. What a handler puts into its own errors and panics is logged as it is.
//
// # Files, encryption, first contact
//
// [Client.Upload], [Client.Download] and [Client.DownloadFile] move files of any size, up to Config.MaxDownload;
// [Client.UploadImage] makes an [Image] of a picture.
// Messages sealed for the bot arrive like plain ones, their replies are sealed where that can be ([Message.NewReply]),
// and Outgoing.Encrypted seals anything else. Encryption hides what a message says from the service, and not who writes
// to whom; that a sealed message is by its sender is the service's word. [Client.OpenConversation] lets the bot write
// first. All of that goes over HTTP and needs no Run.
//
// # Tests
//
// Package blazetest is a server in memory: it delivers messages to a bot and shows what the bot sent.
package blaze
