package soak

import "github.com/mixin-blaze/blaze"

// totals are what the clients of all processes have counted.
type totals struct {
	blaze.Stats
	traceDropped, traceFailed int
}

// addStats adds what the client of the last process that has ended counted. It is called late: a send that has returned
// is counted when its caller runs. A client that drained everything has nothing left.
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

// checkStats compares what the clients counted with what was seen from outside. Attempts that ended when their process
// was ending may be counted, or count as none.
func (r *run) checkStats() {
	s := r.totals
	ended, late, given := r.in.attempts()
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
		{"Dropped", count(s.Dropped), given, given},
		{"Dropped and the trace", count(s.Dropped), s.traceDropped, s.traceDropped},
		{"Sent", count(s.Sent), confirms - repeats, confirms},
		{"BadFrames", count(s.BadFrames), 0, 0},
	} {
		if c.got < c.least || c.got > c.most {
			r.add(StatsWrong, "%s: %d, and seen from outside %d to %d", c.name, c.got, c.least, c.most)
		}
	}
	atLeast := func(name string, got, least uint64) {
		if got < least {
			r.add(StatsWrong, "%s: %d, and seen from outside at least %d", name, got, least)
		}
	}
	atLeast("Resent", s.Resent, r.server.repeats.Load())
	atLeast("handshakes of the server", r.server.handshakes.Load(), s.Connects)
	if n := count(s.Acked + s.AcksForgotten); r.Processes == 1 && n < r.Messages {
		r.add(StatsWrong, "Acked and AcksForgotten: %d of %d messages", n, r.Messages)
	}
	if n := count(r.server.pushes.Load() - s.Duplicates); n < r.Messages {
		r.add(StatsWrong, "pushes beside Duplicates: %d, and there were %d messages", n, r.Messages)
	}
}

func count(n uint64) int { return int(n) } //nolint:gosec // G115: nothing happens that often
