/* Parts of transitions: the rules of internal/inbox. */

/* offer: inbox.Box.Offer */
inline offer(i) {
	if
	:: st[i] != ABSENT                                    /* a duplicate */
	:: st[i] == ABSENT && (stopped || most > 0 && CLOSED(CONV(i))) -> rejected = rejected | BIT(i)
	:: else ->
		if :: FULL -> makeCapacity(i) :: else fi;
		if :: FULL -> rejected = rejected | BIT(i) :: else -> take(i) fi
	fi
}

/* makeCapacity: inbox.Box.makeCapacity */
inline makeCapacity(i) {
	v = NONE; y = own[CONV(i)] + 1; x = 0;
	do
	:: x < CONVS ->
		if
		:: x != CONV(i) && own[x] > 1 && (own[x] > y || v != NONE && own[x] == y && closed[x] && !closed[v]) ->
			v = x; y = own[x]
		:: else
		fi;
		x++
	:: else -> break
	od;
	TIE;
	x = 0; y = 0;
	do
	:: x < CONVS -> y = y + own[x]; x++
	:: else -> break
	od;
	if
	:: 2*y < used || CLOSES_ALL -> v = NONE; y = NONE     /* acknowledgements fill the inbox */
	:: else -> y = 0
	fi;
	if
	:: v == NONE && y == 0 && own[CONV(i)] == 0 && (headsGo || !(tried & BIT(i))) -> heads()
	:: else
	fi;
	if
	:: v != NONE -> release()
	:: v == NONE && y == 0 && own[CONV(i)] > 0 -> v = CONV(i); close()
	:: v == NONE && y == 0 && own[CONV(i)] == 0 && (tried & BIT(i)) ->
		v = CONV(i); close()
	:: else -> closedAll = 1; most = (used > most -> used : most)
	fi
}

/* heads: a conversation with a single message, which is backing off, is released entirely. The choice depends on the
 * number of attempts, which is not in the state: if the new message had attempts too, possibly none is released.
 * inbox.Box.releaseHeads */
inline heads() {
	x = 0;
	do
	:: x < CONVS ->
		if :: v == NONE && own[x] == 1 && st[lane[x*N]] == BACKOFF -> v = x :: else fi;
		x++
	:: else -> break
	od;
	TIE
}

/* release: conversation v releases its newest message, and closes. inbox.Box.releaseNewest */
inline release() {
	own[v]--; used--;
#ifdef BUG_RELEASE_OLDEST
	x = 1;
#else
	x = own[v];
#endif
#ifndef BUG_RELEASE_IN_FLIGHT
	st[lane[v*N + x]] = ABSENT;
#endif
	rejected = rejected | BIT(lane[v*N + x]);
	do
	:: x < own[v] -> lane[v*N + x] = lane[v*N + x + 1]; x++
	:: else -> break
	od;
	lane[v*N + own[v]] = 0;
#ifndef BUG_RELEASE_OPEN
	close()
#endif
}

inline close() {
	closed[v] = 1; then[v] = own[v];
	most = (used > most -> used : (most > 0 -> most : LEAST))
}

inline take(i) {
	x = 0;
	do
	:: x < i ->       /* it overtakes none of its conversation that was rejected or released on this link */
		PROPERTY(104, CONV(x) != CONV(i) || !(rejected & BIT(x)) || st[x] != ABSENT || (done & BIT(x)));
		x++
	:: else -> break
	od;
	lane[CONV(i)*N + own[CONV(i)]] = i;
	own[CONV(i)]++; used++;
	st[i] = QUEUED;
	first(CONV(i));
	rejected = rejected & ~BIT(i)
}

/* first: the first message of conversation c goes on with its backoff if it was released before. inbox.Box.begin */
inline first(c) {
	if
	:: own[c] > 0 && st[lane[c*N]] == QUEUED && (tried & BIT(lane[c*N])) -> st[lane[c*N]] = BACKOFF
	:: else
	fi
}

/* reopen: inbox.Box.Reopen */
inline reopen() {
	x = 0;
	do
	:: x < CONVS -> closed[x] = 0; then[x] = 0; x++
	:: else -> break
	od;
	closedAll = 0; most = 0; low = 0; due = 0
}

/* attempt: an attempt of message i begins. */
inline attempt(i) {
	PROPERTY(102, !(done & BIT(i)));
	x = 0;
	do
	:: x < i -> PROPERTY(103, CONV(x) != CONV(i) || (done & BIT(x)) || DISORDER); x++
	:: else -> break
	od;
	st[i] = HANDLING
}

/* pop: message z, the first of conversation c, leaves it. inbox.Box.pop */
inline pop(c) {
	own[c]--;
	x = 0;
	do
	:: x < own[c] -> lane[c*N + x] = lane[c*N + x + 1]; x++
	:: else -> break
	od;
	lane[c*N + own[c]] = 0;
	tried = tried & ~BIT(z);
	first(c);
	if :: closed[c] && 2*own[c] <= then[c] -> low = 1 :: else fi
}

/* tellDue: inbox.Box.nowDue */
inline tellDue() {
	if
	:: most > 0 && !stopped && (low || 2*used <= most) -> due = TELLS
	:: else
	fi
}
