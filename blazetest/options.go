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
	// Listener is served and closed by the Server. The Server connects to it to detect TLS. With TLS, the addresses in
	// Config begin with wss:// and https://, and Config trusts the certificate. Without it, clients accept only
	// loopback addresses. If the connection fails, the listener counts as one without TLS. Nil: the Server runs in
	// memory.
	Listener net.Listener
	// Key is the session that the server accepts, in any form of keystore, so that a bot's keystore can outlive the
	// Server. Empty AppID, SessionID and SessionPrivateKey are filled in. With an RSA key, messages cannot be encrypted
	// for the bot. An invalid key is misuse, and the Server rejects every token.
	Key blaze.Keystore
	// Lenient disables the checks beyond the form of requests: whether the bot may write to a conversation, whether a
	// message has an id of its own, and whether the session has one connection. Unknown users then have sessions.
	Lenient bool
	// PerMinute is the number of messages that the bot may send per minute. Further ones are rejected with 429. 0 or
	// less: unlimited.
	PerMinute int
}

// NewServer returns a Server in memory. Config.DialContext connects to it, and no port is opened. A Server that was
// made in a testing/synctest bubble belongs to the bubble; close it before the bubble ends.
func NewServer() *Server { return NewServerWith(Options{}) }

// NewServerOn returns a Server that serves ln; see Options.Listener.
func NewServerOn(ln net.Listener) *Server { return NewServerWith(Options{Listener: ln}) }

// NewServerWith returns a Server with options. Without a Listener it runs in memory, like [NewServer].
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

// useKey sets the accepted session to a keystore, and fills in its empty fields.
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
	app, _ := auth.ID(key.AppID) // it was validated by New
	s.session = serve.Session{AppID: app, ID: signer.SessionID(), Key: signer.VerifyingKey()}
	s.agreement = signer.Public()
}

// clock returns the server's time.
func (s *Server) clock() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
