package blazetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"net"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// Options configure a Server for [NewServerWith]. The zero value of every field is its default.
type Options struct {
	// Listener is served, and closed in the end. Whether it speaks TLS the Server finds out by connecting to it; if so,
	// the addresses in Config begin with wss:// and https://, and Config trusts the certificate that it showed. A
	// listener that cannot be reached under its own address counts as one without TLS. Without TLS, clients accept
	// loopback addresses only. Nil: the Server lives in memory.
	Listener net.Listener
	// Key is the session that the server accepts, in any form of keystore, so that a bot's keystore outlives the
	// Server. What is empty of AppID, SessionID and SessionPrivateKey is made up. With an RSA key nothing can be sealed
	// for the bot. A key that is not valid is misuse, and its Server refuses every token.
	Key blaze.Keystore
	// Lenient turns off what the Server checks beyond the form of requests: whether the bot may write to a
	// conversation, whether a message has an id of its own, and whether the bot's session has one connection. Users
	// whom nobody knows have sessions.
	Lenient bool
	// PerMinute is how many messages the bot may send within a minute. Those beyond are refused with 429. 0 or less: no
	// limit.
	PerMinute int
}

// NewServer returns a Server in memory: Config.DialContext leads to it, and no port is opened. Made inside a
// testing/synctest bubble, it belongs to it; close it before the bubble ends.
func NewServer() *Server { return NewServerWith(Options{}) }

// NewServerOn returns a Server that serves ln, as Options.Listener describes.
func NewServerOn(ln net.Listener) *Server { return NewServerWith(Options{Listener: ln}) }

// NewServerWith returns a Server with options. In memory it is as one of [NewServer].
func NewServerWith(o Options) *Server {
	s := newServer(o)
	if o.Listener == nil {
		s.serveMemory()
	} else {
		s.serveOn(o.Listener)
	}
	close(s.ready)
	return s
}

// rules are the options that can change while the Server runs. They are guarded by Server.mu.
type rules struct {
	lenient   bool // Options.Lenient
	perMinute int  // Options.PerMinute
}

// useKey makes a keystore the one that the server accepts, with what it lacks made up.
func (s *Server) useKey(key blaze.Keystore) {
	if key.AppID == "" {
		key.AppID = defaultAppID
	}
	if key.SessionID == "" {
		key.SessionID = defaultSessionID
	}
	if key.SessionPrivateKey == "" {
		seed := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails
		key.SessionPrivateKey = hex.EncodeToString(seed)
	}
	s.Key = key
	signer, err := auth.New(key.AppID, key.SessionID, key.SessionPrivateKey)
	if err != nil {
		s.misuse("Options.Key: %v", err)
		return
	}
	app, _ := auth.ID(key.AppID) // New has taken it
	s.session = serve.Session{AppID: app, ID: signer.SessionID(), Key: signer.VerifyingKey()}
	s.agreement = signer.Public()
}

// clock returns the server's time.
func (s *Server) clock() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
