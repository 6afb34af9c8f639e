// Package faults contains only tests. This comment lists the faults between a bot and the service, the client's
// reaction to each, and the tests that prove it. The tests of entry NN in this package are named TestFaultNN, those in
// other packages have a name with their package, such as blaze.TestX. A test compares the list with the tests.
//
// Timers run in testing/synctest bubbles, against blazetest in memory. Resets, lost packets and full windows happen on
// real TCP connections, through internal/faultproxy. Each test of this package proves that its fault has happened. A
// run of all of them prints how often each fault happened, and fails if one of them never did.
//
// "Reconnects" means: after a random wait of at most 0.5 s at first, doubling to 30 s.
//
// Connecting:
//
//	 1  connection refused            uses the next endpoint and reports the error; ctx ends the attempts
//	    TestFault01ConnectionRefused
//	 2  name not found                the same
//	    blaze.TestTheOtherEndpointAfterAFailedDial
//	 3  TLS: unknown authority,       the same; nothing is sent without TLS
//	    expired, wrong host, TLS 1.1
//	    TestFault03TLSRejected
//	 4  TLS handshake stalls          canceled after 10 s, or when ctx ends
//	    TestFault04TLSStalls
//	 5  HTTP handshake stalls         the same
//	    TestFault05HandshakeStalls
//	 6  401 in the handshake          requests GET /me: if that is 401, too, Run ends; otherwise reconnects with a
//	                                  new token
//	    TestFault06Unauthorized
//	 7  401 in a frame                the same
//	    TestFault07UnauthorizedFrame
//	 8  other rejections, redirects   reconnects, follows no redirect; 10006 ends Run
//	    TestFault08Rejected
//	 9  429 and 5xx with Retry-After  waits as long as the server requests, at most 5 minutes, plus a random part
//	    TestFault09RetryAfter
//	10  invalid handshake response    reconnects; reads at most 1 MiB and logs little of it
//	    TestFault10NoAnswer
//	11  another subprotocol           reconnects; none at all is accepted
//	    TestFault11Subprotocol
//	12  unrequested compression       reconnects
//	    TestFault12UnaskedCompression
//
// Losing the connection:
//
//	13  RST after every byte          reconnects; no partial message is handled; each message is handled, answered
//	                                  and acknowledged once
//	    TestFault13ResetAtEveryByte
//	14  FIN after every byte          the same
//	    TestFault14FinAtEveryByte
//	15  silence                       detected within 35 s; sends keep their ids
//	    TestFault15HalfOpen
//	16  silence in one direction      the same; if only bytes to the server are lost: detected when it disconnects,
//	                                  or when a ping has no pong for 3 minutes
//	    TestFault16HalfOpenOneWay, TestFault16BlackHole
//	17  the server does not read      a write takes at most 10 s; the number of requests is bounded; calls return
//	                                  when their ctx ends
//	    TestFault17SlowReader, TestFault17WindowFull
//	18  the server writes too slowly  an incomplete message does not count as a sign of life
//	    TestFault18SlowWriter, TestFault18Slices
//	19  close frames with any code    reconnects; the reason is escaped
//	    TestFault19Closed
//	20  violations of RFC 6455        sends a close frame and reconnects; pings between fragments are valid
//	    TestFault20Violations
//
// Invalid frames, which are counted and skipped on the same connection:
//
//	21  text frames
//	    TestFault21TextFrame
//	22  bad gzip, trailing data
//	    TestFault22BadGzip
//	23  gzip bombs (cut at 16 MiB)
//	    TestFault23GzipBomb
//	24  JSON that is broken or of another shape
//	    TestFault24BrokenJSON
//	25  nesting deeper than 10,000
//	    TestFault25Nesting
//	26  numbers out of range
//	    TestFault26Numbers
//
// Unusual frames:
//
//	27  duplicate keys                the last one counts, even if their case differs
//	    TestFault27DuplicateKeys
//	28  unknown action                counted
//	    TestFault28UnknownAction
//	29  unknown category              delivered as Raw, acknowledged
//	    blaze.TestMalformedMessages
//	30  invalid base64                delivered as Raw with the reason; all four alphabets are decoded
//	    blaze.TestMalformedMessages
//	31  control characters, no UTF-8  delivered unchanged, never logged
//	    TestFault31StrangeText
//
// Receiving:
//
//	32  duplicate push                handled once
//	    TestFault32DuplicatePush
//	33  redelivered after handling    not handled again, acknowledged again
//	    TestFault33Redelivery
//	34  ack or its reply lost         sent again; if rejected permanently: forgotten, and redelivered to the Ledger
//	    blaze.TestAnAckLostWithItsConnectionIsConfirmedOnTheNext,
//	    blaze.TestAnAckIsRetriedAfterATransientRejection, blaze.TestARejectedAckIsForgotten
//	35  acks that fill no frame       sent after 200 ms
//	    blaze.TestNoAckBeforeTheHandlerReturned
//	36  lost between handler and ack  acknowledged on the next connection; after a restart the Ledger decides
//	    TestFault36LostBeforeAck
//	43  the handler fails             retried with growing waits, then dropped; other conversations continue, their
//	                                  order is kept
//	    TestFault43HandlerFails
//	44  the handler panics            the same
//	    TestFault44HandlerPanics
//	45  the handler calls Goexit      the same
//	    TestFault45HandlerGoexit
//	46  the handler blocks            memory is bounded, pings and sends continue, nothing is lost
//	    TestFault46HandlerBlocked
//	47  the handler sends             no deadlock, with one worker and capacity for one request
//	    TestFault47HandlerSends
//	49  a large backlog               all handled, memory is bounded, acks in batches
//	    TestFault49Backlog
//	50  the list request fails        requested again on the next connection
//	    TestFault50ListFails
//
// Sending:
//
//	37  lost between send and reply   sent again with the same ids, stored once; or an error that has the id
//	    TestFault37LostBeforeReply, blaze.TestSendEndsWhenWritten
//	38  stray, late, double replies   counted; never delivered as messages
//	    TestFault38StrayReplies, TestFault38DuplicateAndLateReply
//	39  rejections                    an error for that caller only; transient ones have 5 attempts
//	    blaze.TestSendRejected, blaze.TestSendRejectedAsTransient
//	40  replies out of order          each caller receives its own
//	    TestFault40ShuffledReplies
//	41  an error without a request    logged
//	    TestFault41StrayError
//	42  no reply                      ctx ends the wait, and no state remains
//	    blaze.TestSendEndsWhenWritten
//	61  a message that is too large   an error before anything is written
//	    blaze.TestInvalidMessagesAreNotWritten
//
// Ending, and time:
//
//	48  a handler ignores its ctx     Run returns after Drain, and counts the handler
//	    blaze.TestHandlersThatDoNotEndAreAbandoned
//	51  ctx ends in any phase         Run returns within 250 ms with a negative Drain, and leaves nothing
//	    TestFault51Cancelled
//	52  calls and faults in any order no deadlock, no panic; ErrClosed afterwards
//	    TestFault52Interleavings
//	53  a flapping server             the waits keep growing until a connection was healthy
//	    TestFault53Flapping
//	54  a thousand clients            their reconnects are spread out
//	    TestFault54ThunderingHerd
//	55  a wrong clock                 one immediate retry with the server's time; ErrClockSkew if that fails
//	    TestFault55ClockSkew, TestFault55ClockIsSet, blaze.TestAWrongClockIsCorrected,
//	    blaze.TestAWrongClockIsNamedWhenRunEnds
//	56  suspend                       the next ping detects it, and the connection is replaced
//	    TestFault56Suspend
//	59  goroutines                    none remain
//	    blaze.TestNoGoroutineButBetweenRunAndItsEnd
//	60  file descriptors              none remain after thousands of connections
//	    TestFault60Descriptors
//
// Secrets:
//
//	57  an invalid key                the error names the field, not the value
//	    blaze.TestKeystoreBuiltByHand, blaze.TestParseKeystoreRejects
//	58  secrets in any text           neither key nor token, in any encoding, in any log record, error, frame or
//	                                  value of all tests
//	    TestFault58Secrets
//	62  an unreadable keystore        an error without its content; a warning if every user can read it
//	    TestFault62KeystoreReadByAll, blaze.TestLoadKeystore, blaze.TestParseKeystoreRejects
//
// Beyond the list: TestThirtyDays has thirty days of pings and lost connections. TestKilledBetweenReplyAndAck kills a
// process between its replies and the acknowledgement. After a restart it sends the same replies, and each is stored
// once.
package faults
