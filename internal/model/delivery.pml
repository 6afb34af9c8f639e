/*
 * Delivery: a client that keeps the rules of internal/inbox, internal/outbox and internal/engine, beside the servers
 * and the network of server.pml. cmd/model searches it in every configuration of configs.go.
 *
 * Messages are numbered in the order in which they are said. Each costs one unit of the inbox from the moment it is
 * taken until its acknowledgement is confirmed. There is no time: what waits for a timer may happen at any moment. A
 * reply timeout happens at most TIMEOUTS times.
 *
 * A comment of the form "name: package.Function" stands before each transition of the client. It names the Go code that
 * makes the transition. conform_test.go repeats these transitions in Go and compares them with the real code.
 */

#include "config.pml"

/* ---- the state ---- */

mtype = { LIST, ACK, SEND, PUSH, LISTED, ACKED, SENT, BYE };
chan toServer = [2 + R + TIMEOUTS] of { mtype, byte };
chan toClient = [N + 3 + R + TIMEOUTS] of { mtype, byte };

/* The link and the server. */
bit up;
byte stored = START;      /* messages that were said */
byte acked;               /* a set of messages */
bit listed;               /* the server was asked for pending messages on this link */
bit hungUp;               /* the server reads no more on this link */
byte stream;              /* the set of messages that a list has still to push: STREAMS */
byte stream2;             /* the same of a second list */
byte closes = CLOSES;
byte losses = LOSSES;

/* The inbox. */
#define ABSENT 0
#define QUEUED 1
#define HANDLING 2
#define BACKOFF 3
#define FINISHED 4        /* its acknowledgement is not in a request yet */
#define ACKING 5          /* its acknowledgement is in a request */
byte st[N];
byte lane[CONVS*N];       /* the messages of each conversation that are here, oldest first */
byte own[CONVS];          /* how many they are */
byte used;                /* units */
bit closed[CONVS];
byte then[CONVS];         /* how many messages the conversation held when it closed */
bit closedAll;
byte most;                /* units in use when something closed; 0: nothing is closed */
bit low;                  /* a closed conversation is down to half */
bit due;                  /* a resync is due */
byte fails = FAILS;

/* The outbox. Request r is an acknowledgement if r < ACKFRAMES, else a message to send. */
#define FREE 0
#define WAITING 1
#define WRITTEN 2
#define CONFIRMED 3
#define UNCONFIRMED 4
byte rq[R+1];
byte mask[ACKFRAMES];     /* the ids of an acknowledgement */
byte blamed[R+1];         /* lost links that are blamed on it */
byte alone[R+1];          /* links lost while it was alone on them */
byte order[R+1];          /* requests by age */
byte count;
byte owed[R+1];           /* requests that this link has not answered, by their first write */
byte owes;
byte solo = NONE;         /* the suspect that has its turn */
bit soloAlone;            /* nothing was owed when it was written */
bit listWritten;
bit answered;             /* something was answered on this link */
byte timeouts = TIMEOUTS;

/* Run. */
bit quiet;                /* the link is about to be replaced */
bit stopped;              /* the context of Run has ended */
byte life = 1;

/* The oracle. The Ledger knows done. */
byte done;                /* messages that are finished */
byte refused;             /* messages that were refused or let go on this link */

/* Derived from the rest by took. */
byte nextAck = NONE;
byte nextSend = NONE;
byte nextAlone = NONE;
byte slot = 0;            /* a free acknowledgement */
byte finished;            /* messages that are FINISHED */
byte handling;

/* Scratch: without meaning between two transitions. */
hidden byte x, y, z, v;
hidden mtype kind;
hidden byte arg;
hidden byte last;         /* the last transition */

#define IS_ACK(r) ((r) < ACKFRAMES)
#define IS_SUSPECT(r) (blamed[r] >= SUSPECT)
#define SEVERAL(r) (IS_ACK(r) && (mask[r] & (mask[r] - 1)))

