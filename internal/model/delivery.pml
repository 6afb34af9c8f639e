/*
 * Delivery: a client with the rules of internal/inbox, internal/outbox and internal/engine, and the servers and the
 * network of server.pml. cmd/model searches it in every configuration of configs.go. inbox.pml and outbox.pml have the
 * rules; this file has the state, and the processes that apply them.
 *
 * Messages are numbered in the order in which users send them. Each costs one unit of the inbox's capacity from its
 * acceptance until its acknowledgement is confirmed. There is no time: a timer may fire at any moment. At most TIMEOUTS
 * reply timeouts happen. Messages larger than half of the inbox, which have rules of their own, do not occur. The
 * resync that is due after a minute (inbox.Box.Stuck) never happens.
 *
 * A comment of the form "name: package.Function" stands before each transition of the client. It names the Go code that
 * makes the transition. client_test.go and client_link_test.go have these transitions in Go; conform_test.go compares
 * them with the real code.
 */

#include "config.pml"

/* ---- the state ---- */

mtype = { LIST, ACK, SEND, PUSH, LISTED, ACKED, SENT, BYE };
chan toServer = [2 + R + TIMEOUTS] of { mtype, SET };
chan toClient = [N + 3 + R + TIMEOUTS] of { mtype, SET };

/* The link and the server. */
bit up;
byte stored = START;      /* messages that users have sent */
SET acked;                /* a set of messages */
bit listed;               /* the server has received a list request on this link */
bit hungUp;               /* the server no longer reads on this link */
SET stream;               /* STREAMS: the messages that a list has not pushed yet */
SET stream2;              /* the same for a second list */
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
byte lane[CONVS*N];       /* the messages of each conversation in the inbox, oldest first */
byte own[CONVS];          /* their number */
byte used;                /* units */
bit closed[CONVS];
byte then[CONVS];         /* number of messages in the conversation when it closed */
bit closedAll;
byte most;                /* maximum units in use since something closed; 0: nothing is closed */
bit low;                  /* a closed conversation has shrunk to half of its size */
bit due;                  /* a resync is due */
byte fails = FAILS;
SET tried;                /* messages that failed in this process and are not handled */

/* The outbox. Request r is an acknowledgement if r < ACKFRAMES, else a message to send. */
#define FREE 0
#define WAITING 1
#define WRITTEN 2
#define CONFIRMED 3
#define UNCONFIRMED 4
byte rq[R+1];
SET mask[ACKFRAMES];      /* the ids of an acknowledgement */
SET whole[ACKFRAMES];     /* the ids of the acknowledgement that it is a part of; 0: none */
byte blamed[R+1];         /* lost links for which it was blamed */
byte alone[R+1];          /* links lost while only it was in flight */
bit early[R+1];           /* it is written before the next suspect */
bit overdue[R+1];         /* it had no reply in time on this link */
byte order[R+1];          /* requests by age */
byte count;
byte owed[R+1];           /* requests in flight on this link, by their first write */
byte owes;
byte solo = NONE;         /* the suspect with the turn; nothing else is written */
bit soloWritten;          /* it was written while nothing else was in flight */
bit listWritten;
bit listOwed;             /* the list was written and has no reply */
bit answered;             /* there was a reply on this link */
short window;             /* slow start: maximum number of requests in flight; 0: no limit */
bit listPassed;           /* slow start: no longer waits for the reply to the list */
bit cautious;             /* the next link starts slowly */
bit proven;               /* an acknowledgement of several messages was confirmed */
byte timeouts = TIMEOUTS;

/* Run. */
bit quiet;                /* the link will be replaced; no message is sent */
bit awaited[R+1];         /* it has been in flight since quiet was set */
byte awaits;
bit stopped;              /* the context of Run has ended */
byte life = 1;

/* The oracle. The Ledger contains done. */
SET done;                 /* messages that are finished */
SET rejected;             /* messages that were rejected or released on this link */

