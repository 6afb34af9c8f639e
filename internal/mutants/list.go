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
		Name: "a panic is not recovered from", By: soak, File: "receive.go",
		Old: "		if p := recover(); p != nil {\n",
		New: "		if p := any(nil); p != nil {\n",
	},
	{
		Name: "a worker that called Goexit is not replaced", By: fault(45), File: "internal/inbox/worker.go",
		Old: "			go b.work(false)\n",
		New: "",
	},
	{
		Name: "acknowledged before the handler", By: soak, File: "receive.go",
		Old: "	if c.cfg.Ack == AckReceived && !in.acked {\n",
		New: "	if !in.acked {\n",
	},
	{
		Name: "a failed message is acknowledged at once", By: soak, File: "receive.go",
		Old: "		return inbox.Verdict{Then: inbox.Retry, After: after}\n",
		New: "		c.acker.add(in.view.MessageID)\n		return inbox.Verdict{Then: inbox.Retry, After: after}\n",
	},
	{
		Name: "the ledger is not asked", By: soak, File: "receive.go",
		Old: "	if attempt == 1 && c.known(c.handlerCtx, id) {\n",
		New: "	if attempt == 0 && c.known(c.handlerCtx, id) {\n",
	},
	{
		Name: "handled messages are not recorded", By: soak, File: "receive.go",
		Old: "		c.record(c.handlerCtx, in.view.MessageID)\n		c.acker.add(in.view.MessageID)\n",
		New: "		c.acker.add(in.view.MessageID)\n",
	},
	{
		Name: "acknowledgements are forgotten with the connection", By: soak, File: "internal/outbox/outbox.go",
		Old: "		case e.Class == List:\n",
		New: "		case e.Class == List || e.Class == Ack:\n",
	},
	{
		Name: "acknowledgements wait for a full frame", By: soak, File: "acker.go",
		Old: "		case <-t.C:\n			return true\n",
		New: "		case <-t.C:\n",
	},
	{
		Name: "refused plural acknowledgements are forgotten", By: soak, File: "acker.go",
		Old: "		a.again(ids)\n		return\n",
		New: "		return\n",
	},
	{
		Name: "plural actions are used although the server has none", By: plain, File: "ack.go",
		Old: "		p.state.CompareAndSwap(unproven, unusable)\n		return true\n",
		New: "		return false\n",
	},
	{
		Name: "the count of what a reply has said is kept over attempts", By: soak, File: "message.go",
		Old: "strconv.Itoa(m.said.count(key))",
		New: "strconv.Itoa(m.Attempt-1+m.said.count(key))",
	},
	{
		Name: "replies get random ids", By: soak, File: "message.go",
		Old: "		out.MessageID = DeriveID(\"reply\", m.botID, m.ID, key, strconv.Itoa(m.said.count(key)))\n",
		New: "		_ = strconv.Itoa(m.said.count(key))\n",
	},
	{
		Name: "another message id on another try", By: soak, File: "send.go",
		Old: "	return c.outbox.Do(ctx, r), nil\n",
		New: "	r.Attempts = max(tries, 1)\n	o := c.outbox.Do(ctx, r)\n" +
			"	if m, ok := params.(*messageParams); ok && tries == 0 && errors.Is(o.Err, outbox.ErrNoReply) {\n" +
			"		m.MessageID, _ = newID()\n		return c.do(ctx, action, m, 0)\n	}\n	return o, nil\n",
	},
	{
		Name: "another message id outside of a refused batch", By: soak, File: "batch.go",
		Old: "			p.alone, p.unsure = true, p.unsure || f.unsure\n",
		New: "			p.alone, p.unsure = true, p.unsure || f.unsure\n			p.MessageID, _ = newID()\n",
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
		Name: "a reply is matched by action before id", By: fault(40), File: "receive.go",
		Old: "	if c.outbox.Answer(f.ID.Bytes(), f.Error) {\n",
		New: "	if f.Action == wire.ActionCreateMessage {\n		c.push(f)\n		return nil\n	}\n	if c.outbox.Answer(f.ID.Bytes(), f.Error) {\n",
	},
	{
		Name: "a silent connection with requests is kept", By: fault(16), File: "internal/outbox/outbox.go",
		Old: "			return nil, 0, ErrStalled\n",
		New: "			wait = -1\n",
	},
	{
		Name: "nothing is listed on a new connection", By: soak, File: "client.go",
		Old: "		c.list(l, func() {})\n",
		New: "		_ = c.list\n",
	},
	{
		Name: "backoff begins anew with each handshake", By: fault(53), File: "client.go",
		Old: "			wait.Lived(lived)\n",
		New: "			wait.Lived(time.Hour)\n",
	},
	{
		Name: "no jitter", By: fault(54), File: "internal/backoff/backoff.go",
		Old: "	return rand.N(p.Bound(failures) + 1) //nolint",
		New: "	return p.Bound(failures) //nolint",
	},
	{
		Name: "Retry-After is ignored", By: fault(9), File: "client.go",
		Old: "		d += min(answer.RetryAfter, 5*time.Minute) // and not all clients at that very moment\n",
		New: "",
	},
	{
		Name: "the server's clock is ignored", By: fault(55), File: "client.go",
		Old: "	c.signer.SetOffset(c.skew)\n",
		New: "",
	},
	{
		Name: "a refused key is tried for ever", By: fault(6), File: "client.go",
		Old: "	again := c.refused && !c.answered.Load()\n",
		New: "	again := false\n",
	},
	{
		Name: "the first refusal of a key is the last", By: fault(7), File: "client.go",
		Old: "	again := c.refused && !c.answered.Load()\n",
		New: "	again := true\n",
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
