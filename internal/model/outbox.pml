/* Parts of transitions: the rules of internal/outbox. */

/* choose: chooses the next request. outbox.Box.choose */
inline choose() {
	y = 0; v = NONE; x = 0;         /* y: a request precedes the suspects. v: the oldest suspect */
	do
	:: x < count && solo == NONE ->
		z = order[x];
		if
		:: rq[z] == WAITING && IS_SUSPECT(z) && v == NONE -> v = z
		:: rq[z] == WAITING && !IS_SUSPECT(z) && (IS_ACK(z) || !quiet) ->
			if
			:: IS_ACK(z) && nextAck == NONE -> nextAck = z
			:: !IS_ACK(z) && nextSend == NONE -> nextSend = z
			:: else
			fi;
			if :: early[z] -> y = 1 :: else fi
		:: else
		fi;
		x++
	:: else -> break
	od;
	if
	:: up && LIST_FIRST && v != NONE && !y && (IS_ACK(v) || !quiet) ->
#ifdef BUG_SUSPECT_WITH_OTHERS
		if :: IS_ACK(v) -> nextAck = v :: else -> nextSend = v fi
#else
		solo = v; nextAck = NONE; nextSend = NONE
#endif
	:: else
	fi;
	delays()
}

/* delays: a slow start may delay requests. outbox.Box.delay */
inline delays() {
	if
	:: window > 0 ->
		x = 0; y = 0;
		do
		:: x < owes -> y = y + !overdue[owed[x]]; x++
		:: else -> break
		od;
		if :: LIST_DELAYS || y >= window -> nextAck = NONE; nextSend = NONE :: else fi
	:: else
	fi
}

/* widen: a request was answered, or had enough time. outbox.slow.widen */
inline widen() { window = (2*window < WIDE_OPEN -> 2*window : 0) }

/* endTurn: outbox.Box.endTurn */
inline endTurn() { solo = NONE; soloWritten = 0; allEarly() }

inline allEarly() {
	x = 0;
	do
	:: x < count -> early[order[x]] = 1; x++
	:: else -> break
	od
}

inline add(r) { order[count] = r; count++; rq[r] = WAITING }

/* unorder removes request z from the order. */
inline unorder() {
	x = 0;
	do :: order[x] != z -> x++ :: else -> break od;
	count--;
	do
	:: x < count -> order[x] = order[x+1]; x++
	:: else -> break
	od;
	order[count] = 0
}

/* putLast: suspect z becomes the youngest request. outbox.Box.putLast */
inline putLast() { unorder(); order[count] = z; count++; allEarly() }

/* offLink: request z is no longer in flight. outbox.Box.offLink */
inline offLink() {
	x = 0;
	do :: x < owes && owed[x] != z -> x++ :: else -> break od;
	if
	:: x < owes ->
		owes--;
		do
		:: x < owes -> owed[x] = owed[x+1]; x++
		:: else -> break
		od;
		owed[owes] = 0; overdue[z] = 0;
		if :: awaited[z] -> awaited[z] = 0; awaits-- :: else fi
	:: else
	fi
}

/* finish: request z has ended. outbox.Box.finish. The ids of an acknowledgement that was split are released together:
 * engine.acks.settle */
inline finish(how) {
	unorder(); offLink();
	if :: solo == z -> endTurn() :: else fi;
	blamed[z] = 0; alone[z] = 0; early[z] = 0;
	if
	:: IS_ACK(z) ->
		v = (whole[z] > 0 -> whole[z] : mask[z]);
		mask[z] = 0; whole[z] = 0; rq[z] = FREE;
		x = 0;
		do
		:: x < ACKFRAMES ->
			if :: whole[x] == v -> v = 0 :: else fi;     /* another part has not ended */
			x++
		:: else -> break
		od;
		x = 0;
		do
		:: x < N ->
			if :: (v & BIT(x)) && st[x] == ACKING -> st[x] = ABSENT; used-- :: else fi;
			x++
		:: else -> break
		od
	:: else -> rq[z] = how
	fi
}

