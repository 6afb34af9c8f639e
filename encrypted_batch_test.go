package blaze_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// posts records the requests for encrypted messages, one element each. The zero value is ready.
type posts struct {
	mu   sync.Mutex
	all  [][]string // message ids
	lens []int      // body lengths
}

// watch records all requests from now on.
func (p *posts) watch(t *testing.T, s *blazetest.Server) {
	t.Helper()
	p.answer(t, s, func([]string) blazetest.Answer { return blazetest.Answer{} })
}

// many answers the next thousand requests of an action, concurrent ones included.
func many(s *blazetest.Server, action string, answer func(blazetest.Frame) blazetest.Answer) {
	for range 1000 {
		s.Intercept(action, answer)
	}
}

// answer records all requests from now on and answers them.
func (p *posts) answer(t *testing.T, s *blazetest.Server, answer func(ids []string) blazetest.Answer) {
	t.Helper()
	many(s, encryptedAction, func(req blazetest.Frame) blazetest.Answer {
		var messages []struct {
			MessageID string `json:"message_id"`
		}
		assert.NoError(t, json.Unmarshal(req.Params, &messages))
		var ids []string
		for _, m := range messages {
			ids = append(ids, m.MessageID)
		}
		p.mu.Lock()
		p.all, p.lens = append(p.all, ids), append(p.lens, len(req.Params))
		p.mu.Unlock()
		return answer(ids)
	})
}

// sizes returns the number of messages of each request.
func (p *posts) sizes() (n []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ids := range p.all {
		n = append(n, len(ids))
	}
	return n
}

// encrypted sets Encrypted in all messages and returns them.
func encrypted(outs []blaze.Outgoing) []blaze.Outgoing {
	for i := range outs {
		outs[i].Encrypted = true
	}
	return outs
}

// The rejection of a request may concern one of its messages. They are then sent singly, in order.
func TestAnEncryptedMessageIsRejectedAlone(t *testing.T) {
	bubble(t, "one of four", func(t *testing.T) {
		r := run(t, nil, nil)
		outs := encrypted(toCrowd(r.Client, 4, 2))
		bad := outs[1].MessageID
		var posts posts
		posts.answer(t, r.Server, func(ids []string) blazetest.Answer {
			if slices.Contains(ids, bad) {
				return forbidden
			}
			return blazetest.Answer{}
		})
		sent, err := r.SendBatch(t.Context(), outs...)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Unwrap(), 1)
		require.ErrorIs(t, failed.Errs[1], blaze.CodeForbidden)
		var rejected *blaze.Error
		require.ErrorAs(t, failed.Errs[1], &rejected)
		assert.Equal(t, bad, rejected.MessageID)
		assert.Zero(t, sent[1])
		assert.Equal(t, []int{4, 1, 1, 1, 1}, posts.sizes())
		requireInOrder(t, []blaze.Outgoing{outs[0], outs[2], outs[3]}, r.Sent())
		assert.EqualValues(t, 3, r.Stats().Sent)
	})
	bubble(t, "after a lost attempt", func(t *testing.T) {
		r := run(t, nil, nil)
		outs := encrypted(toCrowd(r.Client, 3, 1))
		answers(r.Server, encryptedAction,
			cutUnstored, forbidden, blazetest.Answer{}, forbidden, blazetest.Refuse(blaze.CodeInvalidField))
		_, err := r.SendBatch(t.Context(), outs...)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.NoError(t, failed.Errs[0])
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, failed.Errs[1], &unconfirmed, "the lost request may have stored it")
		assert.Equal(t, outs[1].MessageID, unconfirmed.MessageID)
		require.ErrorIs(t, failed.Errs[2], blaze.CodeInvalidField)
		assert.False(t, errors.As(failed.Errs[2], &unconfirmed), "the lost request had the same fault")
	})
	for name, c := range map[string]struct {
		rejection blazetest.Answer
		posts     int
	}{
		"about the session": {blazetest.Refuse(blaze.CodeUpdateRequired), 1},
		"temporary":         {serverFailed, 2},
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, func(cfg *blaze.Config) { cfg.SendAttempts = 2 })
			var posts posts
			posts.answer(t, r.Server, func([]string) blazetest.Answer { return c.rejection })
			_, err := r.SendBatch(t.Context(), encrypted(toCrowd(r.Client, 3, 3))...)
			var failed *blaze.BatchError
			require.ErrorAs(t, err, &failed)
			for _, err := range failed.Errs {
				require.ErrorIs(t, err, c.rejection.Reply.Error.Code)
			}
			assert.Len(t, posts.sizes(), c.posts, "another request would fail, too")
		})
	}
}

// crowdedSessions answers a lookup with this number of sessions for each user.
func crowdedSessions(t *testing.T, s *blazetest.Server, each int) {
	t.Helper()
	many(s, fetchAction, func(req blazetest.Frame) blazetest.Answer {
		var users []string
		assert.NoError(t, json.Unmarshal(req.Params, &users))
		var all []map[string]string
		for _, user := range users {
			for i := range each {
				key := make([]byte, 32)
				key[0], key[5] = 9, byte(i)
				all = append(all, map[string]string{
					"user_id": user, "session_id": blaze.DeriveID(user, fmt.Sprint(i)),
					"public_key": base64.RawURLEncoding.EncodeToString(key),
				})
			}
		}
		data, err := json.Marshal(all)
		assert.NoError(t, err)
		return blazetest.Answer{Reply: &blazetest.Frame{Data: data}}
	})
}

