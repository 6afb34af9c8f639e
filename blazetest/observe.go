package blazetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/serve"
)

// store stores a message of a client, once per id. The caller holds s.mu.
func (s *Server) store(out blaze.Outgoing) {
	if _, known := s.sentIDs[out.MessageID]; known {
		return
	}
	s.sentIDs[out.MessageID] = len(s.sent)
	s.sent = append(s.sent, out)
	s.emit(Event{Kind: EventMessage, Message: &out})
}

// acknowledge removes a pending message and records its id. The caller holds s.mu.
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

// Next waits for the next message that a client sent, and advances the server's cursor: each message is returned once,
// in the order in which they were stored. The payload was decoded with [blaze.DecodePayload]; an encrypted message is a
// [blaze.Raw]. The error wraps that of ctx and describes the state of the server, or reports that the server was closed
// and no message is left.
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

// Idle waits until every delivered message is acknowledged and every request that was read is answered. After it, a
// message that Sent does not contain was not sent in answer to a delivered message. Requests without an answer because
// of Answer.Hang do not count. Requests that the client has not written yet are unknown to the server. The errors are
// those of Next.
func (s *Server) Idle(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.pending.Len() == 0 && s.unanswered == 0 })
}

// await waits until cond, which is called with s.mu held, returns true.
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
			return fmt.Errorf("blazetest: wait ended (%s): %w", s.describe(), ctx.Err())
		}
	}
}

// describe describes the state of the server for errors.
func (s *Server) describe() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := 0
	for _, c := range s.conns {
		if c.listed {
			listed++
		}
	}
	return fmt.Sprintf("%d connections, %d with pushes; %d messages pending, %d sent; %d requests unanswered",
		len(s.conns), listed, s.pending.Len(), len(s.sent), s.unanswered)
}

// Sent returns the messages that clients sent, once per MessageID, in the order in which they were stored. It includes
// those that Next has returned.
func (s *Server) Sent() []blaze.Outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Acked returns the ids of acknowledged messages, each once, in the order of their first acknowledgement.
func (s *Server) Acked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}

// Pending returns the ids of delivered messages without an acknowledgement, oldest first.
func (s *Server) Pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for e := s.pending.Front(); e != nil; e = e.Next() {
		ids = append(ids, e.Value.(*stored).view.MessageID)
	}
	return ids
}
