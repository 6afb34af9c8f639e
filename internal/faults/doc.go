// Package faults contains only tests: one or more for each fault between a bot and the service. The names of the tests
// of entry NN begin with TestFaultNN. Timers run in testing/synctest bubbles, against blazetest in memory. Resets,
// lost packets and full windows happen on real TCP connections, through internal/faultproxy. Each test proves that its
// fault has happened. A run of all tests prints how often each fault happened, and fails if one never did.
//
// "Reconnects" means: after a random wait of at most 0.5 s at first, doubling to 30 s.
//
// Connecting:
//
//	 1  connection refused            uses the next endpoint and reports the error; ctx ends the attempts
//	 2  name not found                the same
//	 3  TLS: unknown authority,       the same; nothing is sent without TLS
//	    expired, wrong host, TLS 1.1
//	 4  TLS handshake stalls          canceled after 10 s, or when ctx ends
//	 5  HTTP handshake stalls         the same
//	 6  401 in the handshake          requests GET /me: if that is 401, too, Run ends; otherwise reconnects with a
//	                                  new token
//	 7  401 in a frame                the same
//	 8  other rejections, redirects   reconnects, follows no redirect; 10006 ends Run
//	 9  429 and 5xx with Retry-After  waits as long as the server requests, at most 5 minutes, plus a random part
//	10  invalid handshake response    reconnects; reads at most 1 MiB and logs little of it
//	11  another subprotocol           reconnects; none at all is accepted
//	12  unrequested compression       reconnects
//
// Losing the connection:
//
//	13  RST after every byte          reconnects; no partial message is handled; each message is handled, answered
//	                                  and acknowledged once
//	14  FIN after every byte          the same
//	15  silence                       detected within 35 s; sends keep their ids
//	16  silence in one direction      the same; if only bytes to the server are lost: detected when it disconnects,
//	                                  or when a ping has no pong for 3 minutes
//	17  the server does not read      a write takes at most 10 s; the number of requests is bounded; calls return
//	                                  when their ctx ends
//	18  the server writes too slowly  an incomplete message does not count as a sign of life
//	19  close frames with any code    reconnects; the reason is escaped
//	20  violations of RFC 6455        sends a close frame and reconnects; pings between fragments are valid
//
// Invalid frames, which are counted and skipped on the same connection:
//
//	21  text frames                   24  JSON that is broken or of another shape
//	22  bad gzip, trailing data       25  nesting deeper than 10,000
//	23  gzip bombs (cut at 16 MiB)    26  numbers out of range
//
// Unusual frames:
//
//	27  duplicate keys                the last one counts, even if their case differs
//	28  unknown action                counted
//	29  unknown category              delivered as Raw, acknowledged
//	30  invalid base64                delivered as Raw with the reason; all four alphabets are decoded
//	31  control characters, no UTF-8  delivered unchanged, never logged
//
// Receiving:
//
//	32  duplicate push                handled once
//	33  redelivered after handling    not handled again, acknowledged again
//	34  ack or its reply lost         sent again; if rejected permanently: forgotten, and redelivered to the Ledger
//	35  acks that fill no frame       sent after 200 ms
//	36  lost between handler and ack  acknowledged on the next connection; after a restart the Ledger decides
//	43  the handler fails             retried with growing waits, then dropped; other conversations continue, their
//	                                  order is kept
//	44  the handler panics            the same
//	45  the handler calls Goexit      the same
//	46  the handler blocks            memory is bounded, pings and sends continue, nothing is lost
//	47  the handler sends             no deadlock, with one worker and capacity for one request
//	49  a large backlog               all handled, memory is bounded, acks in batches
//	50  the list request fails        requested again on the next connection
//
// Sending:
//
//	37  lost between send and reply   sent again with the same ids, stored once; or an error that has the id
//	38  stray, late, double replies   counted; never delivered as messages
//	39  rejections                    an error for that caller only; transient ones have 5 attempts
//	40  replies out of order          each caller receives its own
//	41  an error without a request    logged
//	42  no reply                      ctx ends the wait, and no state remains
//	61  a message that is too large   an error before anything is written
//
// Ending, and time:
//
//	48  a handler ignores its ctx     Run returns after Drain, and counts the handler
//	51  ctx ends in any phase         Run returns within 250 ms with a negative Drain, and leaves nothing
//	52  calls and faults in any order no deadlock, no panic; ErrClosed afterwards
//	53  a flapping server             the waits keep growing until a connection was healthy
//	54  a thousand clients            their reconnects are spread out
//	55  a wrong clock                 one immediate retry with the server's time; ErrClockSkew if that fails
//	56  suspend                       the next ping detects it, and the connection is replaced
//	59  goroutines                    none remain
//	60  file descriptors              none remain after thousands of connections
//
// Secrets:
//
//	57  an invalid key                the error names the field, not the value
//	58  secrets in any text           neither key nor token, in any encoding, in any log record, error, frame or
//	                                  value of all tests
//	62  an unreadable keystore        an error without its content; a warning if every user can read it
//
// Beyond the list: TestThirtyDays has thirty days of pings and lost connections. TestKilledBetweenReplyAndAck kills a
// process between its replies and the acknowledgement. After a restart it sends the same replies, and each is stored
// once.
package faults
