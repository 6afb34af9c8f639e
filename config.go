package blaze

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/recent"
)

// Config holds the options of a [Client]. The zero value of every field is its default, and a nil *Config is the zero
// Config. [New] copies it: later changes have no effect.
type Config struct {
	// Endpoints are the websocket addresses, tried in turn until one serves. Zero means
	// wss://blaze.mixin.one/ and wss://mixin-blaze.zeromesh.net/. Plain ws:// is accepted for loopback hosts only.
	Endpoints []string
	// API is the base of the HTTP API, and then the only one. Zero means https://api.mixin.one and
	// https://mixin-api.zeromesh.net: the other host is used once one gives no answer that is the service's own. Plain
	// http:// is accepted for loopback hosts only.
	API string
	// UserAgent is the User-Agent header of the websocket and of HTTP requests. Zero means
	// "mixin-blaze/VERSION (go1.x)", with the versions of this package and of Go. By this header the service decides
	// whether a client is outdated, which is [CodeUpdateRequired]. It must be printable ASCII.
	UserAgent string
	// DialContext makes the network connections. It must return when its context ends: the Client makes no other
	// connection meanwhile, and Run waits a second for it at its end. A panic in it, in Proxy or in a callback of
	// TLSClientConfig is an error of that connection. The addresses of files are not checked after it has resolved
	// them: see AllowPrivateStorage. Zero means that of a [net.Dialer].
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLSClientConfig is used for wss:// and https://, and for proxies of https://. Zero means the system's roots and
	// TLS 1.2 or later. NextProtos is not used: the Client speaks HTTP/1.1 only.
	TLSClientConfig *tls.Config
	// Proxy chooses a proxy for each request and each websocket: http://, https://, socks5:// or socks5h://. An error
	// that the proxy caused names it by its host. A proxy for a loopback host that is reached without TLS is refused:
	// it would see the token. The proxy resolves the hosts of files, and the addresses it connects to are not checked:
	// see AllowPrivateStorage. Zero means [http.ProxyFromEnvironment].
	Proxy func(*http.Request) (*url.URL, error)
	// HTTPClient makes the HTTP requests; it is copied, and the copy follows no redirects. So is its Transport where it
	// is an [http.Transport], so that a panic in its hooks is an error of the request. Zero means a client with the
	// same dialer, TLS and proxy as the websocket, whose idle connections are closed after five seconds. The idle
	// connections of either are closed by CloseIdleConnections and when Run ends. What an HTTPClient connects to is not
	// checked: see AllowPrivateStorage.
	HTTPClient *http.Client
	// MaxDownload is how many bytes a file may have that Download, DownloadFile or Reupload fetches. A larger
	// Attachment.Size is an [InvalidError] before anything is requested, and so is a larger file once it is known to be
	// larger. Zero means 1 GiB (1 << 30).
	MaxDownload int64
	// TempDir is where Download and Reupload keep the encrypted form of files of more than 4 MiB until they are closed,
	// in files that only this user can read (0600). Where the system allows it, they have no name, and so take no space
	// after a crash; Windows does not. Zero means [os.TempDir].
	TempDir string
	// AllowPrivateStorage accepts files at addresses that are not public. By default a URL of a file is refused if its
	// host is "localhost" or a loopback, link-local, private, shared (100.64.0.0/10), unspecified or multicast IP
	// address, unusual forms such as 127.1 included. The address that a host name resolves to is checked when the
	// Client connects to it; connections made by DialContext, HTTPClient or a proxy are not checked. Set it for a
	// storage on a private network. It has no effect if the API is on a loopback address.
	AllowPrivateStorage bool
	// Logger gets the events that an operator needs: Info connected; Warn disconnected, handler failed, a handler or
	// OnReceipt that has been running for over a minute (once, counted in Stats.SlowHandlers), first decline of a
	// category, a request that has waited 5 s because Run was not called, and once a minute that conversations wait for
	// a message whose handler fails; Error message dropped, a hook failed, and a session that only the websocket
	// refuses; and Warn for what the Ledger, OnReceipt or the server reports. Zero means [slog.Default]. The Client
	// logs no secret and no message body; errors and panics of handlers are logged as they are.
	//
	// Of warnings that are equal, but for the message they are about, the first is logged, then one with their number
	// as "repeated" after a second, and then one a minute. At most 256 kinds are told apart; of further ones, those
	// with the same text count as equal. Of records that matter each, such as a message that was dropped or a
	// connection that was made, the first 60 with the same text are logged before that, and again after a minute
	// without any. An error has at most 2,000 bytes. The stack of a panic is an attribute "stack" of at most 8 KiB,
	// logged once for each place in the code, of 100 places. Ids and other texts of a peer are on one line, and short.
	// Records carry the values of Run's context.
	//
	// Records are queued and handled in order, one at a time, with the time of their event. So a Logger may block, and
	// it may send with this Client. At most 1,024 records and hooks wait: what finds no room is lost and counted in
	// Stats.TraceDropped. At its end Run waits for them for a second, within Drain; those left come after Run returned.
	Logger *slog.Logger
	// Trace has hooks for what happens inside. Zero means none.
	Trace *Trace
	// Workers is how many conversations are handled at once, fewer where their messages have more than 16 KiB of data:
	// see InboxBytes. Zero means 16. The goroutines exist only while there is work.
	Workers int
	// InboxBytes bounds the messages held, each its data plus 512 bytes, and plus 160 with AckReceived. Zero means 64
	// MiB. Messages of more than 16 KiB that are being handled share an eighth of InboxBytes; one alone is always
	// handled. Not counted are the ids of the replies to a message that failed: 17 bytes for each of the first 256. A
	// handler that keeps a Message keeps memory of its own.
	//
	// One message of more than half of InboxBytes, even of more than all of it, is taken as soon as half is free. Where
	// a message does not fit, the conversation that holds most gives way: its newest messages stay on the server,
	// unacknowledged. If that is not enough, messages that failed and wait for another attempt give way, except those
	// acknowledged before. All come again, with everything pending, once half of what was held then is handled, or
	// after a minute, and their attempts go on being counted. A backlog larger than InboxBytes is pushed several times:
	// about 25 times where it is 40 times as large.
	InboxBytes int64
	// OutboxLen bounds the sends and the requests of batches that are written or waiting, those over HTTP included.
	// Zero means 1024. They are bounded to 32 MiB as well. Send blocks beyond either.
	OutboxLen int
	// Ack says when a message is acknowledged. Zero means AckHandled.
	Ack AckMode
	// AckStatus is the status of automatic acknowledgements. Zero means StatusRead: the sender sees "read".
	// StatusDelivered leaves "read" to Client.Ack.
	AckStatus Status
	// AckBatch is how many acknowledgements go into one frame. Zero means 80; 1 uses ACKNOWLEDGE_MESSAGE_RECEIPT only.
	AckBatch int
	// HandlerAttempts is how often a message's handler is tried, 1 s apart, doubling to a minute. Zero means 8, about
	// two minutes. Negative means no limit: a message that always fails then holds up its conversation for ever.
	HandlerAttempts int
	// SendAttempts is how often a request that is refused for a passing reason is tried. Zero means 5; negative, no
	// limit.
	SendAttempts int
	// ReplyTimeout is how long a request waits for its reply before it is sent again with the same ids, doubling with
	// each silence of a send. Zero means 20 seconds; at most an hour.
	ReplyTimeout time.Duration
	// Drain is how long Run waits for handlers, replies and acknowledgements once its context has ended. Raise it above
	// your slowest handler. Zero means 5 seconds; negative, not at all.
	Drain time.Duration
	// Limiter is waited for before each message that is sent. Zero means none.
	Limiter Limiter
	// Ledger remembers which messages were handled. Zero means one in memory of the last 100,000 ids, grown as needed.
	Ledger Ledger
	// OnReceipt is called when a recipient's client got or read one of our messages: once for each receipt, one at a
	// time, in order, beside the handlers. A panic is logged, and the receipt is not tried again. Up to 16,384 receipts
	// wait for it; further ones are lost, logged, and counted in Stats.ReceiptsDropped. Each recipient of a broadcast
	// makes two receipts, delivered and read: a slow OnReceipt hands them to a queue of its own. The service pushes
	// receipts to clients that ask for messages, so with a nil Handler there are none. Zero means that receipts are
	// ignored.
	OnReceipt func(Receipt)
}

