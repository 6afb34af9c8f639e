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

// Config holds the options of a [Client]. The zero value of every field selects its default, and a nil *Config is the
// zero Config. [New] copies it; later changes have no effect.
type Config struct {
	// Endpoints are the websocket addresses. They are tried in turn until one connects. Zero means
	// wss://blaze.mixin.one/ and wss://mixin-blaze.zeromesh.net/. ws:// is accepted for loopback hosts only.
	Endpoints []string
	// API is the base URL of the HTTP API. If it is set, no other is used. Zero means https://api.mixin.one and
	// https://mixin-api.zeromesh.net; when one of them gives no response of the service, the other is used. http:// is
	// accepted for loopback hosts only.
	API string
	// UserAgent is the User-Agent header of the websocket and of HTTP requests. The service uses it to decide whether a
	// client is outdated ([CodeUpdateRequired]). It must be printable ASCII. Zero means "mixin-blaze/VERSION (go1.x)",
	// with the versions of this package and of Go.
	UserAgent string
	// DialContext opens network connections. It must return when its context ends: until it has returned, the Client
	// dials no other websocket, and when Run ends it waits for DialContext up to a second, within Drain. A panic in
	// DialContext, in Proxy or in a callback of TLSClientConfig becomes an error of that connection. The Client does
	// not check the addresses to which DialContext resolves the hosts of files; see AllowPrivateStorage. Zero means the
	// DialContext of a [net.Dialer].
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLSClientConfig is used for wss:// and https://, and for https:// proxies. Zero means the system's roots and TLS
	// 1.2 or later. NextProtos is ignored: the Client speaks HTTP/1.1 only.
	TLSClientConfig *tls.Config
	// Proxy returns the proxy for a request or a websocket: http://, https://, socks5:// or socks5h://. An error caused
	// by the proxy names the proxy's host. A request without TLS, which is possible to loopback hosts only, fails if
	// Proxy returns a proxy for it, because the proxy would see the token. The proxy resolves the hosts of files, and
	// the resulting addresses are not checked; see AllowPrivateStorage. Zero means [http.ProxyFromEnvironment].
	Proxy func(*http.Request) (*url.URL, error)
	// HTTPClient makes the HTTP requests. The Client copies it, and the copy follows no redirects. If the Transport is
	// an [http.Transport], the Client copies that too, so that a panic in its hooks becomes an error of the request.
	// CloseIdleConnections and the end of Run close the idle connections of that copy. The addresses that an HTTPClient
	// connects to are not checked; see AllowPrivateStorage. Zero means a client with the dialer, TLS configuration and
	// proxy of the websocket and an idle timeout of five seconds.
	HTTPClient *http.Client
	// MaxDownload is the largest file, in bytes, that Download, DownloadFile or Reupload fetches. A larger
	// Attachment.Size is an [InvalidError] before the first request. A file of unknown Size that turns out
	// to be larger is an [InvalidError] too. Zero means 1 GiB (1 << 30).
	MaxDownload int64
	// TempDir is the directory in which Download and Reupload store the encrypted form of files over 4 MiB until the
	// file is closed. The temporary files are readable by the current user only (0600). Except on Windows, their names
	// are removed at once, so a crash leaves no file behind. Zero means [os.TempDir].
	TempDir string
	// AllowPrivateStorage accepts files at addresses that are not public. Set it for a storage on a private network. By
	// default a file URL is rejected if its host is "localhost" or a loopback, link-local, private, shared
	// (100.64.0.0/10), unspecified or multicast IP address, including unusual forms such as 127.1. The Client also
	// checks the address that a host name resolves to when it connects. Connections made by DialContext, HTTPClient or
	// a proxy are not checked. The field has no effect if the API is on a loopback address.
	AllowPrivateStorage bool
	// Logger receives operational events. Zero means [slog.Default]. The Client logs no secrets and no message bodies;
	// errors and panics of handlers are logged verbatim. The message of a record is short and constant. The attribute
	// "message" is a MessageID; of a failed handler and of a dropped message it is a group with ids, category, size and
	// attempt. "error" is the cause, and "hint" the remedy or the consequence.
	//
	//   - Info: connected.
	//   - Warn: disconnected, or rejected permanently; a handler or OnReceipt failed, or has been running for over a
	//     minute (once, counted in Stats.SlowHandlers); the first decline of a category; a request has waited 5 s
	//     because Run was not called; a conversation waits for a failing message (once a minute); a frame
	//     or a receipt was discarded; an acknowledgement was rejected or got no reply; an answer to an encrypted
	//     message was sent unencrypted; an insecure TLS configuration; errors of the Ledger or from the server.
	//   - Error: a message was dropped; a hook of Trace failed; the websocket rejects the session and the HTTP API
	//     accepts it.
	//
	// Repeated records are limited. Warnings are equal if they differ only in the message concerned. The first of equal
	// warnings is logged at once, then a record with their number as "repeated" after a second, and then one a minute.
	// The Client distinguishes 256 kinds of warnings. Beyond that, warnings with the same slog message count as equal.
	// Records about a single event, such as a dropped message or a new connection, are limited in the same way, but
	// only after the first 60 with the same slog message. After a minute without any, another 60 are logged. An error
	// is cut at 2,000 bytes. The record of a panic has the stack, of at most 8 KiB, in the attribute "stack". Each
	// stack is logged once; the limit is 100 stacks. Ids and other texts from the network are one short line.
	//
	// Records carry the values of Run's context and the time of their event. They are queued and written in order, one
	// at a time, so a Logger may block and may send with this Client. The queue holds 1,024 records and hooks; further
	// ones are discarded and counted in Stats.TraceDropped. When Run ends it waits up to a second for the queue, within
	// Drain; the rest is written after Run has returned.
	Logger *slog.Logger
	// Trace has hooks for events inside the Client. Zero means none.
	Trace *Trace
	// Workers is how many conversations are handled at once. Messages with more than 16 KiB of data lower that number;
	// see InboxBytes. Zero means 16. A worker goroutine exists only while it has work.
	Workers int
	// InboxBytes bounds the messages in memory. Each counts as its data plus 512 bytes, with AckReceived plus 160 more.
	// Zero means 64 MiB. Messages of more than 16 KiB that are being handled share an eighth of InboxBytes; a single
	// one is always handled. Not counted: the ids of replies to a failed message (17 bytes each, for the first 256),
	// and a Message kept by a handler. Detached messages count until they are settled. They are never released, and
	// have no part in the eighth for large ones; see Message.Detach.
	//
	// If a message does not fit, the newest messages of the conversation with the most bytes are released: they stay
	// unacknowledged on the server. If that is not enough, messages in backoff are released too, unless they were
	// acknowledged before. A single message of more than half of InboxBytes, even of more than all of it, is accepted
	// as soon as half is free. When the bytes in memory, or those of a conversation with released messages, have
	// halved, the Client reconnects, and the server redelivers all pending messages. The Client also reconnects each
	// minute while such a conversation has nothing in memory. A released message that is redelivered keeps its number
	// of attempts and the time of its next one. A backlog larger than InboxBytes is transferred several times: about
	// 25 times if it is 40 times as large.
	InboxBytes int64
	// OutboxLen bounds the sends and batch requests that are in flight or queued, including those over HTTP. Zero means
	// 1024. Their total size is bounded to 32 MiB. Send blocks while either bound is reached.
	OutboxLen int
	// Ack selects when a message is acknowledged. Zero means AckHandled.
	Ack AckMode
	// AckStatus is the status of automatic acknowledgements. Zero means StatusRead: the sender sees "read". With
	// StatusDelivered, the bot reports "read" with Client.Ack.
	AckStatus Status
	// AckBatch is the maximum number of acknowledgements in a frame, at most 100. Zero means 80. With 1, the Client
	// sends ACKNOWLEDGE_MESSAGE_RECEIPT only.
	AckBatch int
	// HandlerAttempts is the maximum number of attempts per message. The backoff starts at 1 s and doubles up to a
	// minute. Zero means 8, which takes about two minutes. Negative means no limit: a message that always fails then
	// blocks its conversation for ever.
	HandlerAttempts int
	// SendAttempts limits a request in two ways: the number of transient rejections, and the number of connections lost
	// while nothing else was in flight. It also limits the attempts of automatic acknowledgements without a reply, and
	// those of HTTP requests without a response, except encrypted sends. Zero means 5; negative means no limit.
	SendAttempts int
	// ReplyTimeout is how long a request waits for its reply before it is sent again with the same ids. It doubles with
	// each timeout, up to five minutes. It is also the timeout of one HTTP attempt, where it doubles for encrypted
	// sends only. Zero means 20 seconds. The maximum is an hour.
	ReplyTimeout time.Duration
	// Drain is how long Run waits for handlers, detached messages, replies and acknowledgements after its context has
	// ended. Make it longer than the slowest handler takes. Zero means 5 seconds; negative means that Run does not
	// wait.
	Drain time.Duration
	// Limiter rate-limits sends: its Wait is called before each message. Zero means none.
	Limiter Limiter
	// Ledger records which messages are finished. Zero means an in-memory Ledger of the last 100,000 ids. Its memory
	// grows with the number of ids. Package ledger has a Ledger in a file.
	Ledger Ledger
	// OnReceipt is called when a recipient's client received or read a message of the bot: once per receipt, serially
	// and in order, concurrently with the handlers. A panic is logged and the receipt is not retried. Up to 16,384
	// receipts are queued. Further ones are discarded, logged, and counted in Stats.ReceiptsDropped. Each recipient of
	// a broadcast causes two receipts, delivered and read, so a slow OnReceipt should pass them to a queue of its own.
	// The service sends receipts only to clients that request messages: with a nil Handler there are none. Zero means
	// that receipts are ignored.
	OnReceipt func(Receipt)
}