/* write: outbox.Box.written */
inline write(r) {
	rq[r] = WRITTEN;
	x = 0;
	do :: x < owes && owed[x] != r -> x++ :: else -> break od;
	if :: x == owes -> owed[owes] = r; owes++ :: else fi;
	if
	:: IS_ACK(r) -> toServer!ACK,mask[r]
	:: else -> toServer!SEND,r-ACKFRAMES
	fi
}

/* down: the link is gone; lost: this side did not end it. outbox.Box.Down */
inline down(lost) {
	flush();
	z = NONE; v = 0;
	if :: lost -> blameFor() :: else fi;
	beCautious(lost);
	up = 0; quiet = 0; rejected = 0; window = 0; listPassed = 0;
	answered = 0; listWritten = 0; listOwed = 0; awaits = 0; solo = NONE; soloWritten = 0;
	do
	:: owes > 0 -> owes--; awaited[owed[owes]] = 0; overdue[owed[owes]] = 0; owed[owes] = 0
	:: else -> break
	od;
#ifndef BUG_WRITTEN_STAYS
	x = 0;
	do
	:: x < count ->
		if :: rq[order[x]] == WRITTEN -> rq[order[x]] = WAITING :: else fi;
		x++
	:: else -> break
	od;
#endif
#ifndef BUG_POISON_FIRST
	if :: z != NONE -> blame() :: else fi
#endif
}

/* blameFor: sets z to the request to blame for the loss of the link, v to whether it was alone. outbox.Box.blamed */
inline blameFor() {
	if
	:: owes > 0 && BLAMES && soloWritten -> z = solo; v = ALONE
	:: owes > 0 && BLAMES && !soloWritten -> z = owed[0]; v = NOT_ALONE
	:: else
	fi
}

/* beCautious: decides whether the next link starts slowly. outbox.Box.beCautious */
inline beCautious(lost) {
	cautious = STARTS_SLOWLY && (lost && owes > 0 || window > 0)
}

/* blame: outbox.Box.blame */
inline blame() {
	alone[z] = alone[z] + v;
	blamed[z] = (blamed[z] < SUSPECT -> blamed[z] + 1 : SUSPECT);
	if
	:: alone[z] == ATTEMPTS ->
		if
		:: IS_ACK(z) -> PROPERTY(105, mask[z] == POISONED)
		:: else -> PROPERTY(105, z == ACKFRAMES + POISON_SEND)
		fi;
		finish(UNCONFIRMED)
	:: alone[z] < ATTEMPTS && blamed[z] == SUSPECT && SPLITS(z) -> splitFamily()
	:: alone[z] < ATTEMPTS && blamed[z] == SUSPECT && !SPLITS(z) -> putLast()
	:: else
	fi
}

/* splitFamily: acknowledgement z is split. If none of several messages was confirmed, all of those are split.
 * outbox.Box.splitFamily */
inline splitFamily() {
	if
	:: proven -> blamed[z] = 0; split()
	:: else ->
		w = 0;
		do
		:: w < ACKFRAMES ->
			if :: SEVERAL(w) -> z = w; blamed[z] = 0; split() :: else fi;
			w++
		:: else -> break
		od
	fi
}

/* split: requests for single ids replace acknowledgement z. outbox.Box.split */
inline split() {
	v = mask[z];
	do
	:: SEVERAL(z) ->
		y = 0;
		do
		:: y < ACKFRAMES && rq[y] != FREE -> y++
		:: else -> break
		od;
		assert(y < ACKFRAMES);
		mask[y] = mask[z] & (mask[z] - 1);    /* all but the lowest */
		mask[z] = mask[z] & ~mask[y];
		whole[z] = v;
		rq[y] = WAITING; early[y] = 1;
		x = count;
		do
		:: order[x-1] != z -> order[x] = order[x-1]; x--
		:: else -> break
		od;
		order[x] = y;
		count++;
		z = y
	:: else -> break
	od;
	whole[z] = v
}
