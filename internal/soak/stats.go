package soak

import "github.com/mixin-blaze/blaze"

// totals are the sums of the Stats of all clients.
type totals struct {
	blaze.Stats
	traceDropped, traceFailed int
}

// addStats adds the Stats of the process that ended last. It is called late, because a send is counted when its caller
// runs. A client that drained completely must have nothing left.
func (r *run) addStats() {
	p := r.last
	if p == nil {
		return
	}
	r.last = nil
	s, t := p.client.Stats(), &r.totals
	t.Connects += s.Connects
	t.FramesWritten += s.FramesWritten
	t.BadFrames += s.BadFrames
	t.Handled += s.Handled
	t.Declined += s.Declined
	t.Failed += s.Failed
	t.Dropped += s.Dropped
	t.Duplicates += s.Duplicates
	t.Acked += s.Acked
	t.AcksForgotten += s.AcksForgotten
	t.Sent += s.Sent
	t.Resent += s.Resent
	t.traceDropped += int(p.dropped.Load())
	t.traceFailed += int(p.failed.Load())
	if s.Connected {
		r.add(StatsWrong, "connected after Run")
	}
	left := s.HandlersRunning + s.InboxMessages + s.OutboxRequests + s.AcksWaiting
	if p.clean && left > 0 {
		r.add(StatsWrong, "after Run of process %d: %d handlers, %d messages, %d requests, %d acknowledgements",
			p.number, s.HandlersRunning, s.InboxMessages, s.OutboxRequests, s.AcksWaiting)
	}
}

// checkStats compares the Stats of the clients with the counts of the oracles. An attempt that ended while its process
// was ending may or may not be counted.
func (r *run) checkStats() {
	s := r.totals
	ended, late, drops := r.in.attempts()
	_, confirms, _ := r.out.totals()
	repeats := r.out.repeats()
	for _, c := range []struct {
		name        string
		got         int
		least, most int
	}{
		{"Handled", count(s.Handled), ended[success] - late, ended[success]},
		{"Declined", count(s.Declined), ended[decline] - late, ended[decline]},
		{"Failed", count(s.Failed), ended[failure] + ended[drop] - late, ended[failure] + ended[drop]},
		{"Failed and the trace", count(s.Failed), s.traceFailed, s.traceFailed},
		{"Dropped", count(s.Dropped), drops, drops},
		{"Dropped and the trace", count(s.Dropped), s.traceDropped, s.traceDropped},
		{"Sent", count(s.Sent), confirms - repeats, confirms},
		{"BadFrames", count(s.BadFrames), 0, 0},
	} {
		if c.got < c.least || c.got > c.most {
			r.add(StatsWrong, "%s: %d, expected %d to %d", c.name, c.got, c.least, c.most)
		}
	}
	atLeast := func(name string, got, least uint64) {
		if got < least {
			r.add(StatsWrong, "%s: %d, expected at least %d", name, got, least)
		}
	}
	atLeast("Resent", s.Resent, r.server.repeats.Load())
	atLeast("handshakes of the server", r.server.handshakes.Load(), s.Connects)
	if n := count(s.Acked + s.AcksForgotten); r.Processes == 1 && n < r.Messages {
		r.add(StatsWrong, "Acked and AcksForgotten: %d of %d messages", n, r.Messages)
	}
	if n := count(r.server.pushes.Load() - s.Duplicates); n < r.Messages {
		r.add(StatsWrong, "pushes without Duplicates: %d, for %d messages", n, r.Messages)
	}
}

func count(n uint64) int { return int(n) } //nolint:gosec // G115: nothing happens that often