// Limiter rate-limits sends. *rate.Limiter of golang.org/x/time/rate implements it. Wait is called once for each
// message of Send and SendBatch, and again after each 429. It is not called for acknowledgements, nor for messages sent
// again after a lost connection. If Wait returns an error, panics or calls [runtime.Goexit], that send fails and is not
// written, or after a 429 not written again. Wait must return when its context ends.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Trace has hooks for events inside a Client. Each may be nil. None is called with a lock held. A hook that panics or
// calls [runtime.Goexit] is logged, at most once a minute, and called again for the next event.
//
//   - Connected and Disconnected share a queue with the records of Config.Logger. They are called serially and in
//     order, and are discarded if the queue is full. They may block and use the Client.
//   - FrameRead and FrameWritten are called by the goroutines that read and write a connection. They must be fast and
//     must not call into the Client. The first Goexit in one of them ends the connection; later ones do not. The
//     first FrameRead of a connection waits up to a second for Connected to return. If Connected is still queued by
//     then, it is discarded.
//   - HandlerError is called for each failed attempt, except while Run is ending, and Dropped for each dropped
//     message. These calls are never discarded. The conversation of the message waits for them.
type Trace struct {
	Connected    func(endpoint string)
	Disconnected func(err error, retryIn time.Duration)
	// JSON after gunzip, valid during the call only; setting it turns off parallel decompression
	FrameRead    func(frame []byte)
	FrameWritten func(frame []byte)          // JSON before gzip, valid during the call only
	HandlerError func(m *Message, err error) // a handler failed, panics included
	// Dropped is called for each dropped message: no attempt succeeded and none follows. Keep m to process it
	// elsewhere. Dropped returns before the message is recorded in the Ledger and acknowledged. With AckReceived both
	// happened before its handler ran; with AckManual they are left to Client.Ack.
	//
	// With AckReceived, a message in backoff is dropped when Run ends. err then has the first 80 bytes of the handler's
	// error and does not wrap it.
	Dropped func(m *Message, err error)
}