// The size of an encrypted message grows with the number of its recipient's sessions. A request has at most 128 KiB all
// the same, and as many messages as fit.
func TestEncryptedRequestsOfManySessions(t *testing.T) {
	bubble(t, "12 each", func(t *testing.T) {
		r := run(t, nil, nil)
		crowdedSessions(t, r.Server, 12)
		var posts posts
		posts.answer(t, r.Server, func(ids []string) blazetest.Answer { return stored(t, ids) })
		outs := encrypted(toCrowd(r.Client, 100, 10))
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		var ids []string
		for i, request := range posts.all {
			ids = append(ids, request...)
			assert.LessOrEqual(t, posts.lens[i], 128<<10)
			if i < len(posts.all)-1 {
				assert.Greater(t, posts.lens[i]+posts.lens[i]/len(request)+100, 128<<10, "request %d", i)
			}
		}
		assert.Len(t, posts.all, 2)
		assert.Len(t, ids, len(outs))
		for user := range 10 {
			var want, got []string
			for i := user; i < len(outs); i += 10 {
				want = append(want, outs[i].MessageID)
			}
			for _, id := range ids {
				if slices.Contains(want, id) {
					got = append(got, id)
				}
			}
			assert.Equal(t, want, got, "in order")
		}
	})
	bubble(t, "one that is longer alone", func(t *testing.T) {
		r := run(t, nil, nil)
		crowdedSessions(t, r.Server, 60)
		var posts posts
		posts.answer(t, r.Server, func(ids []string) blazetest.Answer { return stored(t, ids) })
		outs := encrypted(toCrowd(r.Client, 3, 1))
		outs[1].Payload = blaze.Text(strings.Repeat("x", 95_000))
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, []int{1, 1, 1}, posts.sizes())
		assert.Greater(t, posts.lens[1], 128<<10)
	})
}

// stored answers that all messages were stored.
func stored(t *testing.T, ids []string) blazetest.Answer {
	t.Helper()
	var results []map[string]string
	for _, id := range ids {
		results = append(results, map[string]string{"message_id": id, "state": "SUCCESS"})
	}
	data, err := json.Marshal(results)
	assert.NoError(t, err)
	return blazetest.Answer{Reply: &blazetest.Frame{Data: data}}
}

// The rejection of a lookup may concern one of its users.
func TestALookupRejectedForOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		many(r.Server, fetchAction, func(req blazetest.Frame) blazetest.Answer {
			if strings.Contains(string(req.Params), userID("user1")) {
				return blazetest.Refuse(blaze.CodeInvalidField)
			}
			return blazetest.Answer{}
		})
		outs := encrypted(toCrowd(r.Client, 3, 3))
		_, err := r.SendBatch(t.Context(), outs...)
		var failed *blaze.BatchError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, failed.Errs[1], blaze.CodeInvalidField)
		require.ErrorContains(t, failed.Errs[1], outs[1].MessageID)
		assert.Len(t, failed.Unwrap(), 1)
		assert.Len(t, r.Sent(), 2)
	})
}

// At most 16 HTTP requests of a batch are unanswered. Two of them never have messages of the same conversation.
func TestAnEncryptedBatchPipelinesConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, nil)
		outs := encrypted(toCrowd(r.Client, 100, 60))
		for i := range outs {
			outs[i].Payload = blaze.Text(strings.Repeat("x", 30_000)) // three fit into a request
		}
		var mu sync.Mutex
		open, most := map[string]bool{}, 0
		conversation := map[string]string{}
		for _, out := range outs {
			conversation[out.MessageID] = out.ConversationID
		}
		conversationsOf := func(ids []string) (all []string) {
			for _, id := range ids {
				all = append(all, conversation[id])
			}
			slices.Sort(all)
			return slices.Compact(all)
		}
		var posts posts
		requests := 0
		posts.answer(t, r.Server, func(ids []string) blazetest.Answer {
			mu.Lock()
			requests++
			most = max(most, requests)
			for _, c := range conversationsOf(ids) {
				assert.False(t, open[c], "two requests of one conversation")
				open[c] = true
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			requests--
			for _, c := range conversationsOf(ids) {
				delete(open, c)
			}
			return blazetest.Answer{}
		})
		_, err := r.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, 16, most)
		requireInOrder(t, outs, r.Sent())
	})
}

// An encrypted message in flight counts in Stats and in OutboxLen, and other sends wait for its capacity.
func TestEncryptedMessagesUseCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, func(cfg *blaze.Config) { cfg.OutboxLen = 1 })
		synctest.Wait()
		answers(r.Server, encryptedAction, hang) // until ReplyTimeout
		first := make(chan error, 1)
		go func() {
			_, err := r.Send(t.Context(), encryptedText(r.Client, "alice", "x"))
			first <- err
		}()
		synctest.Wait()
		assert.Equal(t, 1, r.Stats().OutboxRequests)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		plain := r.ToUser(userID("bob"), blaze.Text("x"))
		for _, out := range []blaze.Outgoing{encryptedText(r.Client, "bob", "x"), plain} {
			out.MessageID = messageA
			_, err := r.Send(ctx, out)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, messageA)
			var unconfirmed *blaze.UnconfirmedError
			require.False(t, errors.As(err, &unconfirmed))
		}
		require.NoError(t, <-first)
		assert.Zero(t, r.Stats().OutboxRequests)
	})
}