/* took ends a transition: it derives what follows from the state. */
inline took(transition) {
	last = transition;
	SEEN;
	nextAck = NONE; nextSend = NONE; nextAlone = NONE; slot = NONE; finished = 0; handling = 0;
	v = NONE; x = 0;
	do
	:: x < count && solo == NONE ->
		z = order[x];
		if
		:: rq[z] == WAITING && !(quiet && !IS_ACK(z)) ->
			if :: v == NONE -> v = z :: else fi;     /* the oldest */
			if
			:: IS_ACK(z) && nextAck == NONE -> nextAck = z
			:: !IS_ACK(z) && nextSend == NONE -> nextSend = z
			:: else
			fi
		:: else
		fi;
		x++
	:: else -> break
	od;
#ifndef BUG_SUSPECT_WITH_OTHERS
	if :: v != NONE && IS_SUSPECT(v) -> nextAlone = v :: else fi;
	if :: nextAck != NONE && IS_SUSPECT(nextAck) -> nextAck = NONE :: else fi;
	if :: nextSend != NONE && IS_SUSPECT(nextSend) -> nextSend = NONE :: else fi;
#endif
	x = 0;
	do
	:: x < ACKFRAMES ->
		if :: rq[x] == FREE && slot == NONE -> slot = x :: else fi;
		x++
	:: else -> break
	od;
	x = 0;
	do
	:: x < N ->
		if
		:: st[x] == FINISHED -> finished++
		:: st[x] == HANDLING -> handling++
		:: else
		fi;
		x++
	:: else -> break
	od;
	tellDue();
	x = 0; y = 0; z = 0; v = 0; kind = 0; arg = 0;
	REPLAYED
}

/* tellDue: inbox.Box.nowDue */
inline tellDue() {
	if
	:: most > 0 && !stopped && (low || 2*used <= most) && !(closedAll && FULL) -> due = TELLS
	:: else
	fi
}

/* ---- parts of transitions of the inbox ---- */

/* offer: inbox.Box.Offer */
inline offer(i) {
	if
	:: st[i] != ABSENT                                    /* a duplicate */
	:: st[i] == ABSENT && (stopped || most > 0 && CLOSED(CONV(i))) -> refused = refused | BIT(i)
	:: else ->
		if :: FULL -> makeRoom(i) :: else fi;
		if :: FULL -> refused = refused | BIT(i) :: else -> take(i) fi
	fi
}

/* makeRoom: inbox.Box.makeRoom */
inline makeRoom(i) {
	v = NONE; y = own[CONV(i)] + SHARE; x = 0;
	do
	:: x < CONVS ->
		if
		:: x != CONV(i) && own[x] > y && GIVES(x) -> v = x; y = own[x]
		:: else
		fi;
		x++
	:: else -> break
	od;
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
	:: v != NONE -> letGo()
	:: v == NONE && y == 0 && own[CONV(i)] > 0 -> v = CONV(i); close()
	:: else -> closedAll = 1; most = (used > most -> used : most)
	fi
}

/* letGo: conversation v lets its newest message go, and closes. inbox.Box.giveWay */
inline letGo() {
	own[v]--; used--;
#ifdef BUG_LET_GO_OLDEST
	x = 1;
#else
	x = own[v];
#endif
#ifndef BUG_LET_GO_HELD
	st[lane[v*N + x]] = ABSENT;
#endif
	refused = refused | BIT(lane[v*N + x]);
	do
	:: x < own[v] -> lane[v*N + x] = lane[v*N + x + 1]; x++
	:: else -> break
	od;
	lane[v*N + own[v]] = 0;
#ifndef BUG_LET_GO_OPEN
	close()
#endif
}

inline close() {
	closed[v] = 1; then[v] = own[v];
	most = (used > most -> used : most)
}

inline take(i) {
	x = 0;
	do
	:: x < i ->       /* it overtakes none of its conversation that was refused or let go on this link */
		PROMISE(104, CONV(x) != CONV(i) || !(refused & BIT(x)) || st[x] != ABSENT || (done & BIT(x)));
		x++
	:: else -> break
	od;
	lane[CONV(i)*N + own[CONV(i)]] = i;
	own[CONV(i)]++; used++;
	st[i] = QUEUED;
	refused = refused & ~BIT(i)
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
	PROMISE(102, !(done & BIT(i)));
	x = 0;
	do
	:: x < i -> PROMISE(103, CONV(x) != CONV(i) || (done & BIT(x)) || DISORDER); x++
	:: else -> break
	od;
	st[i] = HANDLING
}

