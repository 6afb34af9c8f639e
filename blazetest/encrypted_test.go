package blazetest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// Unknown users have no sessions. Capital letters in ids are accepted.
func TestSessionsOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		alice, api := s.User("alice"), newRESTClient(t, s)
		found := api.list("POST", "/sessions/fetch", []string{id1, alice.ID(), "nobody"})
		require.Len(t, found, 1)
		require.Equal(t, alice.ID(), found[0]["user_id"])
		again := api.list("POST", "/sessions/fetch", []string{strings.ToUpper(alice.ID())})
		require.Equal(t, found, again)
		own := api.list("POST", "/sessions/fetch", []string{strings.ToUpper(s.Key.AppID)})
		require.Equal(t, s.Key.SessionID, own[0]["session_id"])
	})
}

// encryptedOverHTTP returns a message for alice in the form of POST /encrypted_messages.
func encryptedOverHTTP(c *restClient, edit object) []object {
	alice := c.s.User("alice")
	m := encryptedFor(c, alice.ConversationID(), "psst", alice.ID())
	session := c.list("POST", "/sessions/fetch", []string{alice.ID()})[0]["session_id"].(string)
	m["recipient_id"], m["checksum"] = alice.ID(), seal.Checksum([]string{session})
	m["recipient_sessions"] = []object{{"session_id": session}}
	for k, v := range edit {
		m[k] = v
	}
	return []object{m}
}

func TestSealedOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		alice, api := s.User("alice"), newRESTClient(t, s)
		alice.Say("hi")
		for field, value := range map[string]any{
			"message_id":      strings.ToUpper("abcdefab-1111-4111-8111-111111111111"),
			"conversation_id": "none",
			"recipient_id":    "",
			"category":        "PLAIN_TEXT",
			"data_base64":     "AAAA",
		} {
			code, named := api.rejection("POST", "/encrypted_messages", encryptedOverHTTP(api, object{field: value}))
			require.Equal(t, 10002, code, field)
			require.Equal(t, "body[0]."+field, named)
			require.Len(t, f.take(), 1)
		}
		require.Empty(t, s.Sent())
		result := api.list("POST", "/encrypted_messages", encryptedOverHTTP(api, object{"checksum": "old"}))
		require.Equal(t, "FAILED", result[0]["state"])
		require.Empty(t, s.Sent())
		result = api.list("POST", "/encrypted_messages", encryptedOverHTTP(api, object{
			"recipient_id": strings.ToUpper(alice.ID()), "conversation_id": strings.ToUpper(alice.ConversationID()),
		}))
		require.Equal(t, "SUCCESS", result[0]["state"])
		require.Equal(t, alice.ID(), result[0]["recipient_id"])
		out := nextOf(t, alice)
		require.Equal(t, blaze.Text("psst"), out.Payload)
		require.True(t, out.Encrypted)
	})
}
