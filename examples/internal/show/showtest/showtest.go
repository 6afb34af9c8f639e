// Package showtest tests examples that use package show.
package showtest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

// Run plays every script in testdata, and compares the output of the demo with testdata/demo.out. demo is called for
// each of them. BLAZE_UPDATE=1 writes the scripts and the output.
func Run(t *testing.T, demo func(t *testing.T) show.Demo) {
	t.Helper()
	scripts, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, path := range scripts {
		t.Run(filepath.Base(path), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := demo(t)
				s, _ := blazetest.Start(t, d.Bot, d.Config)
				blazetest.Script(t, s, path)
			})
		})
	}
	t.Run("demo", func(t *testing.T) {
		update := os.Getenv("BLAZE_UPDATE") == "1"
		t.Setenv("BLAZE_UPDATE", "") // the demo's script is played as it is
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, demo(t).Play(t.Context(), &out))
			if update {
				require.NoError(t, os.WriteFile("testdata/demo.out", out.Bytes(), 0o600))
			}
			want, err := os.ReadFile("testdata/demo.out")
			require.NoError(t, err)
			assert.Equal(t, string(want), out.String())
		})
	})
}

// Kill runs a bot without its demo, as a process that is killed by the returned function: nothing is drained, and what
// is not acknowledged yet is redelivered to the next process.
func Kill(t *testing.T, s *blazetest.Server, bot func(*blaze.Client) blaze.Handler) (kill func()) {
	t.Helper()
	cfg := s.Config
	cfg.Drain = -1
	c, err := blaze.New(s.Key, &cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, bot(c)) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			require.ErrorIs(t, err, blaze.ErrDrain) // something was in progress
		}
	}
}
