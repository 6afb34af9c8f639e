/*
 * The servers, and the network between them and the client. A server answers requests in their order, except with LATE.
 *
 *	(none)      it answers a list with all pending messages, oldest first, and then the reply; new messages and other
 *	            replies follow
 *	STREAMS     a list is a stream of the messages pending at that time; replies and new messages are mixed with it
 *	LIVE_BEHIND new messages follow the stream
 *	LATE        a reply, also to a list, may be delayed; it is lost if the server hangs up
 *	POISON_*    the server hangs up at that request, after it has answered all earlier ones
 *	ONE_ID      it hangs up at an acknowledgement of several messages
 *	CLOSES      it hangs up at the first request of that many links
 *	STALE       an acknowledgement in flight on a lost link may reach the server at any later time
 */

#define SPACE(n) (len(toClient) + (n) <= N + 3 + R + TIMEOUTS)
#define PENDING (BIT(stored) - 1 - (acked & (BIT(stored) - 1)))

#ifdef LATE
chan late = [2 + R + TIMEOUTS] of { mtype, SET };
#define REPLY(k, a) late!k,a
#else
#define REPLY(k, a) toClient!k,a
#endif
#ifdef STALE
SET stale;
#endif

/* flush: frames in flight on the link are lost. */
inline flush() {
	do
	:: nempty(toServer) ->
		toServer?kind,arg;
#ifdef STALE
		if :: kind == ACK -> stale = stale | arg :: else fi
#endif
	:: empty(toServer) -> break
	od;
	do
	:: nempty(toClient) -> toClient?kind,arg
	:: empty(toClient) -> break
	od;
#ifdef LATE
	do
	:: nempty(late) -> late?kind,arg
	:: empty(late) -> break
	od;
#endif
	listed = 0; hungUp = 0; stream = 0; stream2 = 0
}

inline acknowledged(ids) {
	PROPERTY(101, (ids & done) == ids);
	acked = acked | ids
}

#ifndef REPLAY
active proctype server() {
end:	do
	:: d_step { up && !hungUp && nempty(toServer) && SPACE(N + 2) ->
		toServer?kind,arg;
		if
		:: closes > 0 -> closes--; hungUp = 1; toClient!BYE,0
		:: closes == 0 && (kind == SEND && arg == POISON_SEND || kind == ACK && HANGS_UP_AT(arg)) ->
			hungUp = 1; toClient!BYE,0
		:: closes == 0 && kind == LIST ->
#ifdef STREAMS
			if :: listed -> stream2 = PENDING :: else -> stream = PENDING fi;
#else
			x = 0;
			do
			:: x < stored -> if :: acked & BIT(x) :: else -> toClient!PUSH,x fi; x++
			:: else -> break
			od;
#endif
			listed = 1;
			REPLY(LISTED, 0)
		:: closes == 0 && kind == ACK && !HANGS_UP_AT(arg) -> acknowledged(arg); REPLY(ACKED, arg)
		:: closes == 0 && kind == SEND && arg != POISON_SEND -> REPLY(SENT, arg)
		fi;
		x = 0; kind = 0; arg = 0 }
	od
}

#ifdef STREAMS
/* push pushes the next message of a stream. */
inline pushNext(s) {
	x = 0;
	do
	:: !(s & BIT(x)) -> x++
	:: else -> break
	od;
	s = s & ~BIT(x);
	toClient!PUSH,x; x = 0
}

active proctype pusher() {
end:	do
	:: d_step { up && !hungUp && stream && SPACE(1) -> pushNext(stream) }
	:: d_step { up && !hungUp && stream2 && SPACE(1) -> pushNext(stream2) }
	od
}
#endif

#ifdef LATE
active proctype replier() {
end:	do
	:: d_step { up && !hungUp && nempty(late) && SPACE(1) -> late?kind,arg; toClient!kind,arg; kind = 0; arg = 0 }
	od
}
#endif

#ifdef STALE
active proctype old() {
end:	do
	:: d_step { stale -> acknowledged(stale); stale = 0 }
	:: d_step { stale -> stale = 0 }
	od
}
#endif

#if START < N
active proctype users() {
end:	do
	:: d_step { stored < N && SPACE(1) ->
		if
		:: !up || !listed || hungUp      /* it stays pending */
		:: else ->
#ifdef LIVE_BEHIND
			stream = stream | BIT(stored)
#else
			toClient!PUSH,stored
#endif
		fi;
		stored++ }
	od
}
#endif

#endif

#if LOSSES > 0
active proctype network() {
end:	do
	/* lose: outbox.Box.Down */
	:: d_step { up && losses > 0 && ON(T_lose, 0) -> losses--; down(1); took(T_lose) }
	/* leave: engine.Engine.peerEnded, outbox.Box.Down */
	:: d_step { up && losses > 0 && ON(T_leave, 0) -> losses--; down(0); took(T_leave) }
#ifndef REPLAY
	:: d_step { losses > 0 -> losses = 0 }
#endif
	od
}
#endif
