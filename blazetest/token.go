package blazetest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSkew is how far the clocks may differ.
const maxSkew = 5 * time.Minute

type claims struct {
	UID string `json:"uid"`
	SID string `json:"sid"`
	Sig string `json:"sig"`
	Scp string `json:"scp"`
	jwt.RegisteredClaims
}

// checkToken verifies the headers of a request: the token's key, whose it is, when, and that it is for this very
// request. The error does not repeat the token. A handshake has no X-Request-Id.
func checkToken(h http.Header, key ed25519.PublicKey, request string, now time.Time) error {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return errors.New("no Authorization header with a bearer token")
	}
	var c claims
	p := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithoutClaimsValidation())
	if _, err := p.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return fmt.Errorf("the token is not one of this session's key: %w", err)
	}
	if err := c.checkWho(request); err != nil {
		return err
	}
	if id := h.Get("X-Request-Id"); id != c.ID && !strings.HasPrefix(request, "GET/") || id != "" && id != c.ID {
		return errors.New("X-Request-Id is not the token's jti")
	}
	return c.checkWhen(now)
}

func (c *claims) checkWho(request string) error {
	sum := sha256.Sum256([]byte(request))
	switch {
	case c.UID != appID:
		return errors.New("the token's uid is not the AppID")
	case c.SID != sessionID:
		return errors.New("the token's sid is not the SessionID")
	case c.Scp != "FULL":
		return errors.New("the token's scp is not FULL")
	case !isUUID(c.ID):
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