// Limiter slows sending down. *rate.Limiter of golang.org/x/time/rate is one, with any burst. Wait is called once for
// each message of Send and SendBatch, and once more after a 429; not for messages sent again after a lost connection,
// and not for acknowledgements. An error of Wait ends that send with nothing written. So does a panic or a Goexit.
// Wait must return when its context ends.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Trace has hooks for what happens inside a Client. Each may be nil. None is called under a lock. A hook that panics
// or calls [runtime.Goexit] is logged, at most once a minute, and called again for the next event.
//
// Connected and Disconnected are queued with the records of Config.Logger: they are called one at a time, in order,
// and are lost when the queue is full. They may block and use the Client.
//
// FrameRead and FrameWritten are called by the goroutines that read and write a connection. They must be fast and
// must not call into the Client. A Goexit in them ends the connection, once. FrameRead of a connection is called only
// after Connected; where Connected waits in the queue for more than a second, it is dropped.
//
// HandlerError and Dropped are called for each failure, and never lost. The conversation of the message waits for
// them.
type Trace struct {
	Connected    func(endpoint string)
	Disconnected func(err error, retryIn time.Duration)
	// JSON after gunzip, valid during the call only; set, frames are inflated one at a time
	FrameRead    func(frame []byte)
	FrameWritten func(frame []byte)          // JSON before gzip, valid during the call only
	HandlerError func(m *Message, err error) // a handler failed, panics included
	// Dropped gets each message that was given up: no handler succeeded, and it is acknowledged unless Config.Ack is
	// AckManual. It returns before the message is recorded and, unless Config.Ack is AckReceived, acknowledged. Keep m
	// if you want it back. With AckReceived, where Run ends before another attempt, err has the first 80 bytes of the
	// text of the handler's error, and does not wrap it.
	Dropped func(m *Message, err error)
}

