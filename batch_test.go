package blaze_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// toCrowd returns n messages, each with its own id, to users 0, 1, ... users-1, 0, 1 and so on.
func toCrowd(c *blaze.Client, n, users int) []blaze.Outgoing {
	outs := make([]blaze.Outgoing, n)
	for i := range outs {
		outs[i] = c.ToUser(userID(fmt.Sprint("user", i%users)), blaze.Textf("%d", i))
		outs[i].MessageID = blaze.DeriveID("crowd", fmt.Sprint(i))
	}
	return outs
}

// idsOfAll returns the ids of the messages, in order.
func idsOfAll(outs []blaze.Outgoing) []string {
	var ids []string
	for _, out := range outs {
		ids = append(ids, out.MessageID)
	}
	return ids
}

// requireInOrder checks that each message was stored once, and that the messages of each conversation were stored in
// order.
func requireInOrder(t *testing.T, want, got []blaze.Outgoing) {
	t.Helper()
	require.Len(t, got, len(want))
	byConversation := func(outs []blaze.Outgoing) map[string][]string {
		m := map[string][]string{}
		for _, out := range outs {
			m[out.ConversationID] = append(m[out.ConversationID], out.MessageID)
		}
		return m
	}
	require.Equal(t, byConversation(want), byConversation(got))
}

// Frames of batches and of acknowledgements are not compressed on the wire. A frame of one long message is.
func TestFramesOfManyAreNotCompressed(t *testing.T) {
	bubble(t, "upstream", func(t *testing.T) {
		var up upstream
		r := prepare(t, func(cfg *blaze.Config) {
			dial := cfg.DialContext
			cfg.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				up.Conn = c
				return &up, err
			}
		})
		r.start(t.Context(), func(context.Context, *blaze.Message) error { return nil })
		synctest.Wait()
		before := up.written.Load()
		text := blaze.Text(strings.Repeat("again ", 1000))
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), text))
		require.NoError(t, err)
		alone := up.written.Load() - before
		assert.Less(t, alone, int64(1000))
		_, err = r.SendBatch(t.Context(), r.ToUser(userID("alice"), text), r.ToUser(userID("bob"), text))
		require.NoError(t, err)
		assert.Greater(t, up.written.Load()-before-alone, int64(2*8000), "in base64")

		before = up.written.Load()
		for range 80 {
			r.say("alice", "hello")
		}
		r.idle()
		assert.Greater(t, up.written.Load()-before,
			int64(80*len(`{"message_id":"89e0bdee-c355-47f2-945a-be48be875606","status":"READ"}`)))
	})
}

// upstream counts the bytes written.
type upstream struct {
	net.Conn
	written atomic.Int64
}

func (c *upstream) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}

func TestBatchOfNone(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client, w *frames) {
		sent, err := c.SendBatch(t.Context())
		assert.NoError(t, err)
		assert.Empty(t, sent)
		assert.Empty(t, w.all())
	})
}

func TestBatchPacksAHundred(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		outs := toCrowd(c, 250, 250)
		outs[3].MessageID = ""
		sent, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, []string{actionBatch, actionBatch, actionBatch}, w.actions())
		assert.ElementsMatch(t, []int{100, 100, 50}, sizes(w.all()))
		require.Len(t, sent, 250)
		assert.Regexp(t, frameID, sent[3].MessageID)
		outs[3].MessageID = sent[3].MessageID
		for i, out := range outs {
			assert.Equal(t, blaze.Sent{MessageID: out.MessageID, ConversationID: out.ConversationID}, sent[i])
		}
		assert.ElementsMatch(t, outs, s.Sent())
		assert.EqualValues(t, 250, c.Stats().Sent)
	})
}

// Messages of one conversation share a frame, in order. The next frame waits for its reply.
func TestBatchToOneUser(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		outs := toCrowd(c, 250, 1)
		_, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		assert.Equal(t, []int{100, 100, 50}, sizes(w.all()))
		requireInOrder(t, outs, s.Sent())
	})
}

