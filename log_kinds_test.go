package blaze_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Warnings with errors that agree in their first 500 bytes are equal.
func TestWarningsWithEqualBeginningsAreEqual(t *testing.T) {
	for _, tt := range []struct {
		name        string
		equal, want int
	}{{"the last byte differs", 499, 2}, {"a byte behind differs", 500, 1}} {
		bubble(t, tt.name, func(t *testing.T) {
			r := prepare(t, nil)
			for _, end := range []string{"a", "b"} {
				blaze.ObserveBadFrame(r.Client, errors.New(strings.Repeat("x", tt.equal)+end))
			}
			synctest.Wait()
			assert.Equal(t, tt.want, r.log.count(slog.LevelWarn, "frame skipped"))
		})
	}
}

// panicAt panics with a different stack for each n below 1<<bits: each bit chooses one of two lines.
func panicAt(n, bits int) {
	if bits == 0 {
		panic("boom")
	}
	if n%2 == 0 { //nolint:gocritic // dupBranchBody: the lines differ
		panicAt(n/2, bits-1)
	} else {
		panicAt(n/2, bits-1)
	}
}

// The stacks of panics in 100 places are logged. Panics in other places are then logged without a stack.
func TestStacksOfManyPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l logMeter
		r := run(t, blaze.On(func(_ context.Context, _ *blaze.Message, text blaze.Text) error {
			n, err := strconv.Atoi(string(text))
			if err != nil {
				return err
			}
			panicAt(n, 7)
			return nil
		}), func(cfg *blaze.Config) { cfg.Logger, cfg.HandlerAttempts = slog.New(&l), 1 })
		for n := range 100 {
			r.say("alice", strconv.Itoa(n))
			r.idle()
		}
		assert.EqualValues(t, 100, l.stacks.Load())
		r.say("alice", "100")
		r.idle()
		assert.EqualValues(t, 101, r.Stats().Dropped)
		assert.EqualValues(t, 100, l.stacks.Load())
	})
}

// The first decline is logged for each of 100 categories. All declines are counted.
func TestDeclinesOfManyCategories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplyingServer(t)
		r := s.run(func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled }, nil)
		synctest.Wait()
		for i := range 101 {
			category := fmt.Sprint("PLAIN_NEW_", i)
			s.conn().push(with(message("alice", category), map[string]any{"category": category}))
			synctest.Wait()
		}
		assert.EqualValues(t, 101, r.Stats().Declined)
		assert.Equal(t, 1, r.log.count(slog.LevelWarn, "PLAIN_NEW_99"))
		assert.Zero(t, r.log.count(slog.LevelWarn, "PLAIN_NEW_100"))
		assert.Equal(t, 100, r.log.count(slog.LevelWarn, "declined a message"))
	})
}

// Each user is logged once. The last 4,096 users are remembered. TestManyGroups tests the same for groups.
func TestManyUsersWithUnencryptedReplies(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // an RSA key cannot encrypt, so all replies are sent as plain text
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	keystore := blaze.Keystore{AppID: botID, SessionID: userB, SessionPrivateKey: text}
	synctest.Test(t, func(t *testing.T) {
		var reported atomic.Int64
		r := prepareWith(t, keystore, blaze.Config{}, func(cfg *blaze.Config) {
			cfg.Logger = slog.New(logFunc(func(r slog.Record) {
				if !strings.Contains(r.Message, warnUnencrypted) {
					return
				}
				records := int64(1)
				r.Attrs(func(a slog.Attr) bool {
					if a.Key == "repeated" {
						records = a.Value.Int64()
					}
					return true
				})
				reported.Add(records)
			}))
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		answer := func(user int) {
			m := handMade(botID)
			m.Category, m.UserID, m.Group = blaze.CategoryEncryptedText, blaze.DeriveID(strconv.Itoa(user)), false
			m.ConversationID = blaze.ConversationID(botID, m.UserID)
			_, err := r.Send(ctx, m.NewReply(blaze.Text("a")))
			require.ErrorIs(t, err, context.Canceled)
		}
		wantReported := func(want int, why string) {
			t.Helper()
			time.Sleep(2 * time.Minute) // until the counted warnings are logged
			synctest.Wait()
			assert.EqualValues(t, want, reported.Load(), why)
		}
		for user := range 4096 {
			answer(user)
		}
		wantReported(4096, "each user")
		answer(0)
		wantReported(4096, "the first user is remembered")
		answer(4096)
		answer(0)
		wantReported(4096+2, "the first user was forgotten")
	})
}
