package blazetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// store keeps a message that a client sent, once for each id. The caller holds s.mu.
func (s *Server) store(out blaze.Outgoing) {
	if _, known := s.sentIDs[out.MessageID]; known {
		return
	}
	s.sentIDs[out.MessageID] = len(s.sent)
	s.sent = append(s.sent, out)
	s.emit(Event{Kind: EventMessage, Message: &out})
}

// acknowledge notes that the bot is finished with a message. The caller holds s.mu.
func (s *Server) acknowledge(a serve.Ack) {
	id := a.MessageID
	if e, ok := s.pendingBy[id]; ok {
		s.pending.Remove(e)
		delete(s.pendingBy, id)
	}
	if _, known := s.ackedIDs[id]; !known {
		s.ackedIDs[id] = struct{}{}
		s.acked = append(s.acked, id)
		s.emit(Event{Kind: EventAck, Text: a.Status, Message: &blaze.Outgoing{MessageID: id}})
	}
}

// Next waits for the next message that a client sent, and takes it: each is returned once, in the order in which they
// were stored. Its payload is what [blaze.DecodePayload] makes of what was sent; encrypted ones are [blaze.Raw]. The
// error is that of ctx with the state of the server, or says that the server was closed and no message is left.
func (s *Server) Next(ctx context.Context) (blaze.Outgoing, error) {
	var out blaze.Outgoing
	err := s.await(ctx, func() bool {
		if s.taken == len(s.sent) {
			return false
		}
		out = s.sent[s.taken]
		s.taken++
		return true
	})
	return out, err
}

// Idle waits until every delivered message is acknowledged and every request that was read is answered: what Sent lacks
// then was not sent in answer to a message. Requests that an interception left hanging are not waited for, and what a
// client has not written yet the server cannot know. The error is that of ctx with the state of the server, or says
// that the server was closed before.
func (s *Server) Idle(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.pending.Len() == 0 && s.unanswered == 0 })
}

// await waits until cond, called with s.mu held, is true.
func (s *Server) await(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		if cond() {
			s.mu.Unlock()
			return nil
		}
		closed, change := s.closed, s.change()
		s.mu.Unlock()
		if closed {
			return errClosed
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("blazetest: waited in vain (%s): %w", s.describe(), ctx.Err())
		}
	}
}

// describe says what there is to wait for.
func (s *Server) describe() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := 0
	for _, c := range s.conns {
		if c.listed {
			listed++
		}
	}
	return fmt.Sprintf("%d connections, %d of which get messages; %d messages pending, %d sent, %d requests unanswered",
		len(s.conns), listed, s.pending.Len(), len(s.sent), s.unanswered)
}

// Sent returns the messages that clients sent, each MessageID once, in the order in which they were stored, those that
// Next took too.
func (s *Server) Sent() []blaze.Outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Acked returns the ids that were acknowledged, by either action, each once, in the order in which they first were.
func (s *Server) Acked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}

// Pending returns the ids of the delivered messages that are not acknowledged, oldest first.
func (s *Server) Pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for e := s.pending.Front(); e != nil; e = e.Next() {
		ids = append(ids, e.Value.(*stored).view.MessageID)
	}
	return ids
}
