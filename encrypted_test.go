package blaze_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// recorder records the messages that a handler receives. All are of one conversation, so the calls do not overlap.
type recorder struct{ messages []*blaze.Message }

func (k *recorder) handle(_ context.Context, m *blaze.Message) error {
	k.messages = append(k.messages, m)
	return nil
}

func TestEncryptedMessagesAreDecrypted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got recorder
		r := run(t, got.handle, nil)
		image := blaze.Image{
			Attachment: blaze.Attachment{
				ID: userA, MimeType: "image/png", Size: 7,
				Key: bytes.Repeat([]byte{1}, 64), Digest: bytes.Repeat([]byte{2}, 32),
			},
			Width: 3, Height: 4,
		}
		payloads := []blaze.Payload{blaze.Text("hello"), image, blaze.Post("# post"), blaze.Contact{UserID: userB}}
		for _, p := range payloads {
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: p, Encrypted: true})
		}
		r.idle()
		require.Len(t, got.messages, len(payloads))
		for i, m := range got.messages {
			assert.Equal(t, payloads[i], m.Payload)
			data, err := blaze.EncodePayload(payloads[i])
			require.NoError(t, err)
			assert.Equal(t, data, m.Data)
			assert.True(t, m.Category.Encrypted())
			assert.Equal(t, payloads[i].Category(), m.Category.Plain())
			assert.True(t, m.NewReply(blaze.Text("x")).Encrypted)
		}
	})
}

// A message that cannot be decrypted is delivered as a Raw. It delays no other message.
func TestEncryptedMessagesThatCannotBeDecrypted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got recorder
		r := run(t, got.handle, nil)
		claims := make([]byte, 111)
		claims[0], claims[1], claims[2] = 1, 0xff, 0xff
		lowOrder := append([]byte{1, 1, 0}, make([]byte, 32)...)
		lowOrder = append(lowOrder, 0xb1, 0xa2, 0xe0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 2) // our session
		lowOrder = append(lowOrder, make([]byte, 48+12+16)...)
		others := append([]byte{1, 1, 0}, make([]byte, 32+64+12+16)...)
		blobs := map[string][]byte{
			"damaged": []byte("x"), "too few for the 65535": claims,
			"low order": lowOrder, "encrypted for other sessions": others, "0 bytes": {},
		}
		for _, blob := range blobs {
			r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: blaze.CategoryEncryptedText, Data: blob}})
		}
		r.say("alice", "after")
		r.idle()
		require.Len(t, got.messages, len(blobs)+1)
		texts := ""
		for _, m := range got.messages[:len(blobs)] {
			raw, ok := m.Payload.(blaze.Raw)
			require.True(t, ok)
			require.Error(t, raw.Err)
			assert.Equal(t, blaze.CategoryEncryptedText, raw.As)
			assert.Equal(t, m.Data, raw.Data)
			texts += raw.Err.Error() + "\n"
			assert.True(t, errors.Is(raw.Err, blaze.ErrNotForUs) || errors.Is(raw.Err, blaze.ErrDamaged))
		}
		for reason := range blobs {
			assert.Contains(t, texts, reason)
		}
		assert.EqualValues(t, len(blobs)+1, r.Stats().Handled)
		assert.EqualValues(t, 1, r.Stats().Connects)
	})
}

func TestAnRSASessionCannotDecrypt(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	synctest.Test(t, func(t *testing.T) {
		var got recorder
		s := newReplyingServer(t)
		s.answer = func(r request) bool {
			if r.Action == actionList {
				r.confirm()
				v := message("alice", "")
				v["category"], v["data"] = "ENCRYPTED_TEXT", "AQEA"+strings.Repeat("AAAA", 40)
				r.conn.push(v)
				return true
			}
			return false
		}
		c := prepareWith(t, blaze.Keystore{AppID: botID, SessionID: userB, SessionPrivateKey: text}, s.config(), nil)
		c.start(t.Context(), got.handle)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, got.messages, 1)
		raw, ok := got.messages[0].Payload.(blaze.Raw)
		require.True(t, ok)
		assert.ErrorContains(t, raw.Err, "ed25519")
	})
}

func TestAPanicOfADecoderCostsOnePayload(t *testing.T) {
	v := &wire.Message{
		MessageID: messageA, ConversationID: conversationA, UserID: userA, Category: "ENCRYPTED_TEXT", Data: "cipher",
	}
	for want, panics := range map[string]func(){
		"index out of range [0] with length 0": func() { _ = []int{}[len(v.SessionID)] },
		"panic with a string":                  func() { panic(canary) },
	} {
		m := blaze.NewMessage(v, botID, 1, func(*wire.Message) ([]byte, error) { panics(); return nil, nil })
		assert.Equal(t, messageA, m.ID)
		raw, _ := m.Payload.(blaze.Raw)
		assert.Equal(t, []byte("cipher"), raw.Data)
		assert.Equal(t, blaze.CategoryEncryptedText, raw.As)
		assert.ErrorContains(t, raw.Err, want)
		assert.NotContains(t, raw.Err.Error(), canary)
	}
}