/* Derived from the other variables by took. */
byte nextAck = NONE;
byte nextSend = NONE;
byte slot = 0;            /* a free acknowledgement */
byte finished;            /* messages that are FINISHED */
byte handling;

/* Scratch variables, without meaning between two transitions. */
hidden byte x, y, z, w;
hidden byte headsGo;
hidden SET v;
hidden mtype kind;
hidden SET arg;
hidden byte last;         /* the last transition */

#define IS_ACK(r) ((r) < ACKFRAMES)
#define IS_SUSPECT(r) (blamed[r] >= SUSPECT)
#define SEVERAL(r) (IS_ACK(r) && (mask[r] & (mask[r] - 1)))

#include "inbox.pml"
#include "outbox.pml"

/* took ends a transition: it updates the derived variables. */
inline took(transition) {
	last = transition;
	SEEN;
	nextAck = NONE; nextSend = NONE; slot = NONE; finished = 0; handling = 0;
	choose();
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
	x = 0; y = 0; z = 0; w = 0; v = 0; kind = 0; arg = 0;
	REPLAYED
}

#include "server.pml"

/* ---- the client ---- */

active proctype reader() {
end:	do
	/* push: inbox.Box.Offer */
	:: d_step { up && toClient?[PUSH] && HEADS_GO && ON(T_push, 0) ->
		toClient?PUSH,z; headsGo = 1; offer(z); took(T_push) }
	/* The same, if no message in backoff is released for one that had attempts. */
	:: d_step { up && toClient?[PUSH] && HEADS_STAY && ON(T_push, 0) ->
		toClient?PUSH,z; headsGo = 0; offer(z); took(T_push) }
	/* listed: outbox.Box.Answer */
	:: d_step { up && toClient?[LISTED] && ON(T_listed, 0) ->
		toClient?LISTED,_; answered = 1; listOwed = 0; took(T_listed) }
	/* ackConfirmed: outbox.Box.Answer, inbox.Box.Release */
	:: d_step { up && toClient?[ACKED] && ON(T_ackConfirmed, 0) ->
		toClient?ACKED,arg;
		answered = 1; y = 0; z = 0;
		do
		:: z < ACKFRAMES ->
			if
			:: rq[z] != FREE && (mask[z] | arg) == arg ->
				if :: SEVERAL(z) -> proven = 1 :: else fi;
				y = 1; finish(CONFIRMED)
			:: else
			fi;
			z++
		:: else -> break
		od;
		if :: y -> widen() :: else fi;
		took(T_ackConfirmed) }
	/* sendConfirmed: outbox.Box.Answer */
	:: d_step { up && toClient?[SENT] && ON(T_sendConfirmed, 0) ->
		toClient?SENT,z;
		answered = 1; z = ACKFRAMES + z;
		if :: rq[z] == WAITING || rq[z] == WRITTEN -> finish(CONFIRMED); widen() :: else fi;
		took(T_sendConfirmed) }
	/* hangUp: outbox.Box.Down */
	:: d_step { up && toClient?[BYE] && ON(T_hangUp, 0) -> down(1); took(T_hangUp) }
	od
}

#define FIRST(c) lane[(c)*N]

