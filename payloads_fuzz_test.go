package blaze_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// payloadFiles returns the files of testdata/payloads by category.
func payloadFiles(t testing.TB) map[blaze.Category][][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "payloads", "*.json"))
	require.NoError(t, err)
	out := map[blaze.Category][][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		category, _, _ := strings.Cut(filepath.Base(file), ".")
		out[blaze.Category(category)] = append(out[blaze.Category(category)], data)
	}
	return out
}

// The data is decoded as a payload of every category. If it does not fit, the payload is a Raw with the same data. If
// it fits and is sendable, encoding and decoding it again does not change it.
func FuzzEveryPayload(f *testing.F) {
	categories := payloadFiles(f)
	for _, list := range categories {
		for _, data := range list {
			f.Add(data)
		}
	}
	f.Add([]byte(`[{"label":"a","color":"#FFFFFF","action":"input:a"},5,{}]`))
	f.Add([]byte(`{"attachment_id":"a","width":1e3,"size":"7","thumbnail":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for category := range categories {
			p := blaze.DecodePayload(category, data)
			if raw, ok := p.(blaze.Raw); ok {
				require.Equal(t, category, raw.As)
				require.True(t, bytes.Equal(data, raw.Data))
				continue
			}
			first, err := blaze.EncodePayload(p)
			if err != nil {
				require.True(t, errors.Is(err, blaze.ErrInvalid), err)
				continue
			}
			again, err := blaze.EncodePayload(blaze.DecodePayload(category, first))
			require.NoError(t, err)
			require.Equal(t, string(first), string(again), category)
		}
	})
}
