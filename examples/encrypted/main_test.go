package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out, "secret"))
	assert.Contains(t, out.String(), `alice reads     "secret", encrypted: true`)
	assert.Contains(t, out.String(), `the bot reads   "I heard you", category ENCRYPTED_TEXT`)
	before, _, _ := bytes.Cut(out.Bytes(), []byte("alice reads"))
	assert.NotContains(t, string(before), "secret")
}

func TestLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := map[string]blaze.Text{blazetest.UserID("alice"): "alice", blazetest.UserID("bob"): "bob"}
		s, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
			return blaze.On(func(ctx context.Context, m *blaze.Message, _ blaze.Text) error {
				return send(ctx, c, m.UserID, "here is your letter, "+names[m.UserID])
			})
		}, nil)
		blazetest.Script(t, s, "testdata/letters.txt")
		require.Len(t, s.Sent(), 2)
		for _, out := range s.Sent() {
			assert.True(t, out.Encrypted)
		}
	})
}
