package blaze

import (
	"sync/atomic"
	"time"
)

// Stats are a Client's counters and gauges at one moment, for health checks and metrics. Counters start at zero with [New].
type Stats struct {
	Connected             bool
	ConnectedAt, LastRead time.Time // LastRead: last frame, ping or pong. Zero before the first connection

	Connects                  uint64
	FramesRead, FramesWritten uint64
	BadFrames                 uint64 // skipped: not a frame, or a push that cannot be read
	Ignored                   uint64 // well-formed, but of no use: late replies, unknown actions
	Handled                   uint64 // messages whose handler succeeded
	Declined                  uint64 // messages that every handler declined
	Failed                    uint64 // attempts of a handler that failed
	Dropped                   uint64 // messages given up
	Duplicates                uint64 // pushes of messages that were held or handled already
	Acked                     uint64 // messages whose acknowledgement was confirmed
	AcksForgotten             uint64 // messages whose acknowledgement was refused for good; a redelivery meets the Ledger
	Sent                      uint64 // messages confirmed by the server
	Resent                    uint64 // frames written again, with the same ids

	HandlersRunning, InboxMessages, OutboxRequests, AcksWaiting int
}

type counters struct {
	connectedAt, lastRead atomic.Int64 // unix milliseconds; 0: never

	connects, framesRead, framesWritten, badFrames, ignored atomic.Uint64
	handled, declined, failed, dropped, duplicates          atomic.Uint64
	acked, acksForgotten, sent, resent                      atomic.Uint64
}

// Stats returns the present counters. It may be called at any time; the numbers are not of one instant.
func (c *Client) Stats() Stats {
	s := &c.stats
	c.mu.Lock()
	connected := c.offline == nil
	c.mu.Unlock()
	out := c.outbox.Len()
	in := c.inbox.Len()
	return Stats{
		Connected: connected, ConnectedAt: moment(&s.connectedAt), LastRead: moment(&s.lastRead),
		Connects: s.connects.Load(), FramesRead: s.framesRead.Load(), FramesWritten: s.framesWritten.Load(),
		BadFrames: s.badFrames.Load(), Ignored: s.ignored.Load(), Handled: s.handled.Load(), Declined: s.declined.Load(),
		Failed: s.failed.Load(), Dropped: s.dropped.Load(), Duplicates: s.duplicates.Load(), Acked: s.acked.Load(),
		AcksForgotten: s.acksForgotten.Load(), Sent: s.sent.Load(), Resent: s.resent.Load() + out.Resent,
		HandlersRunning: in.Handling, InboxMessages: in.Messages, OutboxRequests: out.Requests, AcksWaiting: c.acker.waitingIDs(),
	}
}

func moment(ms *atomic.Int64) time.Time {
	if n := ms.Load(); n != 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}
