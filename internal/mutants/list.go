package mutants

// All are the broken builds, by the way of a message: in, out, and the connection.
var All = []Mutant{
	{
		Name: "ids under way are not held", By: soak,
		Marker: "inbox-duplicate", Old: "b.holds(id) ||", New: "",
	},
	{
		Name: "the gate opens half empty, to whatever comes", By: soak,
		Marker: "gate-ask", New: "id := b.gate.id\n b.gate = gate{}\n return id",
	},
	{
		Name: "what does not fit is dropped, and not asked for again", By: soak,
		Marker: "gate-close", New: "",
	},
	{
		Name: "a closed gate never asks", By: soak,
		Marker: "gate-ask", New: `return ""`,
	},
	{
		Name: "a message that failed goes behind the rest of its conversation", By: soak,
		Marker: "lane-park", New: "l.items.Push(l.items.Pop())\n {{.}}",
	},
	{
		Name: "a conversation is handled by two workers", By: soak,
		Marker: "lane-ready", New: `
	if last := l.items.Len() - 1; last > 0 {
		it := l.items.All()[last]
		l.items.Keep(last)
		l = &lane[K, M]{key: key}
		b.lanes[key] = l
		l.items.Push(it)
	}
	b.ready.Push(l)
	b.hire()`,
	},
	{
		Name: "a panic is not recovered from", By: soak,
		Marker: "handler-panic", Old: "recover()", New: "any(nil)",
	},
	{
		Name: "a worker that called Goexit is not replaced", By: fault(45),
		Marker: "worker-replace", New: "",
	},
	{
		Name: "acknowledged before the handler", By: soak,
		Marker: "ack-received", Old: "v.cfg.Ack == AckReceived", New: "true",
	},
	{
		Name: "a failed message is acknowledged at once", By: soak,
		Marker: "handler-retry", New: "e.acks.add(d.MessageID)\n {{.}}",
	},
	{
		Name: "the ledger is not asked", By: soak,
		Marker: "ledger-known", Old: "== 1", New: "== 0",
	},
	{
		Name: "handled messages are not recorded", By: soak,
		Marker: "ledger-record", New: "",
	},
	{
		Name: "acknowledgements are forgotten with the connection", By: soak,
		Marker: "outbox-down", Old: "e.Class == List", New: "{{.}} || e.Class == Ack",
	},
	{
		Name: "acknowledgements wait for a full frame", By: soak,
		Marker: "ack-interval", New: "",
	},
	{
		Name: "refused plural acknowledgements are forgotten", By: soak,
		Marker: "ack-again", New: "",
	},
	{
		Name: "plural actions are used although the server has none", By: plain,
		Marker: "ack-unusable", New: "return false",
	},
	{
		Name: "the count of what a reply has said is kept over attempts", By: soak,
		Marker: "reply-id", Old: "m.counter()", New: "m.Attempt-1+{{.}}",
	},
	{
		Name: "replies get random ids", By: soak,
		Marker: "reply-id", New: "_ = strconv.Itoa(m.counter().count(key))",
	},
	{
		Name: "another message id on another try", By: soak,
		Marker: "send-do", New: `
		request := engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams, Attempts: 1}
		o := c.do(ctx, request)
		for errors.Is(o.Err, outbox.ErrNoReply) {
			d.MessageID, _ = wire.NewID()
			o = c.do(ctx, request)
		}`,
	},
	{
		Name: "another message id outside of a refused batch", By: soak,
		Marker: "batch-alone", New: "{{.}}\n p.MessageID, _ = wire.NewID()",
	},
	{
		Name: "a message without an answer counts as not stored", By: soak,
		Marker: "outcome-unsure", Old: "e.unconfirmed ||", New: "",
	},
	{
		Name: "a written message that is given up counts as not stored", By: soak,
		Marker: "outcome-unsure", Old: "|| e.state == written", New: "",
	},
	{
		Name: "two frames of one conversation are under way", By: soak,
		Marker: "batch-thread", New: `{{.}}
			if len(t.messages) > 0 {
				b.ready = append(b.ready, &thread{messages: t.messages})
				t.messages = nil
			}`,
	},
	{
		Name: "a refused batch is lost", By: soak,
		Marker: "batch-singly", New: "f.unsure = o.Unconfirmed",
	},
	{
		Name: "a passing refusal is final", By: soak,
		Marker: "temporary-codes", New: "var temporary = []Code{}",
	},
	{
		Name: "a reply is matched by action before id", By: fault(40),
		Marker: "answer-by-id", New: `
	if f.Action == wire.ActionCreateMessage {
		e.push(f)
		return nil
	}
	{{.}}`,
	},
	{
		Name: "a silent connection with requests is kept", By: fault(16),
		Marker: "link-stalled", New: "wait = -1",
	},
	{
		Name: "nothing is listed on a new connection", By: soak,
		Marker: "list-pending", New: "_ = e.list",
	},
	{
		Name: "backoff begins anew with each handshake", By: fault(53),
		Marker: "backoff-lived", Old: "end.lived", New: "time.Hour",
	},
	{
		Name: "no jitter", By: fault(54),
		Marker: "backoff-jitter", New: "return p.Bound(failures)",
	},
	{
		Name: "Retry-After is ignored", By: fault(9),
		Marker: "retry-after", New: "",
	},
	{
		Name: "the server's clock is ignored", By: fault(55),
		Marker: "clock-offset", New: "",
	},
	{
		Name: "a refused key is tried for ever", By: fault(6),
		Marker: "key-refused", New: "again := false",
	},
	{
		Name: "the first refusal of a key is the last", By: fault(7),
		Marker: "key-refused", New: "again := true",
	},
	{
		Name: "a dead connection is not noticed", By: fault(15),
		Marker: "read-deadline", Old: "time.Now().Add(silence)", New: "time.Time{}",
	},
	{
		Name: "a cancelled handshake is waited for", By: fault(51),
		Marker: "handshake-cancel", Old: "_ = c.Close()", New: "",
	},
	{
		Name: "a wake-up from suspend is not noticed", By: fault(56),
		Marker: "clock-jump", Old: "return", New: "return false &&",
	},
	{
		Name: "frames are inflated without a limit", By: fault(23),
		Marker: "inflate-limit", Old: ", MaxInflated", New: "",
	},
	{
		Name: "compression that was not asked for is accepted", By: fault(12),
		Marker: "compression-check", New: "return nil",
	},
	{
		Name: "frames are handed on in the order in which they are inflated", By: soak,
		Marker: "unit-order", New: "",
	},
	{
		Name: "a message that is read in two parts loses the first", By: soak,
		Marker: "unit-message", New: "",
	},
	{
		Name: "a unit is used again before it was handed on", By: soak,
		Marker: "unit-give-back", New: "u.giveBack()\n {{.}}\n return",
	},
	{
		Name: "a session starts again while it is offline", By: unit("TestASecondRunWhileThereIsNoConnection"),
		Marker: "start-once", Old: "!= idle", New: "{{.}} && l.phase != offline",
	},
	{
		Name: "sends wait for all acknowledgements", By: unit("TestASendDoesNotWaitBehindAcknowledgements"),
		Marker: "class-order", Old: "r.acked", New: "false",
	},
}