// The defaults of Config, where they are more than a zero value.
const (
	defaultWorkers         = 16
	defaultInboxBytes      = 64 << 20
	defaultOutboxLen       = 1024
	outboxBytes            = 32 << 20
	defaultAckBatch        = 80
	maxAckBatch            = 100 // the service's limit
	defaultHandlerAttempts = 8
	defaultSendAttempts    = 5
	defaultReplyTimeout    = 20 * time.Second
	defaultDrain           = 5 * time.Second
	defaultMaxDownload     = 1 << 30
	mostBytes              = 1 << 50 // of a file: its sums are far from an overflow
	ledgerLen              = 100_000
)

// withDefaults returns a copy of c, which may be nil, in which every zero is its default.
func (c *Config) withDefaults() (Config, error) {
	var out Config
	if c != nil {
		out = *c
	}
	out.Endpoints = slices.Clone(out.Endpoints)
	if len(out.Endpoints) == 0 {
		out.Endpoints = []string{"wss://blaze.mixin.one/", "wss://mixin-blaze.zeromesh.net/"}
	}
	for i, e := range out.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return Config{}, invalid(fmt.Sprintf("Config.Endpoints[%d]", i), "%v", err)
		}
	}
	if out.DialContext == nil {
		out.DialContext = new(net.Dialer).DialContext
	}
	out.TLSClientConfig = http1(out.TLSClientConfig)
	if out.Proxy == nil {
		out.Proxy = careful(http.ProxyFromEnvironment)
	}
	if out.API != "" {
		if err := checkAPI(out.API); err != nil {
			return Config{}, invalid("Config.API", "%v", err)
		}
	}
	orDefault(&out.UserAgent, userAgent())
	if err := checkUserAgent(out.UserAgent); err != nil {
		return Config{}, invalid("Config.UserAgent", "%v", err)
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	if out.Ledger == nil {
		out.Ledger = &memoryLedger{ids: recent.Set{Limit: ledgerLen}}
	}
	trace := Trace{}
	if out.Trace != nil {
		trace = *out.Trace
	}
	out.Trace = &trace
	return out, out.numbers()
}

