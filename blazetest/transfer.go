package blazetest

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// amounts matches decimal numbers with at most eight decimals, the precision of the service.
var amounts = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]{1,8})?$`)

// Transfer notifies the bot of a payment by a user. It delivers a SYSTEM_SAFE_SNAPSHOT message of the user in the
// contact conversation, and returns the message's id. The ids in the snapshot are random. amount is a positive decimal
// number with at most eight decimals, assetID a UUID, and memo a text of at most 200 bytes. Other values are misuse,
// and the id is "". On the service such a message does not prove a payment; the Server's HTTP API does not support the
// requests that verify one.
func (s *Server) Transfer(userID, amount, assetID, memo string) (messageID string) {
	return s.idOrMisuse(s.transfer(userID, amount, assetID, memo))
}

// transfer is Transfer, but returns misuse.
func (s *Server) transfer(userID, amount, assetID, memo string) (messageID string, misuse *controlError) {
	if reason := checkTransfer(userID, amount, assetID, memo); reason != "" {
		return "", invalidBody("Transfer: %s", reason)
	}
	snapshot := serve.NewID()
	hash := sha256.Sum256([]byte("transaction " + snapshot))
	return s.deliver(userID, blaze.Outgoing{Payload: blaze.SafeSnapshot{
		Type: "snapshot", SnapshotID: snapshot, UserID: s.bot(), OpponentID: userID, TraceID: serve.NewID(),
		TransactionHash: hex.EncodeToString(hash[:]), AssetID: assetID, Amount: amount, Memo: []byte(memo),
		CreatedAt: s.clock().UTC(),
	}})
}

const maxMemo = 200 // bytes

// isAmount reports whether a text is a positive decimal number with at most eight decimals.
func isAmount(text string) bool { return amounts.MatchString(text) && strings.Trim(text, "0.") != "" }

// checkTransfer returns the reason why a transfer is invalid, or "".
func checkTransfer(userID, amount, assetID, memo string) string {
	switch {
	case !serve.IsUUID(userID):
		return "the user's id must be a UUID in lowercase"
	case !isAmount(amount):
		return "the amount must be a positive decimal number with at most eight decimals"
	case !serve.IsUUID(assetID):
		return "the asset's id must be a UUID in lowercase"
	case len(memo) > maxMemo:
		return "the memo must have at most 200 bytes"
	}
	return ""
}