// Defaults of Config that are not the zero value.
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
	maxBytes               = 1 << 50 // of a file, so that sums of sizes cannot overflow
	ledgerLen              = 100_000
)

// withDefaults returns a copy of c with every zero value replaced by its default. c may be nil.
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

// numbers validates the numeric and enumerated fields and sets their defaults.
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
	c.MaxDownload = min(c.MaxDownload, maxBytes)
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

// checkEndpoint accepts wss://, and ws:// for loopback hosts only, so that no token is sent unencrypted over a network.
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

// AckMode selects when a message is acknowledged. Until then the server redelivers it on every connection.
type AckMode int

// Acknowledgement modes.
const (
	// AckHandled acknowledges a message when its handler has returned nil and the Ledger has recorded it: at least
	// once.
	AckHandled AckMode = iota
	// AckReceived acknowledges a message when a worker takes it, before its handler runs. Failed handlers are still
	// retried in this process. At most once if the process crashes. Messages still failing when Run ends are dropped.
	AckReceived
	// AckManual leaves acknowledging and recording to Client.Ack. Until Ack, the message stays pending and is
	// redelivered on the next start. This process remembers the last 100,000 such ids and does not handle these
	// messages again. A dropped message is reported and stays pending. A message that every handler declined is
	// acknowledged, because no handler will call Ack for it.
	AckManual
)

// apis returns the base URLs of the HTTP API.
func (c *Config) apis() []string {
	if c.API != "" {
		return []string{c.API}
	}
	return []string{"https://api.mixin.one", "https://mixin-api.zeromesh.net"}
}

// checkAPI accepts https://, and http:// for loopback hosts only, so that no token is sent unencrypted over a network.
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

// Backoff policies.
var (
	reconnectWait = backoff.Policy{Base: 500 * time.Millisecond, Cap: 30 * time.Second}
	rejectionWait = backoff.Policy{Base: time.Second, Cap: 30 * time.Second}
	handlerWait   = backoff.Policy{Base: time.Second, Cap: time.Minute}
)