// A frame has at most 128 KiB of JSON and as many messages as fit.
func TestBatchPacks128KB(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		outs := toCrowd(c, 40, 40)
		for i := range outs {
			outs[i].Payload = blaze.Text(strings.Repeat("x", 1000+i*997))
		}
		_, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		requireInOrder(t, outs, s.Sent())
		frames := w.all()
		place := func(f frame) int { return slices.Index(idsOfAll(outs), f.ids()[0]) }
		slices.SortFunc(frames, func(a, b frame) int { return place(a) - place(b) }) // frames are written concurrently
		next := 0
		for i, f := range frames {
			assert.LessOrEqual(t, len(f.text), 128<<10)
			require.Equal(t, idsOfAll(outs[next:next+len(f.ids())]), f.ids())
			next += len(f.ids())
			if i < len(frames)-1 {
				// The next message needs its base64 and some 250 bytes of names and ids. Less than that is left.
				following := (1000+next*997)*4/3 + 350
				assert.Greater(t, len(f.text)+following, 128<<10, "frame %d", i)
			}
		}
		assert.Equal(t, 40, next)
	})
}

// Messages that CREATE_PLAIN_MESSAGES cannot carry are sent singly, with all of their options.
func TestBatchSendsAlone(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		attachment := blaze.Attachment{ID: attachmentID, Size: 1}
		big := 128<<10 - 1000
		edits := []struct {
			alone bool
			edit  func(*blaze.Outgoing)
		}{
			{false, func(*blaze.Outgoing) {}},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.Card{Title: "t", Description: "d", Action: "input:a"} }},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.ButtonGroup(buttons(1)) }},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.Recall{MessageID: messageA} }},
			{true, func(o *blaze.Outgoing) { o.RecipientID = "" }},
			{true, func(o *blaze.Outgoing) { o.Silent = true }},
			{true, func(o *blaze.Outgoing) { o.ExpireIn = time.Second }},
			{true, func(o *blaze.Outgoing) { o.ConversationID, o.Mentions = conversationA, []string{userA} }},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.Text(strings.Repeat("x", 128<<10)) }},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.Text(strings.Repeat("x", big*3/4+1000)) }},
			{false, func(o *blaze.Outgoing) { o.Payload = blaze.Text(strings.Repeat("x", big*3/4)) }},
			{false, func(o *blaze.Outgoing) { o.Payload = blaze.Image{Attachment: attachment, Width: 1, Height: 1} }},
			{false, func(o *blaze.Outgoing) { o.QuoteID, o.RepresentativeID = messageA, userA }},
			{false, func(o *blaze.Outgoing) { o.Payload = blaze.Raw{As: "PLAIN_TEXT", Data: []byte("raw")} }},
			{true, func(o *blaze.Outgoing) { o.Payload = blaze.Raw{As: "MESSAGE_PIN", Data: []byte("{}")} }},
		}
		outs := toCrowd(c, len(edits), len(edits))
		alone := map[string]bool{}
		for i, e := range edits {
			e.edit(&outs[i])
			alone[outs[i].MessageID] = e.alone
		}
		_, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		requireInOrder(t, outs, s.Sent())
		for _, f := range w.all() {
			for _, id := range f.ids() {
				i := slices.Index(idsOfAll(outs), id)
				assert.Equal(t, alone[id], f.Action == actionSend, "message %d in a %s", i, f.Action)
			}
			if f.Action == actionSend {
				assert.Len(t, f.ids(), 1)
			}
		}
		for _, got := range s.Sent() {
			want := outs[slices.Index(idsOfAll(outs), got.MessageID)]
			if raw, ok := want.Payload.(blaze.Raw); ok {
				want.Payload = blaze.DecodePayload(raw.As, raw.Data)
				assert.Equal(t, want.Payload.Category(), got.Payload.Category())
				got.Payload = want.Payload
			}
			assert.Equal(t, want, got)
		}
	})
}

// A Raw may have any category. The JSON escapes of a category count towards the size of a frame.
func TestBatchOfStrangeCategories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, nil)
		outs := toCrowd(c, 100, 100)
		for i := range outs {
			outs[i].Payload = blaze.Raw{As: blaze.Category("PLAIN_" + strings.Repeat("\x01", 1000)), Data: []byte("x")}
		}
		sent := make(chan error, 1)
		go func() {
			_, err := c.SendBatch(t.Context(), outs...)
			sent <- err
		}()
		for got := 0; got < len(outs); {
			r := s.next()
			assert.LessOrEqual(t, len(r.text), 128<<10)
			got += len(r.ids())
			r.confirm()
		}
		require.NoError(t, <-sent)
	})
}

