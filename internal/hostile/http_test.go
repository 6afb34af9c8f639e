package hostile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// noAnswer is the outcome of a request that nobody answers in a way that can be used.
var noAnswer = failsWith("the error is ErrNoAnswer, and the next request works", blaze.ErrNoAnswer)

// opens calls OpenConversation.
func opens(r *run) {
	id, err := r.c.OpenConversation(r.ctx, alice)
	r.fails(err)
	if err == nil && id != blaze.ConversationID(botID, alice) {
		r.t.Errorf("the id of the conversation is %q", id)
	}
	r.calm()
}

// calm lets the server be honest, and checks that a request works then. A host that gave no answer may be used again.
func (r *run) calm() {
	r.t.Helper()
	settle()
	r.http = nil
	if _, err := r.c.OpenConversation(r.ctx, alice); err != nil {
		r.t.Errorf("a request after the attack: %v", short(err))
	}
}

// responds returns the attack of a server that answers all requests for a conversation so.
func responds(name string, o outcome, answer func(r *run, p *peer)) attack {
	return attack{
		name: name, outcome: local(o), does: opens,
		arm: func(r *run) { r.http = onPath("/conversations", func(p *peer) { answer(r, p) }) },
	}
}

// local adds to an outcome that no other address is connected to.
func local(o outcome) outcome {
	check := o.check
	o.check = func(r *run) {
		check(r)
		if hosts := r.hosts(); len(hosts) != 1 || hosts[0] != "localhost:80" {
			r.t.Errorf("connections were made to %.300q", hosts)
		}
	}
	return o
}

// respondsWith is responds with a text, after which the server hangs up.
func respondsWith(name string, o outcome, text string) attack {
	return responds(name, o, func(_ *run, p *peer) { _ = p.Say(text); _ = p.Conn.Close() })
}

// mostBody is how much of an answer is read, and what buffers add.
const mostBody = 4*mib + 256*kib

// respondsEndlessly is responds with bytes that do not end. Each try reads so many bytes at most.
func respondsEndlessly(name, first, piece string, most int64) attack {
	piece = strings.Repeat(piece, max(1, 16*kib/len(piece)))
	o := outcome{text: "ErrNoAnswer; each try reads no more than a limit", check: func(r *run) {
		noAnswer.check(r)
		if r.written > most {
			r.t.Errorf("%d bytes were read", r.written)
		}
	}}
	a := responds(name, o, func(r *run, p *peer) {
		_ = p.Say(first)
		r.written = max(r.written, p.repeat([]byte(piece), 1<<28))
		_ = p.Conn.Close()
	})
	return a.bounded(32*mib, 256*mib).slowly()
}

