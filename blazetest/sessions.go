package blazetest

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// sessionOf returns the one session that each virtual user has: the same for the same user. It writes the user's messages, and
// opens what is sealed for it.
func sessionOf(userID string) (*auth.Signer, error) {
	seed := sha256.Sum256([]byte("blazetest session of " + userID))
	return auth.New(userID, UserID("session of "+userID), hex.EncodeToString(seed[:]))
}

// sealFor seals what a user says for the bot.
func (s *Server) sealFor(userID string, data []byte) ([]byte, error) {
	own, err := sessionOf(userID)
	if err != nil {
		return nil, err
	}
	return seal.Seal(own, []seal.Session{{ID: sessionID, Public: s.agreement}}, data)
}