// Two unanswered requests never have messages of the same conversation, and conversations do not wait for each other.
// The server answers in any order. At most 64 requests are unanswered, single messages of rejected frames included.
func TestBatchPipelinesConversations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRawServer(t)
		c := s.start(botID, nil, nil)
		outs := toCrowd(c, 1000, 300)
		for i := range outs {
			if i%7 == 0 {
				outs[i].Payload = blaze.ButtonGroup(buttons(1)) // is sent singly
			}
		}
		conversation := map[string]string{}
		for _, out := range outs {
			conversation[out.MessageID] = out.ConversationID
		}
		sent := make(chan error, 1)
		go func() {
			_, err := c.SendBatch(t.Context(), outs...)
			sent <- err
		}()
		var open []request
		busy := map[string]bool{}
		var stored []blaze.Outgoing
		most, split := 0, false
		take := func() {
			synctest.Wait()
			for len(s.requests) > 0 {
				r := s.next()
				mine := map[string]bool{}
				for _, id := range r.ids() {
					require.False(t, busy[conversation[id]], "two requests of one conversation")
					mine[conversation[id]] = true
					stored = append(stored, blaze.Outgoing{ConversationID: conversation[id], MessageID: id})
				}
				for id := range mine {
					busy[id] = true
				}
				open = append(open, r)
			}
			if !split {
				most = max(most, len(open))
			}
		}
		for take(); len(open) > 0; take() {
			r := open[len(open)/2]
			open = slices.Delete(open, len(open)/2, len(open)/2+1)
			for _, id := range r.ids() {
				delete(busy, conversation[id])
			}
			if len(stored)%5 == 0 {
				r.reject(blaze.CodeNotFound, "")
				split = split || r.Action == actionBatch
			} else {
				r.confirm()
			}
		}
		err := <-sent
		var failed *blaze.BatchError
		if err != nil {
			require.ErrorAs(t, err, &failed)
		}
		assert.Greater(t, most, 10)
		assert.LessOrEqual(t, most, 64)
	})
}

// Connections are lost, and requests are rejected as transient or left unanswered. Each message is stored once, in
// order.
func TestBatchKeepsOrderThroughFaults(t *testing.T) {
	for seed := range 3 {
		inBubble(t, func(cfg *blaze.Config) {
			cfg.SendAttempts = -1
		}, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
			faults := []blazetest.Answer{serverFailed, slowDown, cutUnstored, cutStored, hang, {}, {}}
			rng := rand.New(rand.NewPCG(uint64(seed), 7))
			var mu sync.Mutex
			left := 60
			var fault func(action string) func(blazetest.Frame) blazetest.Answer
			fault = func(action string) func(blazetest.Frame) blazetest.Answer {
				return func(f blazetest.Frame) blazetest.Answer {
					mu.Lock()
					defer mu.Unlock()
					if left--; left > 0 {
						s.Intercept(action, fault(action))
					}
					return faults[rng.IntN(len(faults))]
				}
			}
			s.Intercept(actionSend, fault(actionSend))
			s.Intercept(actionBatch, fault(actionBatch))
			outs := toCrowd(c, 300, 30)
			for i := range outs {
				if i%11 == 0 {
					outs[i].Payload = blaze.ButtonGroup(buttons(1))
				}
			}
			_, err := c.SendBatch(t.Context(), outs...)
			require.NoError(t, err)
			requireInOrder(t, outs, s.Sent())
			assert.Greater(t, len(w.all()), 60)
		})
	}
}

func TestBatchToAThousandUsers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client, w *frames) {
		outs := toCrowd(c, 10_000, 1000)
		began := time.Now()
		sent, err := c.SendBatch(t.Context(), outs...)
		require.NoError(t, err)
		require.Len(t, sent, len(outs))
		for i := range outs {
			if sent[i].MessageID != outs[i].MessageID {
				require.Equal(t, outs[i].MessageID, sent[i].MessageID)
			}
		}
		assert.Zero(t, time.Since(began))
		assert.Len(t, w.all(), 100)
		requireInOrder(t, outs, s.Sent())
	})
}
