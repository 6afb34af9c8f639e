package serve

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSkew is the largest accepted difference between iat and the server's clock.
const maxSkew = 5 * time.Minute

// Session is the registered session of a bot.
type Session struct {
	AppID, ID string
	Key       crypto.PublicKey // ed25519.PublicKey or *rsa.PublicKey
}

type claims struct {
	UID string `json:"uid"`
	SID string `json:"sid"`
	Sig string `json:"sig"`
	Scp string `json:"scp"`
	jwt.RegisteredClaims
}

// Check verifies the token in the headers of a request: its signature, its session, its dates, and its hash of request.
// request is the method, the path with the query, and the body, without separators. Errors do not contain the token.
// X-Request-Id is not compared with jti, because the official Go SDK sends a random one.
func (s *Session) Check(h http.Header, request string, now time.Time) error {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return errors.New("no Authorization header with a bearer token")
	}
	var c claims
	p := jwt.NewParser(jwt.WithValidMethods(s.methods()), jwt.WithoutClaimsValidation())
	if _, err := p.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.Key, nil }); err != nil {
		return fmt.Errorf("the token is not signed with the session's key: %w", err)
	}
	if err := s.checkWho(&c, request); err != nil {
		return err
	}
	return c.checkWhen(now)
}

func (s *Session) methods() []string {
	switch s.Key.(type) {
	case ed25519.PublicKey:
		return []string{jwt.SigningMethodEdDSA.Alg()}
	case *rsa.PublicKey:
		return []string{jwt.SigningMethodRS512.Alg()}
	}
	return []string{"none of them"} // "none" is the name of a method
}

func (s *Session) checkWho(c *claims, request string) error {
	sum := sha256.Sum256([]byte(request))
	switch {
	case c.UID != s.AppID:
		return errors.New("the token's uid is not the AppID")
	case c.SID != s.ID:
		return errors.New("the token's sid is not the SessionID")
	case c.Scp != "FULL":
		return errors.New("the token's scp is not FULL")
	case !IsUUID(c.ID):
		return errors.New("the token's jti is not a UUID")
	case c.Sig != hex.EncodeToString(sum[:]):
		return errors.New("the token's sig is not the hex SHA-256 of the request's method, path and body")
	}
	return nil
}

func (c *claims) checkWhen(now time.Time) error {
	if c.IssuedAt == nil || c.ExpiresAt == nil {
		return errors.New("the token lacks iat or exp")
	}
	if d := now.Sub(c.IssuedAt.Time).Abs(); d > maxSkew {
		return fmt.Errorf("the token's iat differs from the server's clock by %v", d)
	}
	if !c.ExpiresAt.After(now) {
		return errors.New("the token has expired")
	}
	return nil
}
