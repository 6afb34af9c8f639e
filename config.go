package blaze

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Config holds the options of a [Client]. The zero value of every field is its default, and a nil *Config is the zero
// Config. [New] copies it: later changes have no effect.
type Config struct {
	// Endpoints are the websocket addresses, tried in turn when one cannot be reached. Zero means
	// wss://blaze.mixin.one/ and wss://mixin-blaze.zeromesh.net/. Plain ws:// is accepted for loopback hosts only.
	Endpoints []string
	// API is the base of the HTTP API. Zero means https://api.mixin.one.
	API string
	// DialContext makes the network connections. Zero means that of a [net.Dialer].
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLSClientConfig is used for wss:// and https://. Zero means the system's roots and TLS 1.2 or later.
	TLSClientConfig *tls.Config
	// Proxy chooses a proxy for each request. Zero means [http.ProxyFromEnvironment].
	Proxy func(*http.Request) (*url.URL, error)
	// HTTPClient makes the HTTP requests. Zero means one of the Client's own, with the same dialer, TLS and proxy, whose
	// idle connections are closed when Run ends.
	HTTPClient *http.Client
	// Logger hears of what an operator must know: Info connected; Warn disconnected, handler failed, first decline of a
	// category; Error message dropped. Zero means [slog.Default]. It never gets a message body or a secret.
	Logger *slog.Logger
	// Trace has hooks for what happens inside. Zero means none.
	Trace *Trace
	// Workers is how many conversations are handled at once. Zero means 16. The goroutines exist only while there is work.
	Workers int
	// InboxBytes bounds the messages held, each its data plus 512 bytes. Zero means 64 MiB. What does not fit stays on the
	// server, unacknowledged, and is asked for again once half of it is free.
	InboxBytes int64
	// OutboxLen bounds the sends and batch frames that are written or waiting. Zero means 1024. They are bounded to 32 MiB
	// as well. Send blocks beyond either.
	OutboxLen int
	// Ack says when a message is acknowledged. Zero means AckHandled.
	Ack AckMode
	// AckStatus is the status of automatic acknowledgements. Zero means StatusRead: the sender sees "read".
	// StatusDelivered leaves "read" to Client.Ack.
	AckStatus Status
	// AckBatch is how many acknowledgements go into one frame. Zero means 80; 1 uses ACKNOWLEDGE_MESSAGE_RECEIPT only.
	AckBatch int
	// HandlerAttempts is how often a message's handler is tried, 1 s apart, doubling to a minute. Zero means 8, about two
	// minutes. Negative means no limit: a message that always fails then holds up its conversation for ever.
	HandlerAttempts int
	// SendAttempts is how often a request that is refused for a passing reason is tried. Zero means 5; negative, no limit.
	SendAttempts int
	// ReplyTimeout is how long a request waits for its reply before it is sent again with the same ids, doubling each time.
	// Zero means 20 seconds.
	ReplyTimeout time.Duration
	// Drain is how long Run waits for handlers, replies and acknowledgements once its context has ended. Raise it above
	// your slowest handler. Zero means 5 seconds; negative, not at all.
	Drain time.Duration
	// Limiter is waited for before each message that is sent. Zero means none.
	Limiter Limiter
	// Ledger remembers which messages were handled. Zero means one in memory of the last 100,000 ids, grown as needed.
	Ledger Ledger
	// OnReceipt is called when a recipient's client got or read one of our messages. It runs like a handler, in a lane of
	// its own: one at a time, in order. Zero means that receipts are ignored.
	OnReceipt func(Receipt)
}

// Limiter slows sending down. *rate.Limiter of golang.org/x/time/rate is one, with any burst. Wait is called once for each
// message of Send and SendBatch, and once more after a 429; not for messages sent again after a lost connection, and not
// for acknowledgements. An error of Wait ends that send with nothing written.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Ledger remembers which messages were handled, so that a message pushed again is acknowledged and not handled again. It
// belongs to one bot: in a store shared by bots, key by AppID and id. It remembers; it is no lock between processes. Its
// methods are called concurrently.
type Ledger interface {
	// Handled reports whether the message was recorded. An error means: not known. The handler is then tried.
	Handled(ctx context.Context, messageID string) (bool, error)
	// Record notes that the message is finished with. It may come twice for one id. When it fails, the error is logged, and
	// the message is acknowledged all the same.
	Record(ctx context.Context, messageID string) error
}

// Trace has hooks for what happens inside a Client. Each may be nil. A hook is called by the goroutine that owns the event,
// never under a lock; it must be fast and must not call into the Client.
type Trace struct {
	Connected    func(endpoint string)
	Disconnected func(err error, retryIn time.Duration)
	FrameRead    func(frame []byte)          // JSON after gunzip, valid during the call only
	FrameWritten func(frame []byte)          // JSON before gzip, valid during the call only
	HandlerError func(m *Message, err error) // a handler failed, panics included
	Dropped      func(m *Message, err error) // given up: acknowledged without a handler having succeeded; keep m if you want it back
}
