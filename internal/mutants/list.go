package mutants

// All are the broken builds, by the way of a message: in, out, and the connection.
var All = []Mutant{
	{
		Name: "ids under way are not held", By: soak, File: "internal/inbox/inbox.go",
		Old: "if id != \"\" && (b.holds(id) || b.kept.Has(id)) {",
		New: "if id != \"\" && b.kept.Has(id) {",
	},
	{
		Name: "the gate opens half empty, to whatever comes", By: soak, File: "internal/inbox/inbox.go",
		Old: "	b.gate.stage = asked\n	return b.gate.id\n",
		New: "	id := b.gate.id\n	b.gate = gate{}\n	return id\n",
	},
	{
		Name: "what does not fit is dropped, and not asked for again", By: soak, File: "internal/inbox/inbox.go",
		Old: "			b.gate = gate{id: id, size: int64(size)}\n",
		New: "",
	},
	{
		Name: "a closed gate never asks", By: soak, File: "internal/inbox/inbox.go",
		Old: "	b.gate.stage = asked\n	return b.gate.id\n",
		New: "	return \"\"\n",
	},
	{
		Name: "a message that failed goes behind the rest of its conversation", By: soak, File: "internal/inbox/worker.go",
		Old: "	b.handling--\n	l.busy = false\n	l.park",
		New: "	b.handling--\n	l.busy = false\n	l.items.Push(l.items.Pop())\n	l.park",
	},
	{
		Name: "a conversation is handled by two workers", By: soak, File: "internal/inbox/inbox.go",
		Old: "	if l.items.Len() == 1 {\n		b.ready.Push(l)\n		b.hire()\n	}\n	return Taken\n",
		New: "	if last := l.items.Len() - 1; last > 0 {\n		it := l.items.All()[last]\n		l.items.Keep(last)\n		l = &lane[K, M]{key: key}\n		b.lanes[key] = l\n		l.items.Push(it)\n	}\n	b.ready.Push(l)\n	b.hire()\n	return Taken\n",
	},
	{
		Name: "a panic is not recovered from", By: soak, File: "deliver.go",
		Old: "		//mutant:recover\n		if p := recover(); p != nil {\n",
		New: "		if p := any(nil); p != nil {\n",
	},
	{
		Name: "a worker that called Goexit is not replaced", By: fault(45), File: "internal/inbox/worker.go",
		Old: "			go b.work(false)\n",
		New: "",
	},
	{
		Name: "acknowledged before the handler", By: soak, File: "deliver.go",
		Old: "if v.cfg.Ack == AckReceived {",
		New: "if v.cfg.Ack >= 0 {",
	},
	{
		Name: "a failed message is acknowledged at once", By: soak, File: "internal/engine/deliver.go",
		Old: "		v.Then, v.After = inbox.Retry",
		New: "		e.acks.add(d.MessageID)\n		v.Then, v.After = inbox.Retry",
	},
	{
		Name: "the ledger is not asked", By: soak, File: "deliver.go",
		Old: "m.Attempt == 1 &&",
		New: "m.Attempt == 0 &&",
	},
	{
		Name: "handled messages are not recorded", By: soak, File: "internal/engine/deliver.go",
		Old: "			//mutant:record\n			e.owner.Record(e.handlerCtx, d.MessageID)\n",
		New: "",
	},
	{
		Name: "acknowledgements are forgotten with the connection", By: soak, File: "internal/outbox/outbox.go",
		Old: "		case e.Class == List:\n",
		New: "		case e.Class == List || e.Class == Ack:\n",
	},
	{
		Name: "acknowledgements wait for a full frame", By: soak, File: "internal/engine/acker.go",
		Old: "		case <-t.C:\n			return true\n",
		New: "		case <-t.C:\n",
	},
	{
		Name: "refused plural acknowledgements are forgotten", By: soak, File: "internal/engine/acker.go",
		Old: "		a.again(ids)\n",
		New: "",
	},
	{
		Name: "plural actions are used although the server has none", By: plain, File: "internal/engine/plural.go",
		Old: "		p.state.CompareAndSwap(unproven, unusable)\n		return true\n",
		New: "		return false\n",
	},
	{
		Name: "the count of what a reply has said is kept over attempts", By: soak, File: "message.go",
		Old: "strconv.Itoa(m.counter().count(key))",
		New: "strconv.Itoa(m.Attempt-1+m.counter().count(key))",
	},
	{
		Name: "replies get random ids", By: soak, File: "message.go",
		Old: "		out.MessageID = DeriveID(\"reply\", strings.ToLower(m.BotID), m.ID, key, strconv.Itoa(m.counter().count(key)))\n",
		New: "		_ = strconv.Itoa(m.counter().count(key))\n",
	},
	{
		Name: "another message id on another try", By: soak, File: "send.go",
		Old: "		o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams})\n",
		New: "		o := c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams, Attempts: 1})\n		for errors.Is(o.Err, outbox.ErrNoReply) {\n			d.MessageID, _ = wire.NewID()\n			o = c.do(ctx, engine.Request{Action: wire.ActionCreateMessage, Params: &d.messageParams, Attempts: 1})\n		}\n",
	},
	{
		Name: "another message id outside of a refused batch", By: soak, File: "batch.go",
		Old: "			p.alone, p.unsure = true, p.unsure || f.unsure\n",
		New: "			p.alone, p.unsure = true, p.unsure || f.unsure\n			p.MessageID, _ = wire.NewID()\n",
	},
	{
		Name: "a message without an answer counts as not stored", By: soak, File: "internal/outbox/entry.go",
		Old: "Unconfirmed: e.unconfirmed || e.state == written,",
		New: "Unconfirmed: e.state == written,",
	},
	{
		Name: "a written message that is given up counts as not stored", By: soak, File: "internal/outbox/entry.go",
		Old: "Unconfirmed: e.unconfirmed || e.state == written,",
		New: "Unconfirmed: e.unconfirmed,",
	},
	{
		Name: "two frames of one conversation are under way", By: soak, File: "batch.go",
		Old: "			f.threads = append(f.threads, t)\n",
		New: "			f.threads = append(f.threads, t)\n			if len(t.messages) > 0 {\n				b.ready = append(b.ready, &thread{messages: t.messages})\n				t.messages = nil\n			}\n",
	},
	{
		Name: "a refused batch is lost", By: soak, File: "batch.go",
		Old: "		f.singly, f.unsure = true, o.Unconfirmed\n		return\n",
		New: "		f.unsure = o.Unconfirmed\n		return\n",
	},
	{
		Name: "a passing refusal is final", By: soak, File: "errors.go",
		Old: "var temporary = []Code{CodeTooManyRequests, CodeServer, CodeBlazeServer, CodeBlazeTimeout}",
		New: "var temporary = []Code{}",
	},
	{
		Name: "a reply is matched by action before id", By: fault(40), File: "internal/engine/deliver.go",
		Old: "	if e.outbox.Answer(f.ID.Bytes(), f.Error) {\n",
		New: "	if f.Action == wire.ActionCreateMessage {\n		e.push(f)\n		return nil\n	}\n	if e.outbox.Answer(f.ID.Bytes(), f.Error) {\n",
	},
	{
		Name: "a silent connection with requests is kept", By: fault(16), File: "internal/outbox/outbox.go",
		Old: "			return nil, 0, ErrStalled\n",
		New: "			wait = -1\n",
	},
	{
		Name: "nothing is listed on a new connection", By: soak, File: "internal/engine/engine.go",
		Old: "		e.list(l, func() {})\n",
		New: "		_ = e.list\n",
	},
	{
		Name: "backoff begins anew with each handshake", By: fault(53), File: "internal/engine/dialplan.go",
		Old: "p.backoff.Lived(end.lived)",
		New: "p.backoff.Lived(time.Hour)",
	},
	{
		Name: "no jitter", By: fault(54), File: "internal/backoff/backoff.go",
		Old: "	return rand.N(p.Bound(failures) + 1) //nolint",
		New: "	return p.Bound(failures) //nolint",
	},
	{
		Name: "Retry-After is ignored", By: fault(9), File: "internal/engine/dialplan.go",
		Old: "	wait += min(end.retryAfter, mostRetryAfter)",
		New: "",
	},
	{
		Name: "the server's clock is ignored", By: fault(55), File: "internal/engine/supervise.go",
		Old: "			e.cfg.Signer.SetOffset(d.skew)\n",
		New: "",
	},
	{
		Name: "a refused key is tried for ever", By: fault(6), File: "internal/engine/auth.go",
		Old: "again := p.rejected && !answered",
		New: "again := false",
	},
	{
		Name: "the first refusal of a key is the last", By: fault(7), File: "internal/engine/auth.go",
		Old: "again := p.rejected && !answered",
		New: "again := true",
	},
	{
		Name: "a dead connection is not noticed", By: fault(15), File: "internal/link/reader.go",
		Old: "		_ = r.l.conn.SetReadDeadline(time.Now().Add(silence))\n",
		New: "		_ = r.l.conn.SetReadDeadline(time.Time{})\n",
	},
	{
		Name: "a cancelled handshake is waited for", By: fault(51), File: "internal/link/dial.go",
		Old: "context.AfterFunc(handshake, func() { _ = c.Close() })",
		New: "context.AfterFunc(handshake, func() {})",
	},
	{
		Name: "a wake-up from suspend is not noticed", By: fault(56), File: "internal/link/clock.go",
		Old: "return (wall - monotonic).Abs() > maxJump }",
		New: "return false && (wall-monotonic).Abs() > maxJump }",
	},
	{
		Name: "frames are inflated without a limit", By: fault(23), File: "internal/wire/gzip.go",
		Old: "int64(len(p))*ratio, MaxInflated))",
		New: "int64(len(p))*ratio))",
	},
	{
		Name: "compression that was not asked for is accepted", By: fault(12), File: "internal/link/dial.go",
		Old: "			return errCompression\n",
		New: "			return nil\n",
	},
	{
		Name: "frames are handed on in the order in which they are inflated", By: soak, File: "internal/link/unit.go",
		Old: "	if u.after != nil {\n		<-u.after\n	}\n",
		New: "",
	},
	{
		Name: "a message that is read in two parts loses the first", By: soak, File: "internal/link/reader.go",
		Old: "		r.unit.message, u.message = u.message, r.unit.message\n",
		New: "",
	},
	{
		Name: "a unit is used again before it was handed on", By: soak, File: "internal/link/unit.go",
		Old: "	l.handOn(u)\n	u.giveBack()\n",
		New: "	u.giveBack()\n	l.handOn(u)\n",
	},
	{
		Name: "sends wait for all acknowledgements", By: unit("TestASendDoesNotWaitBehindAcknowledgements"), File: "internal/outbox/entry.go",
		Old: "	if r.acked {\n",
		New: "	if false {\n",
	},
}
