package blaze

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// Client is a bot's connection to the service. Create it with [New] and start it with Run. All other methods may be
// called from any goroutine, handlers included, before and during Run. Those that use the websocket wait for the
// connection. The zero value is not usable.
type Client struct {
	cfg       Config
	appID     string
	signer    *auth.Signer
	observer  *observer
	deliverer *deliverer
	engine    *engine.Engine
	rest      *rest.Client
	closeIdle func()            // closes the idle connections of the Client's own HTTP client
	sessions  *sessionDirectory // of the recipients of encrypted messages
	identity  *identity
}

// New returns a Client for the session of key. It opens no connection and starts no goroutine. cfg may be nil; New
// copies it. The error is an [InvalidError] that names the invalid field and contains no secret.
func New(key Keystore, cfg *Config) (*Client, error) {
	signer, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	config, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	config.guardUserCode(cfg)
	appID, _ := canonicalUUID(key.AppID) // newSigner has checked it
	c := &Client{cfg: config, appID: appID, signer: signer}
	var files *http.Client
	c.cfg.HTTPClient, files, c.closeIdle = config.httpClients(cfg == nil || cfg.DialContext == nil)
	c.rest = newRest(&c.cfg, files, signer, c.onRejection, func() { c.observer.warnOfTLS(&c.cfg) })
	c.sessions = newSessionDirectory(maxSessions, fetchSessions(c.rest))
	c.identity = newIdentity(c.rest, appID)
	c.observer = newObserver(config.Logger, config.Trace)
	c.deliverer = &deliverer{
		cfg: &c.cfg, appID: appID, signer: signer, sessions: c.sessions, identity: c.identity, observer: c.observer,
	}
	c.engine = engine.New(c.engineConfig(), c.deliverer, c.observer)
	c.deliverer.engine = c.engine
	return c, nil
}

func (c *Client) engineConfig() engine.Config {
	return engine.Config{
		AppID: c.appID, Signer: c.signer, Endpoints: c.cfg.Endpoints, UserAgent: c.cfg.UserAgent,
		DialContext: c.cfg.DialContext, TLS: c.cfg.TLSClientConfig, Proxy: c.cfg.Proxy,
		Workers: c.cfg.Workers, InboxBytes: c.cfg.InboxBytes, OutboxLen: c.cfg.OutboxLen, OutboxBytes: outboxBytes,
		AckStatus: string(c.cfg.AckStatus), AckBatch: c.cfg.AckBatch,
		SendAttempts: c.cfg.SendAttempts, ReplyTimeout: c.cfg.ReplyTimeout, Drain: c.cfg.Drain,
		Reconnect: reconnectWait, Rest: rejectionWait, Transient: transient, Probe: c.probe,
		Receipts: c.cfg.OnReceipt != nil, ManualAcks: c.cfg.Ack == AckManual, EarlyAcks: c.cfg.Ack == AckReceived,
		TraceFrames: c.observer.tracesFrames(),
	}
}

// Run connects, passes incoming messages to h, and reconnects whenever the connection is lost, until ctx ends or the
// service rejects the client for good. It may be called once. With a nil h the Client is send-only: it does not request
// pending messages and receives none.
//
// Run returns nil only if ctx ended and everything in progress was drained: handlers have returned, sends have ended,
// and acknowledgements are confirmed. If something was left when Config.Drain had passed or the connection was lost,
// the error wraps [ErrDrain]. If the websocket or the HTTP API reports that the client is outdated, Run returns
// [CodeUpdateRequired].
//
// If the websocket rejects the session with 401, Run checks it with GET /me:
//
//   - 401 again: Run returns [CodeUnauthorized], or [ErrClockSkew] if the clock is wrong.
//   - Accepted: Run reconnects, and logs an error at most once a minute.
//   - No response, or another error: Run reconnects without limit. If the session never worked in this process, Run
//     returns [CodeUnauthorized] after 30 seconds of this.
//
// A 401 in response to a single request is returned by that request only.
//
// After the first connection Run requests the bot's profile in the background, for [Client.Me], and logs its name,
// identity number and code URL. Nothing waits for the response. Errors other than CodeUpdateRequired are ignored.
func (c *Client) Run(ctx context.Context, h Handler) error {
	if !c.engine.Start() {
		return fmt.Errorf("blaze: Run was called before, and a Client runs once: %w", ErrClosed)
	}
	c.deliverer.handler = h
	c.observer.began(ctx)
	c.observer.warnOfTLS(&c.cfg) // here for a Client that makes no HTTP request
	since := sinceEnd(ctx)
	intro := newIntroduction(ctx, c.identity, c.observer.introduce)
	c.observer.onConnect = intro.begin
	err := c.engine.Run(ctx, h != nil)
	intro.end(min(c.cfg.Drain-since(), hooksWait))
	c.closeIdle()
	c.observer.thin.close()
	//mutant:hooks-end
	c.observer.hooks.wait(min(c.cfg.Drain-since(), hooksWait))
	return runError(err)
}

// CloseIdleConnections closes idle HTTP connections, as Run does when it ends. The Client's own connections also close
// after five idle seconds. Those of a Config.HTTPClient follow the IdleConnTimeout of its [http.Transport]. A Transport
// of another type is left alone.
func (c *Client) CloseIdleConnections() { c.closeIdle() }

// Stats returns the current counters. It may be called at any time. The counters are not read at one instant.
func (c *Client) Stats() Stats {
	s := c.observer.stats()
	load := c.engine.Load()
	s.Connected, s.Resent = load.Connected, load.Resent
	s.HandlersRunning, s.InboxMessages = load.Handling, load.Messages
	s.OutboxRequests, s.AcksWaiting = load.Requests, load.AcksWaiting
	s.Waiting, s.OldestHandler, s.OldestWaiting = load.Waiting, load.OldestHandler, load.OldestWaiting
	return s
}

// closed returns ErrClosed, wrapped with the result of Run once that is known.
func (c *Client) closed() error { return closedError(c.engine.Offline()) }
