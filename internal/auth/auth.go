// Package auth signs the requests of a bot: a new JSON Web Token for each dial and each HTTP request.
package auth

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/golang-jwt/jwt/v5"
)

// lifetime is the validity of a token. A token is signed for one request, so it has to last for a slow request and a
// small clock error only. It also limits the use of a stolen token.
const lifetime = time.Hour

// Signer makes the tokens of one session. Its methods are safe for concurrent use.
//
// The private key is in a closure. Package fmt prints a func as an address, so it cannot print the key of a Signer, or
// of a struct that contains one, with any verb.
type Signer struct {
	appID, sessionID string
	method           jwt.SigningMethod
	signed           func(*jwt.Token) (string, error) // contains the key
	shared           func(*ecdh.PublicKey) ([]byte, error)
	verifying        crypto.PublicKey
	public           []byte       // for X25519; nil for an RSA key
	offset           atomic.Int64 // nanoseconds by which the server's clock is ahead of ours
}

// New returns a Signer for a session. The private key is an ed25519 seed as 64 hex digits, an ed25519 key as base64 of
// 64 bytes, or an RSA key in PEM. Errors describe the fault and contain no part of the arguments.
func New(appID, sessionID, privateKey string) (*Signer, error) {
	app, err := ID(appID)
	if err != nil {
		return nil, fmt.Errorf("app id: %w", err)
	}
	session, err := ID(sessionID)
	if err != nil {
		return nil, fmt.Errorf("session id: %w", err)
	}
	method, key, err := parseKey(privateKey)
	if err != nil {
		return nil, err
	}
	s := &Signer{
		appID:     app,
		sessionID: session,
		method:    method,
		verifying: key.Public(),
		signed:    func(t *jwt.Token) (string, error) { return t.SignedString(key) },
	}
	if pair, ok := key.(ed25519.PrivateKey); ok {
		agreement, err := agreementKey(pair)
		if err != nil {
			return nil, err
		}
		s.public, s.shared = agreement.PublicKey().Bytes(), agreement.ECDH
	}
	return s, nil
}

// VerifyingKey returns the key that verifies the tokens: an ed25519.PublicKey or an *rsa.PublicKey.
func (s *Signer) VerifyingKey() crypto.PublicKey { return s.verifying }

// Public returns the X25519 public key for encrypted messages to this session, or nil with an RSA key. It must not be
// modified.
func (s *Signer) Public() []byte { return s.public }

// Shared returns the secret shared with the owner of another X25519 key. A key of low order is an error, because its
// shared secret is public.
func (s *Signer) Shared(public *ecdh.PublicKey) ([]byte, error) {
	if s.shared == nil {
		return nil, errors.New("an RSA key cannot agree on a secret")
	}
	secret, err := s.shared(public)
	if err != nil {
		return nil, errors.New("the other public key is of low order")
	}
	return secret, nil
}

// SessionID returns the session's id, in lower case.
func (s *Signer) SessionID() string { return s.sessionID }

// Token signs one request: the method, the path with its query, and the body exactly as sent. The handshake of the
// websocket is GET of "/" without a body. The requestID is the token's id; an HTTP request sends it as X-Request-Id.
func (s *Signer) Token(method, uri string, body []byte) (token, requestID string, err error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", "", fmt.Errorf("cannot create a request id: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(method))
	h.Write([]byte(uri))
	h.Write(body)
	now := time.Now().Add(s.Offset())
	token, err = s.signed(jwt.NewWithClaims(s.method, jwt.MapClaims{
		"uid": s.appID,
		"sid": s.sessionID,
		"iat": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
		"jti": id.String(),
		"sig": hex.EncodeToString(h.Sum(nil)),
		"scp": "FULL",
	}))
	if err != nil {
		return "", "", errors.New("the private key cannot sign")
	}
	return token, id.String(), nil
}

// maxOffset is the maximum difference between the dates of tokens and the clock of this machine, whatever time a server
// sends. A token dated years ahead would be valid for years.
const maxOffset = 24 * time.Hour

// SetOffset sets the difference between the server's clock and this machine's, which is positive if the server's is
// ahead. Later tokens are dated by the server's clock, within a day of this machine's.
func (s *Signer) SetOffset(d time.Duration) {
	//mutant:offset-clamp
	s.offset.Store(int64(min(max(d, -maxOffset), maxOffset)))
}

// Offset returns the offset last set, at most a day either way, or 0 if none was set.
func (s *Signer) Offset() time.Duration { return time.Duration(s.offset.Load()) }

// String returns the session without the key.
func (s *Signer) String() string {
	return "Signer{app " + s.appID + ", session " + s.sessionID + ", key [redacted]}"
}

// Format writes String, for any verb.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns the session without the key.
func (s *Signer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("app_id", s.appID), slog.String("session_id", s.sessionID))
}

// ID returns a UUID in the service's form, in lower case. It accepts only the form of 36 characters, with white space
// around it.
func ID(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", errors.New("is missing")
	}
	// The parser also accepts forms that do not occur in keystores, such as {...} and urn:uuid:...
	u, err := uuid.FromString(s)
	if err != nil || len(s) != 36 {
		return "", errors.New("is not a UUID")
	}
	return u.String(), nil
}
