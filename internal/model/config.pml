/* The size of a configuration, its kind of server, and the rules that broken variants change. */

#ifndef N
#define N 3           /* messages; at most 14 */
#endif
#ifndef START
#define START N       /* messages pending at the beginning; users send the others later */
#endif
#ifndef CAP
#define CAP 2         /* units of the inbox */
#endif
#ifndef S
#define S 0           /* messages to send; at most 3 */
#endif
#ifndef ACKFRAMES
#define ACKFRAMES 1   /* maximum number of acknowledgement requests at a time */
#endif
#ifndef ACKBATCH
#define ACKBATCH N    /* maximum number of ids in one of them */
#endif
#ifndef LOSSES
#define LOSSES 0      /* maximum number of links that the network loses or this side ends */
#endif
#ifndef FAILS
#define FAILS 0       /* maximum number of failing attempts */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef SUSPECT
#define SUSPECT 2     /* lost links that make a request a suspect: suspectAfter of internal/outbox */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2    /* links lost with only a suspect in flight that end it: Config.SendAttempts */
#endif
#ifdef REPLAY
#define WIDE_OPEN 1024
#else
#define WIDE_OPEN 4   /* requests in flight that end a slow start: wideOpen of internal/outbox */
#endif
#ifndef LIVES
#define LIVES 1       /* processes, one after the other */
#endif
#ifndef CLOSES
#define CLOSES 0      /* number of links that the server closes without a reply */
#endif

/* Conversations. GREEDY: all messages pending at the beginning are of one, and its handler always fails. */
#ifdef GREEDY
#define CONVS 2
#define CONV(i) ((i) >= START)
#define ALWAYS_FAILS(c) ((c) == 0)
#else
#define ALWAYS_FAILS(c) 0
#endif
#ifdef OTHER         /* the one message of the second conversation */
#define CONVS 2
#define CONV(i) ((i) == OTHER)
#endif
#ifdef REPLAY
#define CONVS 3
#define CONV(i) ((i) < 5 -> 0 : ((i) < 9 -> 1 : 2))
#endif
#ifndef CONVS
#define CONVS 1
#endif
#ifndef CONV
#define CONV(i) ((i) % CONVS)
#endif

#define NONE 255
#define BIT(i) (1 << (i))
#if N > 8
#define SET short     /* of messages */
#else
#define SET byte
#endif
#define ALL ((1 << N) - 1)
#define R (ACKFRAMES + S)

/* The request at which the server hangs up: the acknowledgement of a message, or a sent message. */
#ifdef POISON_ACK
#define POISONED BIT(POISON_ACK)
#else
#define POISONED 0
#endif
#ifndef POISON_SEND
#define POISON_SEND NONE
#endif
#ifdef ONE_ID
#define HANGS_UP_AT(ids) ((ids) & ((ids) - 1))
#else
#define HANGS_UP_AT(ids) ((ids) & POISONED)
#endif

/* A send-only client sends no list. */
#ifdef SEND_ONLY
#define LISTENS 0
#define LIST_FIRST 1
#define RECEIVED 1
#else
#define LISTENS 1
#define LIST_FIRST listWritten
#define RECEIVED (((acked | POISONED) & done) == ALL)
#endif

/* The goal. */
#ifdef GREEDY
#define SERVED ((acked & (ALL - BIT(START) + 1)) == ALL - BIT(START) + 1)
#elif S == 0
#define SERVED RECEIVED
#elif S == 1
#define SERVED (RECEIVED && ENDED(0))
#elif S == 2
#define SERVED (RECEIVED && ENDED(0) && ENDED(1))
#else
#define SERVED (RECEIVED && ENDED(0) && ENDED(1) && ENDED(2))
#endif
/* On a link without a list there may be no other reply, and a suspect is written forever. */
#ifdef SEND_ONLY
#define ENDED(j) (rq[ACKFRAMES+j] == CONFIRMED || j == POISON_SEND)
#else
#define ENDED(j) (rq[ACKFRAMES+j] == CONFIRMED || rq[ACKFRAMES+j] == UNCONFIRMED)
#endif

/* DISORDER: the server pushes live messages before older ones, so that only the order of its pushes is kept. */
#ifdef SERVER_DISORDER
#define DISORDER 1
#else
#define DISORDER 0
#endif

/* The Ledger. LEDGER_FAILS: it remembers nothing. */
#ifdef LEDGER_FAILS
#define KNOWS(i) 0
#else
#define KNOWS(i) (done & BIT(i))
#endif