// numbers checks and fills in everything that counts or chooses.
func (c *Config) numbers() error {
	orDefault(&c.Workers, defaultWorkers)
	orDefault(&c.InboxBytes, defaultInboxBytes)
	orDefault(&c.OutboxLen, defaultOutboxLen)
	orDefault(&c.AckStatus, StatusRead)
	orDefault(&c.AckBatch, defaultAckBatch)
	orDefault(&c.HandlerAttempts, defaultHandlerAttempts)
	orDefault(&c.SendAttempts, defaultSendAttempts)
	orDefault(&c.ReplyTimeout, defaultReplyTimeout)
	orDefault(&c.Drain, defaultDrain)
	orDefault(&c.MaxDownload, defaultMaxDownload)
	c.MaxDownload = min(c.MaxDownload, mostBytes)
	switch {
	case c.Workers < 0:
		return invalid("Config.Workers", "must not be negative")
	case c.InboxBytes < 0:
		return invalid("Config.InboxBytes", "must not be negative")
	case c.OutboxLen < 0:
		return invalid("Config.OutboxLen", "must not be negative")
	case c.AckBatch < 0 || c.AckBatch > maxAckBatch:
		return invalid("Config.AckBatch", "must be between 1 and %d", maxAckBatch)
	case c.MaxDownload < 0:
		return invalid("Config.MaxDownload", "must not be negative")
	case c.Ack < AckHandled || c.Ack > AckManual:
		return invalid("Config.Ack", "unknown mode %d", c.Ack)
	case c.AckStatus != StatusRead && c.AckStatus != StatusDelivered:
		return invalid("Config.AckStatus", "must be StatusRead or StatusDelivered")
	case c.ReplyTimeout < 0:
		return invalid("Config.ReplyTimeout", "must not be negative")
	case c.ReplyTimeout > time.Hour:
		return invalid("Config.ReplyTimeout", "must be at most an hour")
	case c.ReplyTimeout < time.Millisecond:
		return invalid("Config.ReplyTimeout", "%v is less than a millisecond: multiply by time.Second", c.ReplyTimeout)
	case c.Drain > 0 && c.Drain < time.Millisecond:
		return invalid("Config.Drain", "%v is less than a millisecond: multiply by time.Second", c.Drain)
	}
	return nil
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// checkEndpoint keeps tokens off the open network: wss, or ws to this machine.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "":
		return errors.New("must be a URL such as wss://blaze.mixin.one/")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return errors.New("must have no user, path, query or fragment: tokens are signed for the path /")
	case u.Scheme == "wss" || u.Scheme == "ws" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must begin with wss://, or ws:// for a loopback host")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// AckMode says when a message is acknowledged. Until then the server pushes it again on every connection.
type AckMode int

// The acknowledgement modes.
const (
	// AckHandled acknowledges a message when its handler returned nil and the Ledger recorded it: at least once.
	AckHandled AckMode = iota
	// AckReceived acknowledges a message when a worker takes it, before the handler runs. The handler is still tried
	// again in this process: at most once over a crash. What fails and is not tried again before Run ends is given up
	// then.
	AckReceived
	// AckManual leaves acknowledging and recording to Client.Ack. Until then this process does not handle the message
	// again (of the last 100,000 such messages), and the next start does. A message that is given up is reported and
	// stays pending; one that every handler declined is acknowledged, for nobody is left who would do it.
	AckManual
)

// apis returns the hosts of the HTTP API.
func (c *Config) apis() []string {
	if c.API != "" {
		return []string{c.API}
	}
	return []string{"https://api.mixin.one", "https://mixin-api.zeromesh.net"}
}

// checkAPI keeps tokens off the open network: https, or http to this machine.
func checkAPI(api string) error {
	u, err := url.Parse(api)
	switch {
	case err != nil || u.Host == "":
		return errors.New("must be a URL such as https://api.mixin.one")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "":
		return errors.New("must have no user, path, query or fragment, and no slash at its end: requests are signed " +
			"with their whole path")
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must begin with https://, or http:// for a loopback host")
}

// The waits of a Client.
var (
	reconnectWait = backoff.Policy{Base: 500 * time.Millisecond, Cap: 30 * time.Second}
	refusalWait   = backoff.Policy{Base: time.Second, Cap: 30 * time.Second}
	handlerWait   = backoff.Policy{Base: time.Second, Cap: time.Minute}
)