proctype worker(byte c) {
end:	do
	/* known: blaze.deliverer.handle, engine.Engine.settle */
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
	/* retry: inbox.Box.backOffLane */
	:: d_step { own[c] > 0 && st[FIRST(c)] == HANDLING && !stopped && MAY_FAIL(c) && ON(T_retry, FIRST(c)) ->
		z = FIRST(c);
		if :: !ALWAYS_FAILS(c) -> fails-- :: else fi;
		st[z] = BACKOFF; tried = tried | BIT(z); took(T_retry) }
	/* wake: inbox.Box.wake */
	:: d_step { !stopped && own[c] > 0 && st[FIRST(c)] == BACKOFF && ON(T_wake, FIRST(c)) ->
		z = FIRST(c); attempt(z); took(T_wake) }
	/* release: engine.Engine.reportReleased */
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
#ifdef BUG_FORGET_ACKED
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
		listWritten = 1; listOwed = 1; toServer!LIST,0; took(T_list) }
	/* writeAck: outbox.Box.Next */
	:: d_step { up && LIST_FIRST && nextAck != NONE && nfull(toServer) && ACKS_GO && ON(T_writeAck, nextAck) ->
		z = nextAck; write(z); took(T_writeAck) }
	/* writeSend: outbox.Box.Next */
	:: d_step { up && LIST_FIRST && nextSend != NONE && nfull(toServer) && ON(T_writeSend, nextSend) ->
		z = nextSend; write(z); took(T_writeSend) }
	/* writeAlone: outbox.Box.choose */
	:: d_step { up && solo != NONE && !soloWritten && ALONE_OWED && nfull(toServer) && ON(T_writeAlone, solo) ->
		z = solo; soloWritten = 1; write(z); took(T_writeAlone) }
	od
}

#if TIMEOUTS > 0
active proctype clock() {
end:	do
	/* expire: outbox.Box.expire */
	:: d_step { timeouts > 0 && owes > 0 && rq[owed[0]] == WRITTEN && ON(T_expire, 0) ->
		timeouts--; z = owed[0]; rq[z] = WAITING;
		if :: !overdue[z] && !IS_SUSPECT(z) -> widen() :: else fi;
		overdue[z] = 1;
		if :: IS_SUSPECT(z) -> putLast() :: else fi;
		took(T_expire) }
	/* turnOver: outbox.Box.choose */
	:: d_step { timeouts > 0 && solo != NONE && soloWritten && ON(T_turnOver, 0) ->
		timeouts--; endTurn(); took(T_turnOver) }
	/* writeNotAlone: outbox.Box.choose */
	:: d_step { timeouts > 0 && solo != NONE && !soloWritten && nfull(toServer) && ON(T_writeNotAlone, 0) ->
		timeouts--; z = solo; endTurn(); write(z); took(T_writeNotAlone) }
	/* listLate: outbox.Box.delay */
	:: d_step { up && timeouts > 0 && LIST_DELAYS && ON(T_listLate, 0) ->
		timeouts--; listPassed = 1; took(T_listLate) }
#ifndef REPLAY
	/* no further timeouts, so that their number is finite */
	:: d_step { timeouts > 0 -> timeouts = 0 }
#endif
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
	:: d_step { !up && !stopped && ON(T_connect, 0) ->
		up = 1; reopen(); allEarly(); window = cautious; cautious = 0; took(T_connect) }
	/* quiesce: engine.Engine.tend, outbox.Box.Quiesce */
	:: d_step { up && due && !quiet && !stopped && ON(T_quiesce, 0) ->
		quiet = 1; x = 0;
		do
		:: x < owes ->
			if :: !overdue[owed[x]] -> awaited[owed[x]] = 1; awaits++ :: else fi;
			x++
		:: else -> break
		od;
		if :: solo != NONE && !soloWritten && !IS_ACK(solo) -> endTurn() :: else fi;
		took(T_quiesce) }
	/* replace: engine.tending.replace, outbox.Box.Down */
	:: d_step { up && quiet && (awaits == 0 || timeouts > 0) && ON(T_replace, 0) ->
#ifdef BUG_SECOND_LIST
		quiet = 0; reopen(); toServer!LIST,0;
#else
		down(REPLACED_LOST);
#endif
		took(T_replace) }
	od
}

#if LIVES > 1
/* newLife: the next process starts with only the Ledger. */
inline newLife() {
	down(0);
	cautious = 0; proven = 0;
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
	used = 0; tried = 0; z = 0;
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
		PROPERTY(106, (done & ~acked) == 0);
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

#ifdef REPLAY
#include "trace.pml"
#elif defined(LTL)
ltl served { <> (SERVED) }
#else
active proctype atRest() {
	timeout -> PROPERTY(107, SERVED && used == 0 && count == 0 && most == 0)
}
#endif
