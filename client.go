package blaze

import (
	"context"
	"fmt"
	"net/http"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/engine"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// Client is a bot's connection to the service. Make one with [New], start it with Run, and use its other methods from
// any goroutine, handlers included, before and while it runs: they wait until it is connected. The zero Client is of
// no use.
type Client struct {
	cfg       Config
	appID     string
	signer    *auth.Signer
	observer  *observer
	deliverer *deliverer
	engine    *engine.Engine
	rest      *rest.Client
	closeIdle func()            // closes the idle connections of our own HTTP client
	sessions  *sessionDirectory // of the recipients of encrypted messages
}

// New returns a Client for the session of key. It connects nothing and starts no goroutine. cfg may be nil; it is
// copied. The error is an [InvalidError] that names the field and shows no secret.
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
	c.rest = newRest(&c.cfg, files, signer, c.refused, func() { c.observer.warnOfTLS(&c.cfg) })
	c.sessions = newSessionDirectory(mostSessions, fetchSessions(c.rest))
	c.observer = newObserver(config.Logger, config.Trace)
	c.deliverer = &deliverer{cfg: &c.cfg, appID: appID, signer: signer, sessions: c.sessions, observer: c.observer}
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
		Reconnect: reconnectWait, Rest: refusalWait, Transient: transient, Probe: c.probe,
		Receipts: c.cfg.OnReceipt != nil, ManualAcks: c.cfg.Ack == AckManual, EarlyAcks: c.cfg.Ack == AckReceived,
		TraceFrames: c.observer.tracesFrames(),
	}
}

// Run connects, hands what arrives to h, and connects again whenever the connection is lost, until ctx ends or the
// service refuses for good. It may be called once. A nil h makes a client that only sends: nothing is asked for, so
// nothing arrives.
//
// It returns nil only when ctx ended and everything under way was drained: handlers returned, sends answered,
// acknowledgements confirmed; otherwise an error that is [ErrDrain]. An outdated client ends it with
// [CodeUpdateRequired], whether the websocket or the HTTP API says so.
//
// When the websocket refuses the session with 401, Run asks GET /me. A 401 there too ends Run with [CodeUnauthorized],
// or with [ErrClockSkew] if the clock is wrong. If GET /me accepts the session, Run connects again, and logs an error
// once a minute. Without an answer, Run connects again too: for 30 seconds if the session never worked in this process,
// otherwise for as long as it takes. A 401 that answers one request is the error of that request.
func (c *Client) Run(ctx context.Context, h Handler) error {
	if !c.engine.Start() {
		return fmt.Errorf("blaze: Run was called before, and a Client runs once: %w", ErrClosed)
	}
	c.deliverer.handler = h
	c.observer.began(ctx)
	c.observer.warnOfTLS(&c.cfg) // also where no request was made over HTTP
	since := sinceEnd(ctx)
	err := c.engine.Run(ctx, h != nil)
	c.closeIdle()
	c.observer.thin.close()
	//mutant:hooks-end
	c.observer.hooks.wait(min(c.cfg.Drain-since(), hooksWait))
	return runError(err)
}

// CloseIdleConnections closes the connections of HTTP requests that wait for another request. They are closed by
// themselves after five seconds, and at the end of Run. Those of a Config.HTTPClient stay open for as long as its
// Transport, or the copy of it, says. A Transport that is no [http.Transport] is left alone.
func (c *Client) CloseIdleConnections() { c.closeIdle() }

// Stats returns the present counters. It may be called at any time; the numbers are not of one instant.
func (c *Client) Stats() Stats {
	s := c.observer.stats()
	load := c.engine.Load()
	s.Connected, s.Resent = load.Connected, load.Resent
	s.HandlersRunning, s.InboxMessages = load.Handling, load.Messages
	s.OutboxRequests, s.AcksWaiting = load.Requests, load.AcksWaiting
	s.Waiting, s.OldestHandler, s.OldestWaiting = load.Waiting, load.OldestHandler, load.OldestWaiting
	return s
}

// closed returns ErrClosed, wrapped with how Run ended once that is known.
func (c *Client) closed() error { return closedError(c.engine.Offline()) }
