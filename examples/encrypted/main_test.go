package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(t.Context(), &out, "secret"))
	assert.Contains(t, out.String(), `alice reads     "secret", encrypted: true`)
	assert.Contains(t, out.String(), `the bot reads   "I heard you", category ENCRYPTED_TEXT`)
	before, _, _ := bytes.Cut(out.Bytes(), []byte("alice reads"))
	assert.NotContains(t, string(before), "secret")
}
