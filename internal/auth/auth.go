// Package auth signs what a bot says to the service: one fresh JSON Web Token for each dial and each HTTP request.
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

// lifetime is how long a token is good for. It is signed for one request, so this only has to outlast a slow one, and a
// clock that is a little off; what a thief gets with a token ends with it.
const lifetime = time.Hour

// Signer makes the tokens of one session. Its methods may be called concurrently.
//
// The private key is inside a func value, which fmt prints as an address: neither the Signer nor anything that holds
// it, whatever the verb and whether or not the field is exported, can print the key.
type Signer struct {
	appID, sessionID string
	method           jwt.SigningMethod
	signed           func(*jwt.Token) (string, error) // knows the key
	shared           func(*ecdh.PublicKey) ([]byte, error)
	verifying        crypto.PublicKey
	public           []byte       // of X25519; nil for an RSA key
	offset           atomic.Int64 // nanoseconds the server's clock is ahead of ours
}

// New returns a Signer for a session. The private key is an ed25519 seed as 64 hex digits, an ed25519 key as base64 of
// 64 bytes, or an RSA key in PEM. Its errors say what is wrong and never show any of what was given.
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

// Public returns the X25519 public key that others seal messages for, nil with an RSA key. It is not to be changed.
func (s *Signer) Public() []byte { return s.public }

// Shared returns the secret that this session and the owner of another X25519 key have in common. It fails where
// everybody could know it, because the other key is of low order.
func (s *Signer) Shared(public *ecdh.PublicKey) ([]byte, error) {
	if s.shared == nil {
		return nil, errors.New("an RSA key can sign, and not agree on a secret")
	}
	secret, err := s.shared(public)
	if err != nil {
		return nil, errors.New("the other public key is of low order")
	}
	return secret, nil
}

// SessionID returns the session's id, in lower case.
func (s *Signer) SessionID() string { return s.sessionID }

// Token signs one request: the method, the path with its query, and the body exactly as it is sent. The websocket's
// handshake is GET of "/" without a body. The requestID is the token's id; an HTTP request repeats it as X-Request-Id.
func (s *Signer) Token(method, uri string, body []byte) (token, requestID string, err error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", "", fmt.Errorf("cannot make a request id: %w", err)
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

// maxOffset is how far tokens are dated away from the clock of this machine, whatever a server says its time is. A
// token dated years ahead would be good for years.
const maxOffset = 24 * time.Hour

// SetOffset says how far the server's clock is ahead of this machine's; negative if it is behind. Later tokens are
// dated by the server's clock, within a day of this machine's.
func (s *Signer) SetOffset(d time.Duration) {
	//mutant:offset-clamp
	s.offset.Store(int64(min(max(d, -maxOffset), maxOffset)))
}

// Offset returns what SetOffset was told last, within a day; 0 at first.
func (s *Signer) Offset() time.Duration { return time.Duration(s.offset.Load()) }

// String names the session and not the key.
func (s *Signer) String() string {
	return "Signer{app " + s.appID + ", session " + s.sessionID + ", key [redacted]}"
}

// Format writes String, whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue is what log/slog shows: the session and not the key.
func (s *Signer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("app_id", s.appID), slog.String("session_id", s.sessionID))
}

// ID returns a UUID as the service writes it, in lower case. It takes the usual form of 36 characters only, and white
// space around it.
func ID(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", errors.New("is missing")
	}
	// The parser knows other forms, such as {...} and urn:uuid:..., that no keystore has.
	u, err := uuid.FromString(s)
	if err != nil || len(s) != 36 {
		return "", errors.New("is not a UUID")
	}
	return u.String(), nil
}
