package soak

// checkStats compares what the client counted with what was seen from outside.
func (r *run) checkStats() {
	s := r.bot.client.Stats()
	ended := r.in.attempts()
	_, confirms, _ := r.out.totals()
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"Handled", count(s.Handled), ended[success]},
		{"Declined", count(s.Declined), ended[decline]},
		{"Dropped", count(s.Dropped), ended[drop]},
		{"Dropped and the trace", count(s.Dropped), int(r.bot.dropped.Load())},
		{"Failed", count(s.Failed), ended[failure] + ended[drop]},
		{"Failed and the trace", count(s.Failed), int(r.bot.failed.Load())},
		{"Sent", count(s.Sent), confirms},
		{"BadFrames", count(s.BadFrames), 0},
		{"HandlersRunning", s.HandlersRunning, 0},
		{"InboxMessages", s.InboxMessages, 0},
		{"OutboxRequests", s.OutboxRequests, 0},
		{"AcksWaiting", s.AcksWaiting, 0},
	} {
		if c.got != c.want {
			r.add(StatsWrong, "%s: %d, and seen from outside %d", c.name, c.got, c.want)
		}
	}
	atLeast := func(name string, got, least uint64) {
		if got < least {
			r.add(StatsWrong, "%s: %d, and seen from outside at least %d", name, got, least)
		}
	}
	atLeast("Resent", s.Resent, r.server.repeats.Load())
	atLeast("FramesWritten", s.FramesWritten, r.server.requests.Load())
	atLeast("handshakes of the server", r.server.handshakes.Load(), s.Connects)
	if s.Connected {
		r.add(StatsWrong, "connected after Run")
	}
	if n := count(s.Acked + s.AcksForgotten); n < r.Messages {
		r.add(StatsWrong, "Acked and AcksForgotten: %d of %d messages", n, r.Messages)
	}
	if n := count(r.server.pushes.Load() - s.Duplicates); n < r.Messages {
		r.add(StatsWrong, "pushes beside Duplicates: %d, and there were %d messages", n, r.Messages)
	}
}

func count(n uint64) int { return int(n) } //nolint:gosec // G115: nothing happens that often
