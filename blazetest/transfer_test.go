package blazetest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

const asset = "c6d0c728-2624-429b-8e0d-d9d19b6592fa"

// The payer is the message's user, in the contact conversation, as in a transfer recorded in 2018. The memo is
// hexadecimal, as the official Go bots read it.
func TestTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := connectAndList(t, s)
		alice := s.User("alice")
		id := s.Transfer(alice.ID(), "0.00000001", asset, "two coffees")
		m := c.pushed()
		require.Equal(t, id, m.MessageID)
		require.Equal(t, "SYSTEM_SAFE_SNAPSHOT", m.Category)
		require.Equal(t, alice.ID(), m.UserID)
		require.Equal(t, alice.ConversationID(), m.ConversationID)

		data, err := base64.StdEncoding.DecodeString(m.Data)
		require.NoError(t, err)
		var snapshot object
		require.NoError(t, json.Unmarshal(data, &snapshot))
		require.Equal(t, "snapshot", snapshot["type"])
		require.Equal(t, s.Key.AppID, snapshot["user_id"])
		require.Equal(t, alice.ID(), snapshot["opponent_id"])
		require.Equal(t, asset, snapshot["asset_id"])
		require.Equal(t, "0.00000001", snapshot["amount"])
		require.Equal(t, "74776f20636f6666656573", snapshot["memo"])
		require.Equal(t, time.Now().UTC().Format(time.RFC3339Nano), snapshot["created_at"])
		require.Regexp(t, "^[0-9a-f]{64}$", snapshot["transaction_hash"])
		require.NotEmpty(t, snapshot["trace_id"])

		s.Transfer(alice.ID(), "12", asset, "")
		var second object
		data, err = base64.StdEncoding.DecodeString(c.pushed().Data)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &second))
		for _, key := range []string{"snapshot_id", "trace_id", "transaction_hash"} {
			require.NotEqual(t, snapshot[key], second[key], key)
		}
		decoded, ok := blaze.DecodePayload(blaze.CategorySystemSafeSnapshot, data).(blaze.SafeSnapshot)
		require.True(t, ok)
		require.Empty(t, decoded.Memo)
	})
}

func TestTransfersThatCannotBe(t *testing.T) {
	s, f := newServer(t)
	alice := s.User("alice").ID()
	for _, c := range [][4]string{
		{"alice", "1", asset, ""},
		{alice, "1", "BTC", ""},
		{alice, "1", asset, strings.Repeat("x", 201)},
		{alice, "0", asset, ""},
		{alice, "0.0", asset, ""},
		{alice, "-1", asset, ""},
		{alice, "1e3", asset, ""},
		{alice, "", asset, ""},
		{alice, "01", asset, ""},
		{alice, "1.", asset, ""},
		{alice, "0.000000001", asset, ""},
	} {
		require.Empty(t, s.Transfer(c[0], c[1], c[2], c[3]), c)
		require.Len(t, f.take(), 1, c)
	}
	require.Empty(t, s.Pending())
	require.NotEmpty(t, s.Transfer(alice, "10.5", asset, strings.Repeat("x", 200)))
}
