package blazetest

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// amounts are those that the service moves: decimal, with at most eight digits behind the point.
var amounts = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]{1,8})?$`)

// Transfer tells the bot that a user paid it, by a SYSTEM_SAFE_SNAPSHOT message of the user in the conversation of the
// two, and returns the message's id. The snapshot's ids are random. amount is a positive decimal number with at most
// eight digits after the point, assetID a UUID, and memo any text of up to 200 bytes. Anything else is misuse, and the
// id is "". A notice like this proves nothing on the service, and the Server's HTTP API has no snapshots to check it
// by.
func (s *Server) Transfer(userID, amount, assetID, memo string) (messageID string) {
	return s.idOrMisuse(s.transfer(userID, amount, assetID, memo))
}

// transfer is Transfer, and returns misuse.
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

// isAmount reports whether a text is a decimal number above zero, with up to eight digits behind the point.
func isAmount(text string) bool { return amounts.MatchString(text) && strings.Trim(text, "0.") != "" }

// untransferable returns why there can be no such transfer.
func checkTransfer(userID, amount, assetID, memo string) string {
	switch {
	case !serve.IsUUID(userID):
		return "the user's id is not a UUID in lowercase"
	case !isAmount(amount):
		return "the amount is not a positive decimal number with up to eight digits behind the point"
	case !serve.IsUUID(assetID):
		return "the asset's id is not a UUID in lowercase"
	case len(memo) > maxMemo:
		return "the memo is longer than 200 bytes"
	}
	return ""
}