func httpAttacks() []attack {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	good := `{"data":{"conversation_id":"` + blaze.ConversationID(botID, alice) + `"}}`
	all := []attack{
		respondsEndlessly("a body without end", head+"\r\n", "          ", mostBody),
		respondsEndlessly("a body of a terabyte", head+"Content-Length: 1099511627776\r\n\r\n", "          ", mostBody),
		respondsEndlessly("chunks without end", head+"Transfer-Encoding: chunked\r\n\r\n", "a\r\n          \r\n",
			2*mostBody),
		respondsEndlessly("chunks of a byte without end", head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n",
			7*mostBody),
		respondsEndlessly("a chunk extension without end", head+"Transfer-Encoding: chunked\r\n\r\n1;a=", "x", mib),
		respondsEndlessly("a header without end", head+"X-Filler: ", "x", 2*mib),
		respondsEndlessly("headers without end", head, "X-Filler: word\r\n", 2*mib),
		respondsEndlessly("a status line without end", "HTTP/1.1 200 ", "x", 2*mib),
		respondsEndlessly("100 Continue without end", "", "HTTP/1.1 100 Continue\r\n\r\n", 2*mib),
		respondsEndlessly("103 Early Hints without end", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 2*mib),
		respondsEndlessly("trailers without end", head+"Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n0\r\n",
			"X-A: word\r\n", mib),
		respondsWith("a chunk of 2^63 bytes", noAnswer, head+"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx"),
		respondsWith("a chunk size that is no number", noAnswer, head+"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
		respondsWith("a Content-Length that is too large", noAnswer, head+"Content-Length: 1000\r\n\r\n"+good),
		respondsWith("a Content-Length of 2^64", noAnswer, head+"Content-Length: 18446744073709551616\r\n\r\n"+good),
		respondsWith("two Content-Lengths", noAnswer, head+"Content-Length: 3\r\nContent-Length: 50\r\n\r\n"+good),
		respondsWith("both a length and chunks", noAnswer,
			head+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		respondsWith("nothing, and the end of the connection", noAnswer, ""),
		respondsWith("HTTP/0.9", noAnswer, "hello"),
		responds("silence", noAnswer, func(_ *run, p *peer) { <-closed(p) }),
		responds("a byte a second, for ever", noAnswer, func(_ *run, p *peer) {
			_ = p.Say(head + "Content-Length: 1000000\r\n\r\n")
			p.trickle([]byte(" "), time.Second, time.Hour)
			_ = p.Conn.Close()
		}),
		respondsWith("gzip that nobody asked for", noAnswer,
			response("200 OK", "Content-Encoding: gzip\r\n", string(wspeer.Gzip(`{"data":{}}`)))),
		respondsWith("a bomb of 2 GB", noAnswer,
			response("200 OK", "Content-Encoding: gzip\r\n", string(bomb(2000)))).bounded(32*mib, 256*mib),
		respondsWith("301 to another host", noAnswer, response("301 Moved", "Location: https://evil.test/\r\n", "")),
		respondsWith("307 to another host", noAnswer,
			response("307 Moved", "Location: https://evil.test/conversations\r\n", "")),
		respondsWith("308 to this machine", noAnswer, response("308 Moved", "Location: http://127.0.0.1:22/\r\n", "")),
		respondsWith("307 to a file", noAnswer, response("307 Moved", "Location: file:///etc/passwd\r\n", "")),
		respondsWith("101", noAnswer,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
		respondsWith("204", noAnswer, "HTTP/1.1 204 No Content\r\n\r\n"),
		respondsWith("205", noAnswer, response("205 Reset Content", "", "")),
		respondsWith("206", noAnswer, response("206 Partial Content", "Content-Range: bytes 0-0/1\r\n", "{")),
		respondsWith("304", noAnswer, "HTTP/1.1 304 Not Modified\r\n\r\n"),
		respondsWith("511", noAnswer, response("511 Network Authentication Required", "", "<html>")),
		respondsWith("an answer to another request", noAnswer, response("200 OK", "X-Request-Id: other\r\n", good)),
	}
	return append(append(all, shapeAttacks(good)...), paceAttacks(good)...)
}

// shapeAttacks are answers of 200 that say nothing of use. An answer is a success only with the conversation that was
// asked for.
func shapeAttacks(good string) (all []attack) {
	for _, v := range []struct{ name, body string }{
		{"an empty body", ""},
		{"a page of a captive portal", "<html><body>log in to the WiFi</body></html>"},
		{"a string", `"log in to the WiFi"`},
		{"null", `null`},
		{"a number", `5`},
		{"a list", `[]`},
		{"an empty object", `{}`},
		{"data null", `{"data":null}`},
		{"data a string", `{"data":"log in to the WiFi"}`},
		{"data a list", `{"data":[]}`},
		{"data empty", `{"data":{}}`},
		{"data twice", `{"data":{"conversation_id":"x"},"data":[]}`},
		{"another conversation", `{"data":{"conversation_id":"` + blaze.ConversationID(botID, botID) + `"}}`},
		{"a conversation without an id", `{"data":{"conversation_id":""}}`},
		{"an id of another kind", `{"data":{"conversation_id":5}}`},
		{"an id of a megabyte", `{"data":{"conversation_id":"` + strings.Repeat("c", mib) + `"}}`},
		{"an error that is a string", `{"error":"no"}`},
		{"an error that is a list", `{"error":[1,2,3]}`},
		{"JSON that breaks off", good[:len(good)-2]},
		{"JSON with a page behind it", good + "<html>"},
		{"JSON nested a million times", `{"data":` + deep(1_000_000) + `}`},
		{"JSON nested 9,000 times", `{"data":` + deep(9_000) + `}`},
		{"a number of a million digits", `{"data":{"conversation_id":` + strings.Repeat("9", 1_000_000) + `}}`},
		{"a million fields", `{"data":{"a":1` + strings.Repeat(`,"conversation_id":0`, 200_000) + `}}`},
	} {
		all = append(all, respondsWith(v.name, noAnswer, ok(v.body)).bounded(32*mib, 256*mib))
	}
	return all
}

// paceAttacks are answers that say when to come again, what time it is, or that come at the wrong time.
func paceAttacks(good string) []attack {
	const mostTries = 5
	within := func(most time.Duration, wanted ...error) outcome {
		return outcome{
			text: fmt.Sprintf("the request ends within %v, after %d tries at most", most, mostTries),
			check: func(r *run) {
				if took := time.Duration(r.written); took > most {
					r.t.Errorf("it took %v", took)
				}
				if r.err != nil && !slices.ContainsFunc(wanted, func(want error) bool { return errors.Is(r.err, want) }) {
					r.t.Errorf("the error is %v", short(r.err))
				}
				if n := len(r.called("/conversations")); n > mostTries+1 {
					r.t.Errorf("%d tries", n)
				}
			},
		}
	}
	timed := func(name string, most time.Duration, text string, wanted ...error) attack {
		a := respondsWith(name, within(most, wanted...), text)
		a.does = func(r *run) {
			began := time.Now()
			opens(r)
			r.written = int64(time.Since(began))
		}
		return a
	}
	busy := func(headers string) string {
		return response("429 Busy", headers, `{"error":{"status":429,"code":429,"description":"slow down"}}`)
	}
	lies := func(name, headers string) attack { return respondsWith(name, dated, response("200 OK", headers, good)) }
	patience := 30 * time.Minute // five tries, each with a pause of five minutes
	return []attack{
		timed("Retry-After of a thousand years", patience, busy("Retry-After: 31536000000\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After of too many seconds", patience, busy("Retry-After: 99999999999999999999\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After in the year 9999", patience, busy("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After in the past", patience, busy("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"),
			blaze.CodeTooManyRequests),
		timed("503 without a word", patience, response("503 No", "", ""), blaze.ErrNoAnswer),
		timed("an error without a code", patience, ok(`{"error":{}}`), blaze.Code(0)),
		timed("an error with a huge code", patience, ok(`{"error":{"code":1e308,"status":-5}}`), blaze.Code(1<<31-1),
			blaze.Code(0), blaze.ErrNoAnswer),
		lies("a time in the year 2261", "X-Server-Time: 9200000000000000000\r\n"),
		lies("a time of more than 64 bits", "X-Server-Time: 253402300799000000000\r\n"),
		lies("a time before 1970", "X-Server-Time: -9200000000000000000\r\n"),
		lies("a time of words", "X-Server-Time: noon\r\n"),
		lies("a Date in the year 9999", "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
		{
			name: "two answers to one request",
			outcome: local(outcome{text: "the second answer is nobody's", check: func(r *run) {
				if r.err != nil {
					r.t.Errorf("the error is %v", short(r.err))
				}
			}}),
			arm: func(r *run) {
				r.http = onPath("/conversations", func(p *peer) {
					_ = p.Say(ok(good) + ok(`{"data":{"conversation_id":"evil"}}`))
				})
			},
			does: opens,
		},
		{
			name: "an answer before the next request",
			outcome: local(outcome{text: "the early answer is nobody's", check: func(r *run) {
				if r.err != nil {
					r.t.Errorf("the error is %v", short(r.err))
				}
			}}),
			arm: func(r *run) {
				r.http = onPath("/conversations", func(p *peer) {
					_ = p.Say(ok(good))
					time.Sleep(time.Second)
					_ = p.Say(ok(`{"data":{"conversation_id":"evil"}}`))
				})
			},
			does: func(r *run) {
				_, err := r.c.OpenConversation(r.ctx, alice)
				r.fails(err)
				time.Sleep(2 * time.Second)
				r.calm()
			},
		},
		{
			name:    "silence, and a caller with two seconds",
			outcome: local(failsWith("the error is that of the context", context.DeadlineExceeded)),
			arm:     func(r *run) { r.http = onPath("/conversations", func(p *peer) { <-closed(p) }) },
			does: func(r *run) {
				ctx, cancel := context.WithTimeout(r.ctx, 2*time.Second)
				defer cancel()
				_, err := r.c.OpenConversation(ctx, alice)
				r.fails(err)
				r.calm()
			},
		},
	}
}
