package serve_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// The expected frames have the shapes of frames recorded in 2019.
func TestViews(t *testing.T) {
	at := time.Date(2019, 1, 10, 3, 19, 36, 805026123, time.FixedZone("", 3600))
	receipt := serve.PushReceipt(id1, "DELIVERED", at)
	assert.True(t, serve.IsUUID(receipt.ID))
	assert.Equal(t, "ACKNOWLEDGE_MESSAGE_RECEIPT", receipt.Action)
	assert.JSONEq(t, `{
		"type": "message", "representative_id": "", "quote_message_id": "", "conversation_id": "", "user_id": "",
		"message_id": "`+id1+`", "category": "", "data": "", "status": "DELIVERED",
		"source": "ACKNOWLEDGE_MESSAGE_RECEIPT",
		"created_at": "0001-01-01T00:00:00Z", "updated_at": "2019-01-10T02:19:36.805026Z"
	}`, string(encoded(t, receipt.Data)))

	assert.JSONEq(t, `{
		"type": "message", "representative_id": "", "quote_message_id": "", "conversation_id": "",
		"category": "", "data": "",
		"user_id": "`+botID+`", "message_id": "`+id1+`", "status": "SENT", "source": "CREATE_MESSAGE",
		"created_at": "2019-01-10T02:19:36.805026123Z", "updated_at": "2019-01-10T02:19:36.805026123Z"
	}`, string(encoded(t, serve.Stub(botID, id1, at))))
}

func TestPushedMessages(t *testing.T) {
	for _, pending := range []bool{false, true} {
		p := serve.PushMessage(serve.View{Type: "message", MessageID: id1, Category: "PLAIN_TEXT"}, pending)
		assert.True(t, serve.IsUUID(p.ID))
		assert.Equal(t, "CREATE_MESSAGE", p.Action)
		var data map[string]any
		require.NoError(t, json.Unmarshal(encoded(t, p.Data), &data))
		source := "CREATE_MESSAGE"
		if pending {
			source = "LIST_PENDING_MESSAGES"
		}
		assert.Equal(t, source, data["source"])
		assert.Len(t, data, 16, "every field is there, also the empty ones")
	}
	assert.NotEqual(t, serve.NewID(), serve.NewID())
}

func TestIsUUID(t *testing.T) {
	for s, want := range map[string]bool{
		id3: true, "AAAAAAAA-3333-4333-8333-333333333333": false, "": false, "{" + id3 + "}": false,
		"aaaaaaaa333343338333333333333333": false, id3 + " ": false,
	} {
		assert.Equal(t, want, serve.IsUUID(s), s)
	}
}
