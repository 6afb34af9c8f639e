// Package faults holds no code, only tests: one for each thing that can go wrong between a bot and the service.
// TestFaultNN is about fault NN below. Timers run in bubbles of testing/synctest against blazetest in memory; resets,
// black holes and full windows happen to real TCP connections, through internal/faultproxy. Each test proves that its
// fault has happened, and a run of all tests prints how often each did, and fails if one never did. "Comes back"
// means: reconnects after a wait drawn at random, 0.5 s at most at first, doubling to 30 s.
//
// The way to a connection:
//
//	 1  connection refused            the next endpoint, the error reported; ctx ends it
//	 2  name not found                the same
//	 3  TLS: unknown authority,       the same; nothing is ever said without TLS
//	    expired, wrong host, TLS 1.1
//	 4  TLS handshake stalls          given up after 10 s, at once when ctx ends
//	 5  HTTP handshake stalls         the same
//	 6  401 in the handshake          GET /me is asked: 401 there too ends Run, else comes back with a new token
//	 7  401 in a frame                the same
//	 8  other refusals, redirections  comes back, follows nothing; 10006 ends Run
//	 9  429 and 5xx with Retry-After  waits as long as the server says, 5 minutes at most, and a little longer
//	10  no answer of HTTP at all      comes back; 1 MiB is read at most, and little of it logged
//	11  another subprotocol           comes back; none chosen is accepted
//	12  compression not asked for     comes back
//
// The connection breaks:
//
//	13  RST behind every byte         comes back; no part of a message is handled; each is handled, answered,
//	                                  acknowledged once
//	14  FIN behind every byte         the same
//	15  silence                       noticed within 35 s; sends keep their ids
//	16  silence in one direction      the same; where only our bytes vanish, when the server ends it, or when a
//	                                  ping is unanswered for 3 minutes
//	17  the server does not read      a write lasts 10 s at most; the number of requests is bounded; callers heed
//	                                  their ctx
//	18  the server writes too slowly  a message that does not end is no sign of life
//	19  close frames of any code      comes back; their text is escaped
//	20  violations of RFC 6455        close frame, comes back; fragments with pings between them are no violation
//
// Frames that are none are counted and skipped, and the connection stays:
//
//	21  text frames                   24  JSON that is broken or of another shape
//	22  bad gzip, bytes behind it     25  nesting of more than 10,000
//	23  gzip bombs (cut at 16 MiB)    26  numbers that do not fit
//
// Frames that are strange:
//
//	27  keys that are there twice     the last one counts, in any case
//	28  unknown action                counted
//	29  unknown category              delivered as Raw, acknowledged
//	30  invalid base64                delivered as Raw with the reason; all four alphabets are read
//	31  control characters, no UTF-8  delivered as they came, never logged
//
// What comes in:
//
//	32  a message pushed twice        handled once
//	33  pushed again when handled     not handled again, acknowledged again
//	34  an ack or its reply is lost   sent again; refused for good: forgotten, and met by the ledger
//	35  acks that fill no frame       sent after 200 ms
//	36  lost between handler and ack  acknowledged on the next connection; after a restart the ledger decides
//	43  the handler fails             tried again with growing waits, then given up; other conversations go on,
//	                                  their order stays
//	44  the handler panics            the same
//	45  the handler calls Goexit      the same
//	46  the handler blocks            memory bounded, pings and sends go on, nothing lost
//	47  the handler sends             no deadlock, with one worker and room for one request
//	49  a large backlog               all of it handled, memory bounded, acks in batches
//	50  the list request fails        asked again on the next connection
//
// What goes out:
//
//	37  lost between send and reply   sent again with the same ids, stored once; or an error that names the id
//	38  stray, late, double replies   counted; never messages
//	39  refusals                      for the one caller; passing ones are tried 5 times
//	40  replies out of order          each caller gets its own
//	41  an error that answers nothing logged
//	42  no reply, ever                ctx ends it, and nothing stays behind
//	61  a message that is too large   an error before anything is written
//
// The end, and time:
//
//	48  a handler ignores its ctx     Run returns when Drain is over, and counts it
//	51  ctx ends in any phase         Run returns within 250 ms with a negative Drain, and leaves nothing
//	52  everything at once            no deadlock, no panic; ErrClosed afterwards
//	53  a flapping server             the waits go on growing until a connection was healthy
//	54  a thousand clients            come back spread out
//	55  a wrong clock                 at once once more, dated by the server's; ErrClockSkew where that was not enough
//	56  suspend                       the next ping notices and the connection is replaced
//	59  goroutines                    none is left
//	60  file descriptors              none is left after thousands of connections
//
// Secrets:
//
//	57  a key that cannot be one      the error names the field, not the value
//	58  secrets in any text           neither key nor token, in any encoding, in any log line, error, frame or value
//	                                  of all tests
//	62  a keystore not to be read     an error without its content; one that all can read, a warning
//
// Beyond the list: thirty days of pings and lost connections, and a process that is killed between its answer and the
// acknowledgement and says the same when it is started again.
package faults
