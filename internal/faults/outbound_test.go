package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// Fault 37: the connection is lost between a send and its reply, before or after the server has stored the message.
func TestFault37LostBeforeReply(t *testing.T) {
	for name, a := range map[string]blazetest.Answer{"stored": {Hang: true, Cut: true}, "not stored": {Cut: true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, nil, func(t *testing.T, b *bench) {
				var requests []string
				for range 5 {
					b.s.Intercept(create, func(req blazetest.Frame) blazetest.Answer {
						requests = append(requests, req.ID+string(req.Params))
						return a
					})
				}
				id, err := b.send(t.Context(), "hello")
				require.NoError(t, err)
				require.Len(t, b.s.Sent(), 1)
				assert.Equal(t, id, b.s.Sent()[0].MessageID)
				for _, other := range requests {
					assert.Equal(t, requests[0], other, "frame and message keep their ids")
				}
				assert.EqualValues(t, len(requests), b.c.Stats().Resent)
				assert.Equal(t, len(requests)+1, b.connects())
				firedN(t, 37, len(requests))
			})
		})
	}
}

// Fault 38: the first of several replies completes a Send, even if it is late and a later one is a rejection. None is
// handled or acknowledged as a message.
func TestFault38DuplicateAndLateReply(t *testing.T) {
	bubble(t, blaze.On(nothing), func(b *bench) {
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			for silent := true; ; {
				r, err := c.Next()
				switch {
				case err != nil:
					return
				case r.Action == list:
					_ = c.Reply(r, "")
					continue
				case silent:
					silent = false // the client sends the request again
					continue
				}
				assert.Equal(t, create, r.Action)
				_ = c.Reply(r, stub)
				_ = c.Reply(r, stub)
				_ = c.Reply(r, `,"error":{"status":202,"code":403}`)
			}
		})
	}, func(t *testing.T, b *bench) {
		for n := range 10 {
			_, err := b.send(t.Context(), fmt.Sprint(n))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		assert.Empty(t, b.failures())
		assert.EqualValues(t, 1, b.c.Stats().Resent)
		assert.EqualValues(t, 10, b.c.Stats().Sent)
		assert.EqualValues(t, 20, b.c.Stats().Ignored)
		assert.Zero(t, b.c.Stats().Handled)
		firedN(t, 38, int(b.c.Stats().Ignored))
	})
}

// Fault 40: a thousand concurrent requests, with replies in random order, every second of them a rejection. Each caller
// receives its own.
func TestFault40ShuffledReplies(t *testing.T) {
	const many = 1000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rejected := make(map[string]bool)
	for n := 1; n < many; n += 2 {
		rejected[blaze.DeriveID(t.Name(), fmt.Sprint(n))] = true // the id that send derives
	}
	bubble(t, nil, func(b *bench) {
		b.dials = onlyFirst(1, func(_ int, c *wspeer.Peer) {
			if c.Accept() != nil {
				return
			}
			var all []wspeer.Request
			for len(all) < many {
				r, err := c.Next()
				if err != nil {
					return
				}
				all = append(all, r)
			}
			rand.New(rand.NewPCG(seed, 0)).Shuffle(many, func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, r := range all {
				more := ""
				if rejected[r.MessageID()] {
					more = `,"error":{"status":202,"code":10002,"description":"` + r.MessageID() + `"}`
				}
				_ = c.Reply(r, more)
				fired(t, 40)
			}
			c.Drain()
		})
	}, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var callers sync.WaitGroup
		for n := range many {
			callers.Go(func() {
				id, err := b.send(ctx, fmt.Sprint(n))
				var e *blaze.Error
				switch {
				case !rejected[id]:
					assert.NoError(t, err)
				case assert.ErrorAs(t, err, &e):
					assert.Equal(t, id, e.Description)
					assert.Equal(t, id, e.MessageID)
				}
			})
		}
		callers.Wait()
		assert.Empty(t, b.failures())
		assert.EqualValues(t, many/2, b.c.Stats().Sent)
		assert.Zero(t, b.c.Stats().OutboxRequests)
		_ = b.allTaps()[0].Close()
	})
}

// keystoreWarned reports whether TestFault62KeystoreReadByAll has run. The client warns once per process.
var keystoreWarned bool

// Fault 62: a keystore that other users can read is loaded, with a warning.
func TestFault62KeystoreReadByAll(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no such bits
	}
	var logs bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logs, nil)))
	path := filepath.Join(t.TempDir(), "keystore.json")
	s := testkit.NewServer()
	defer s.Close()
	key := s.Key
	text, err := json.Marshal(map[string]string{
		"app_id": key.AppID, "session_id": key.SessionID, "session_private_key": key.SessionPrivateKey,
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	first := 1
	if keystoreWarned {
		first = 0
	}
	keystoreWarned = true
	for _, c := range []struct {
		mode     fs.FileMode
		warnings int
	}{{0o600, 0}, {0o640, first}, {0o644, first}, {0o640, 0}, {0o644, 0}, {0o622, first}} {
		mode, warnings := c.mode, c.warnings
		logs.Reset()
		require.NoError(t, os.Chmod(path, mode))
		got, err := blaze.LoadKeystore(path)
		require.NoError(t, err)
		assert.Equal(t, key.AppID, got.AppID)
		assert.Equal(t, warnings, strings.Count(logs.String(), path), "%v: %s", mode, logs.String())
		newCanary(key).look(t, "log lines", logs.String())
	}
	fired(t, 62)
}

// Fault 58: the canary finds secrets. All other tests search every log record, error, frame and value with it.
func TestFault58Secrets(t *testing.T) {
	s := testkit.NewServer()
	defer s.Close()
	c := newCanary(s.Key)
	key := s.Key.SessionPrivateKey
	for _, form := range append(forms([]byte(key)), forms([]byte(tokenHead))...) {
		assert.True(t, c.found("text "+form+" text"))
	}
	type pair struct{ A, B any }
	for _, v := range []any{errors.New(key), []byte(key), pair{key, nil}, &pair{[]byte(key), nil}, tokenHead + "rest"} {
		assert.True(t, c.found(fmt.Sprintf("%v %+v %#v %x", v, v, v, v)), "%T", v)
	}
	assert.False(t, c.found(s.Key.AppID+s.Key.SessionID+blaze.DeriveID(key)))
	for _, v := range []any{
		s.Key, &s.Key, pair{s.Key, &s.Key}, []blaze.Keystore{s.Key}, map[string]blaze.Keystore{"x": s.Key},
	} {
		c.lookAt(t, "keystores", v)
	}
	b := newBench(t, s)
	client, err := blaze.New(s.Key, &b.cfg)
	require.NoError(t, err)
	c.lookAt(t, "clients", client)
	b.cfg.Logger.Info("a keystore", "key", s.Key, "pointer", &s.Key, "in", pair{s.Key, nil})
	assert.Contains(t, b.log.String(), s.Key.SessionID)
	fired(t, 58)
}