/* pop: the first message of conversation c leaves it. inbox.Box.pop */
inline pop(c) {
	own[c]--;
	x = 0;
	do
	:: x < own[c] -> lane[c*N + x] = lane[c*N + x + 1]; x++
	:: else -> break
	od;
	lane[c*N + own[c]] = 0;
	if :: closed[c] && 2*own[c] <= then[c] -> low = 1 :: else fi
}

/* ---- parts of transitions of the outbox ---- */

inline add(r) { order[count] = r; count++; rq[r] = WAITING }

/* unorder takes request z out of the order. */
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

/* toEnd: request z becomes the youngest. outbox.Box.toEnd */
inline toEnd() { unorder(); order[count] = z; count++ }

/* offLink: the link owes no answer to request z. outbox.Box.offLink */
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
		owed[owes] = 0
	:: else
	fi;
	if :: solo == z -> solo = NONE; soloAlone = 0 :: else fi
}

/* finish: request z has ended. outbox.Box.finish, engine.acks.settle */
inline finish(how) {
	unorder(); offLink();
	blamed[z] = 0; alone[z] = 0;
	if
	:: IS_ACK(z) ->
		x = 0;
		do
		:: x < N ->
			if :: (mask[z] & BIT(x)) && st[x] == ACKING -> st[x] = ABSENT; used-- :: else fi;
			x++
		:: else -> break
		od;
		mask[z] = 0; rq[z] = FREE
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

/* down: outbox.Box.Down. lost: not replaced by the client. */
inline down(lost) {
	flush();
	up = 0; quiet = 0; refused = 0;
	z = NONE;
	if
	:: lost && owes > 0 && BLAMES -> z = (solo != NONE -> solo : owed[0])
	:: else
	fi;
	v = ALONE;
	answered = 0; listWritten = 0; solo = NONE; soloAlone = 0;
	do
	:: owes > 0 -> owes--; owed[owes] = 0
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
	if
	:: z == NONE
	:: z != NONE && v == 0 -> blame()
	:: z != NONE && v > 0 -> blameSuspect()
	fi
#endif
}

/* blame: outbox.Box.blameOldest */
inline blame() {
	blamed[z]++;
	if
	:: blamed[z] < SUSPECT
	:: blamed[z] >= SUSPECT && SPLITS(z) -> blamed[z] = 0; split()
	:: else -> blamed[z] = SUSPECT; toEnd()
	fi
}

/* blameSuspect: outbox.Box.blameSuspect */
inline blameSuspect() {
	if :: v == 2 -> alone[z]++ :: else fi;
	if
	:: alone[z] < ATTEMPTS -> toEnd()
	:: else ->
		if
		:: IS_ACK(z) -> PROMISE(105, mask[z] == POISONED)
		:: else -> PROMISE(105, z == ACKFRAMES + POISON_SEND)
		fi;
		finish(UNCONFIRMED)
	fi
}

/* split: requests for single ids take the place of acknowledgement z. outbox.Box.split */
inline split() {
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
		rq[y] = WAITING;
		x = count;
		do
		:: order[x-1] != z -> order[x] = order[x-1]; x--
		:: else -> break
		od;
		order[x] = y;
		count++;
		z = y
	:: else -> break
	od
}

#include "server.pml"

/* ---- the client ---- */

active proctype reader() {
end:	do
	/* push: inbox.Box.Offer */
	:: d_step { up && toClient?[PUSH] && ON(T_push, 0) -> toClient?PUSH,z; offer(z); took(T_push) }
	/* listed: outbox.Box.Answer */
	:: d_step { up && toClient?[LISTED] && ON(T_listed, 0) -> toClient?LISTED,_; answered = 1; took(T_listed) }
	/* ackConfirmed: outbox.Box.Answer, inbox.Box.Release */
	:: d_step { up && toClient?[ACKED] && ON(T_ackConfirmed, 0) ->
		toClient?ACKED,arg;
		answered = 1; z = 0;
		do
		:: z < ACKFRAMES ->
			if :: rq[z] != FREE && (mask[z] | arg) == arg -> finish(CONFIRMED) :: else fi;
			z++
		:: else -> break
		od;
		took(T_ackConfirmed) }
	/* sendConfirmed: outbox.Box.Answer */
	:: d_step { up && toClient?[SENT] && ON(T_sendConfirmed, 0) ->
		toClient?SENT,z;
		answered = 1; z = ACKFRAMES + z;
		if :: rq[z] == WAITING || rq[z] == WRITTEN -> finish(CONFIRMED) :: else fi;
		took(T_sendConfirmed) }
	/* hangUp: outbox.Box.Down */
	:: d_step { up && toClient?[BYE] && ON(T_hangUp, 0) -> down(1); took(T_hangUp) }
	od
}

#define FIRST(c) lane[(c)*N]

proctype worker(byte c) {
end:	do
	/* known: blaze.deliverer.attempt, engine.Engine.settle */
	:: d_step { !stopped && own[c] > 0 && st[FIRST(c)] == QUEUED && KNOWS(FIRST(c)) && ON(T_known, FIRST(c)) ->
		z = FIRST(c); pop(c); st[z] = FINISHED; took(T_known) }
	/* begin: inbox.Box.next */
	:: d_step { !stopped && own[c] > 0 && st[FIRST(c)] == QUEUED && !KNOWS(FIRST(c)) && ON(T_begin, FIRST(c)) ->
		z = FIRST(c); attempt(z); took(T_begin) }
	/* finish: inbox.Box.pop, engine.Engine.settle */
	:: d_step { own[c] > 0 && st[FIRST(c)] == HANDLING && !ALWAYS_FAILS(c) && ON(T_finish, FIRST(c)) ->
		z = FIRST(c); pop(c);
		done = done | BIT(z);
		st[z] = FINISHED;
		took(T_finish) }
	/* retry: inbox.Box.parkLane */
	:: d_step { own[c] > 0 && st[FIRST(c)] == HANDLING && !stopped && MAY_FAIL(c) && ON(T_retry, FIRST(c)) ->
		z = FIRST(c);
		if :: !ALWAYS_FAILS(c) -> fails-- :: else fi;
		st[z] = BACKOFF; took(T_retry) }
	/* wake: inbox.Box.parkLane */
	:: d_step { !stopped && own[c] > 0 && st[FIRST(c)] == BACKOFF && ON(T_wake, FIRST(c)) ->
		z = FIRST(c); attempt(z); took(T_wake) }
	/* release: engine.Engine.letGo */
	:: d_step { own[c] > 0 && st[FIRST(c)] == HANDLING && stopped && MAY_FAIL(c) && ON(T_release, FIRST(c)) ->
		z = FIRST(c); pop(c); st[z] = ABSENT; used--; took(T_release) }
	od
}

active proctype acker() {
end:	do
	/* acknowledge: engine.acks.send */
	:: d_step { ACKABLE && slot != NONE && ON(T_acknowledge, 0) ->
		y = 0; x = 0; z = slot;
		do
		:: x < N ->
			if
			:: READY(x) && y < ACKBATCH ->
				mask[z] = mask[z] | BIT(x); y++;
#ifdef BUG_FORGET_HELD
				st[x] = ABSENT; used--
#else
				st[x] = ACKING
#endif
			:: else
			fi;
			x++
		:: else -> break
		od;
		add(z); took(T_acknowledge) }
	od
}

active proctype writer() {
end:	do
	/* list: engine.Engine.list, outbox.Box.Next */
	:: d_step { up && LISTENS && !listWritten && nfull(toServer) && ON(T_list, 0) ->
		listWritten = 1; toServer!LIST,0; took(T_list) }
	/* writeAck: outbox.Box.Next */
	:: d_step { up && LIST_FIRST && nextAck != NONE && nfull(toServer) && ACKS_GO && ON(T_writeAck, nextAck) ->
		z = nextAck; write(z); took(T_writeAck) }
	/* writeSend: outbox.Box.Next */
	:: d_step { up && LIST_FIRST && nextSend != NONE && nfull(toServer) && ON(T_writeSend, nextSend) ->
		z = nextSend; write(z); took(T_writeSend) }
	/* writeAlone: outbox.Box.choose */
	:: d_step { up && LIST_FIRST && nextAlone != NONE && nfull(toServer) && (owes == 0 || timeouts > 0) &&
		ON(T_writeAlone, nextAlone) ->
		z = nextAlone; soloAlone = (owes == 0); solo = z;
		write(z); took(T_writeAlone) }
	od
}

#if TIMEOUTS > 0
active proctype clock() {
end:	do
	/* expire: outbox.Box.expire */
	:: d_step { timeouts > 0 && owes > 0 && rq[owed[0]] == WRITTEN && ON(T_expire, 0) ->
		timeouts--; rq[owed[0]] = WAITING; took(T_expire) }
	/* turnOver: outbox.Box.choose */
	:: d_step { timeouts > 0 && solo != NONE && ON(T_turnOver, 0) ->
		timeouts--; solo = NONE; soloAlone = 0; took(T_turnOver) }
	/* give up timeouts, so that they are finite */
	:: d_step { timeouts > 0 -> timeouts = 0 }
	od
}
#endif

#if S > 0
active proctype caller() {
	byte n = 0;
end:	do
	/* send: outbox.Box.Do */
	:: d_step { n < S && ON(T_send, n) -> add(ACKFRAMES + n); n++; took(T_send) }
	od
}
#endif

active proctype supervisor() {
end:	do
	/* connect: engine.Engine.serve, inbox.Box.Reopen, outbox.Box.Up */
	:: d_step { !up && !stopped && ON(T_connect, 0) -> up = 1; reopen(); took(T_connect) }
	/* quiesce: engine.Engine.tend, outbox.Box.Quiesce */
	:: d_step { up && due && !quiet && !stopped && ON(T_quiesce, 0) -> quiet = 1; took(T_quiesce) }
	/* replace: engine.tending.replace, outbox.Box.Down */
	:: d_step { up && quiet && (owes == 0 || timeouts > 0) && ON(T_replace, 0) ->
#ifdef BUG_SECOND_LIST
		quiet = 0; reopen(); toServer!LIST,0;
#else
		down(RESYNC_BLAMES);
#endif
		took(T_replace) }
	od
}

#if LIVES > 1
/* newLife: the next process has nothing but the Ledger. */
inline newLife() {
	down(0);
	reopen();
	x = 0;
	do
	:: x < N -> st[x] = ABSENT; x++
	:: else -> break
	od;
	x = 0;
	do
	:: x < CONVS*N -> lane[x] = 0; own[x/N] = 0; x++
	:: else -> break
	od;
	used = 0; z = 0;
	do
	:: z < R ->
		if :: rq[z] == WAITING -> finish(UNCONFIRMED) :: else fi;
		z++
	:: else -> break
	od;
	life++; stopped = 0
}

active proctype process() {
end:	do
	/* stop: inbox.Box.Stop */
	:: d_step { life < LIVES && !stopped && ON(T_stop, 0) ->
		stopped = 1;
		x = 0;
		do
		:: x < N ->
			if
			:: st[x] == QUEUED || st[x] == BACKOFF ->
#ifdef BUG_STOP_ACKNOWLEDGES
				st[x] = FINISHED;
#else
				st[x] = ABSENT; used--;
#endif
				own[CONV(x)]--
			:: else
			fi;
			x++
		:: else -> break
		od;
		x = 0;
		do
		:: x < CONVS*N -> lane[x] = (x % N == 0 && st[lane[x]] == HANDLING && own[x/N] > 0 -> lane[x] : 0); x++
		:: else -> break
		od;
		took(T_stop) }
	/* drained: engine.Engine.drain */
	:: d_step { stopped && handling == 0 && ACKS_GONE && ON(T_drained, 0) ->
		PROMISE(106, (done & ~acked) == 0);
		newLife(); took(T_drained) }
	/* cut: engine.Engine.finish */
	:: d_step { stopped && ON(T_cut, 0) -> newLife(); took(T_cut) }
	od
}
#endif

init { atomic {
	START_SEEN;
	x = 0;
	do
	:: x < CONVS -> run worker(x); x++
	:: else -> break
	od;
	x = 0 } }

#ifdef LTL
ltl served { <> (SERVED) }
#else
active proctype atRest() {
	timeout -> PROMISE(107, SERVED && used == 0 && count == 0 && most == 0)
}
#endif