/* The rules that broken variants change. */
#define MAY_FAIL(c) (fails > 0 || ALWAYS_FAILS(c))
#define FULL (used >= CAP && used > 0)
#ifdef BUG_OVERTAKE_CLOSED
#define CLOSED(c) ((closedAll || closed[c]) && FULL)
#else
#define CLOSED(c) (closedAll || closed[c])
#endif
#ifdef BUG_CLOSE_ALL
#define CLOSES_ALL 1
#else
#define CLOSES_ALL 0
#endif
#ifdef BUG_CLOSED_WHEN_EMPTY
#define LEAST 0
#else
#define LEAST 1
#endif
#ifdef BUG_NO_RESYNC
#define TELLS 0
#else
#define TELLS 1
#endif
#ifdef BUG_ACK_EARLY
#define READY(x) (st[x] == FINISHED || st[x] == HANDLING)
#define ACKABLE (finished + handling > 0)
#else
#define READY(x) (st[x] == FINISHED)
#define ACKABLE (finished > 0)
#endif
#ifdef BUG_STOP_ACKS
#define ACKS_GO (most == 0)
#else
#define ACKS_GO 1
#endif
#ifdef BUG_BLAME_ANY
#define BLAMES !quiet
#define ALONE 1
#elif defined(BUG_RESYNC_BLAMES)
#define REPLACED_LOST 1
#define BLAMES (answered || !listWritten)
#define ALONE answered
#else
#define BLAMES (!quiet && (answered || !listWritten))
#define ALONE answered
#endif
#ifndef REPLACED_LOST
#define REPLACED_LOST 0
#endif
#ifdef BUG_SUSPECT_WITH_OTHERS
#define NOT_ALONE (IS_SUSPECT(z) && answered)
#else
#define NOT_ALONE 0
#endif
#ifdef BUG_NO_SPLIT
#define SPLITS(r) 0
#else
#define SPLITS(r) SEVERAL(r)
#endif
/* No request but the suspect is in flight. */
#define ALONE_OWED (!listOwed && (owes == 0 || owes == 1 && owed[0] == solo))
#ifdef BUG_NO_SLOW_START
#define STARTS_SLOWLY 0
#else
#define STARTS_SLOWLY 1
#endif
/* A slow start waits for the reply to the list. */
#ifdef BUG_LIST_NOT_AWAITED
#define LIST_DELAYS 0
#else
#define LIST_DELAYS (window > 0 && listWritten && !answered && !listPassed)
#endif
#ifdef BUG_END_WITHOUT_ACKS
#define ACKS_GONE 1
#else
#define ACKS_GONE (finished == 0 && count == 0)
#endif

/* The properties. The checker reads the number from the assertion that fails. The server of a replay keeps no order. */
#ifdef REPLAY
#define PROPERTY(n, e) skip
#else
#define PROPERTY(n, e) assert(!((n) && !(e)))
#endif
/* 101 an acknowledged message is finished
 * 102 a finished message does not begin again
 * 103 messages of a conversation begin in order
 * 104 a message does not overtake one of its conversation that was rejected on the same link
 * 105 only the request at which the server hangs up ends unconfirmed
 * 106 the messages that a drained process finished are acknowledged
 * 107 in a final state, every message is handled and acknowledged, and every request answered
 */

/* The transitions of the client. */
#define T_push          1
#define T_listed        2
#define T_ackConfirmed  3
#define T_sendConfirmed 4
#define T_hangUp        5
#define T_known         6
#define T_begin         7
#define T_finish        8
#define T_retry         9
#define T_wake          10
#define T_release       11
#define T_acknowledge   12
#define T_list          13
#define T_writeAck      14
#define T_writeSend     15
#define T_writeAlone    16
#define T_expire        17
#define T_turnOver      18
#define T_send          19
#define T_connect       20
#define T_quiesce       21
#define T_replace       22
#define T_stop          23
#define T_drained       24
#define T_cut           25
#define T_lose          26
#define T_writeNotAlone 27
#define T_listLate      28
#define T_leave         29

#ifdef REPLAY
/* The next step of a trace of the real code; 0 after it happened. */
byte want;
byte wantArg;
#define ON(t, a) (want == t && wantArg == (a))
#define REPLAYED want = 0
/* The real inbox releases a message of any of several equal conversations. */
#define TIE if :: v != NONE && wantFrom < CONVS -> v = wantFrom :: else fi
#define CLOSES_OWN 254
#define HEADS_GO (wantFrom != CLOSES_OWN)
#define HEADS_STAY (wantFrom == CLOSES_OWN)
byte wantFrom = NONE;
#define SEEN skip
#define START_SEEN skip
#else
#define ON(t, a) 1
#define REPLAYED skip
#define TIE skip
#define HEADS_GO 1
#define HEADS_STAY tried
/* The checker prints which transitions happened. */
c_decl {
\#include <stdio.h>
	\#include <stdlib.h>
	static unsigned char seen[64];
	static void printSeen(void) {
		int i;
		for (i = 0; i < 64; i++) if (seen[i]) printf("transition %d happened\n", i);
	}
}
#define SEEN c_code { seen[last] = 1; }
#define START_SEEN c_code { static int once; if (!once++) atexit(printSeen); }
#endif
