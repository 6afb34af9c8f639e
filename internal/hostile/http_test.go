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

// noAnswer is the outcome of a request without a usable response.
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

// calm ends the attack and checks that the next request succeeds.
func (r *run) calm() {
	r.t.Helper()
	settle()
	r.http = nil
	if _, err := r.c.OpenConversation(r.ctx, alice); err != nil {
		r.t.Errorf("a request after the attack: %v", short(err))
	}
}

// responds returns the attack of a server with a special response to all requests for a conversation.
func responds(name string, o outcome, answer func(r *run, p *peer)) attack {
	return attack{
		name: name, outcome: local(o), does: opens,
		arm: func(r *run) { r.http = onPath("/conversations", func(p *peer) { answer(r, p) }) },
	}
}

// local adds a check to an outcome: the client connects to no other address.
func local(o outcome) outcome {
	check := o.check
	o.check = func(r *run) {
		check(r)
		if hosts := r.hosts(); len(hosts) != 1 || hosts[0] != "localhost:80" {
			r.t.Errorf("connections to %.300q", hosts)
		}
	}
	return o
}

// respondsWith is responds with a text, after which the server disconnects.
func respondsWith(name string, o outcome, text string) attack {
	return responds(name, o, func(_ *run, p *peer) { _ = p.Say(text); _ = p.Conn.Close() })
}

// mostBody is the bound of bytes read from a response: the client's limit, and buffers.
const mostBody = 4*mib + 256*kib

// respondsEndlessly is responds with an endless response. Each attempt reads at most this many bytes.
func respondsEndlessly(name, first, piece string, most int64) attack {
	piece = strings.Repeat(piece, max(1, 16*kib/len(piece)))
	o := outcome{text: "ErrNoAnswer; each attempt reads up to a limit", check: func(r *run) {
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
		respondsWith("an invalid chunk size", noAnswer, head+"Transfer-Encoding: chunked\r\n\r\nzz\r\nx"),
		respondsWith("a too large Content-Length", noAnswer, head+"Content-Length: 1000\r\n\r\n"+good),
		respondsWith("a Content-Length of 2^64", noAnswer, head+"Content-Length: 18446744073709551616\r\n\r\n"+good),
		respondsWith("two Content-Lengths", noAnswer, head+"Content-Length: 3\r\nContent-Length: 50\r\n\r\n"+good),
		respondsWith("a Content-Length and chunks", noAnswer,
			head+"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		respondsWith("a disconnect without a response", noAnswer, ""),
		respondsWith("HTTP/0.9", noAnswer, "hello"),
		responds("no response", noAnswer, func(_ *run, p *peer) { <-closed(p) }),
		responds("an endless body of a byte a second", noAnswer, func(_ *run, p *peer) {
			_ = p.Say(head + "Content-Length: 1000000\r\n\r\n")
			p.trickle([]byte(" "), time.Second, time.Hour)
			_ = p.Conn.Close()
		}),
		respondsWith("unrequested gzip", noAnswer,
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
		respondsWith("a response with another request id", noAnswer,
			response("200 OK", "X-Request-Id: other\r\n", good)),
	}
	return append(append(all, shapeAttacks(good)...), timingAttacks(good)...)
}

// shapeAttacks are useless responses with status 200. A response is a success only if it has the requested
// conversation.
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
		{"an id of a wrong type", `{"data":{"conversation_id":5}}`},
		{"an id of a megabyte", `{"data":{"conversation_id":"` + strings.Repeat("c", mib) + `"}}`},
		{"an error of type string", `{"error":"no"}`},
		{"an error of type list", `{"error":[1,2,3]}`},
		{"truncated JSON", good[:len(good)-2]},
		{"JSON followed by HTML", good + "<html>"},
		{"JSON nested a million times", `{"data":` + deep(1_000_000) + `}`},
		{"JSON nested 9,000 times", `{"data":` + deep(9_000) + `}`},
		{"a number of a million digits", `{"data":{"conversation_id":` + strings.Repeat("9", 1_000_000) + `}}`},
		{"a million fields", `{"data":{"a":1` + strings.Repeat(`,"conversation_id":0`, 200_000) + `}}`},
	} {
		all = append(all, respondsWith(v.name, noAnswer, ok(v.body)).bounded(32*mib, 256*mib))
	}
	return all
}

// timingAttacks are responses with a Retry-After or a time, and responses at the wrong time.
func timingAttacks(good string) []attack {
	const maxAttempts = 5
	within := func(most time.Duration, wanted ...error) outcome {
		return outcome{
			text: fmt.Sprintf("the request ends within %v, after at most %d attempts", most, maxAttempts),
			check: func(r *run) {
				if took := time.Duration(r.written); took > most {
					r.t.Errorf("it took %v", took)
				}
				expected := func(want error) bool { return errors.Is(r.err, want) }
				if r.err != nil && !slices.ContainsFunc(wanted, expected) {
					r.t.Errorf("the error is %v", short(r.err))
				}
				if n := len(r.called("/conversations")); n > maxAttempts+1 {
					r.t.Errorf("%d attempts", n)
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
	longest := 30 * time.Minute // five attempts, with a wait of five minutes after each
	return []attack{
		timed("Retry-After of a thousand years", longest, busy("Retry-After: 31536000000\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After of too many seconds", longest, busy("Retry-After: 99999999999999999999\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After in the year 9999", longest, busy("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
			blaze.CodeTooManyRequests),
		timed("Retry-After in the past", longest, busy("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"),
			blaze.CodeTooManyRequests),
		timed("503 without a body", longest, response("503 No", "", ""), blaze.ErrNoAnswer),
		timed("an error without a code", longest, ok(`{"error":{}}`), blaze.Code(0)),
		timed("an error with a huge code", longest, ok(`{"error":{"code":1e308,"status":-5}}`), blaze.Code(1<<31-1),
			blaze.Code(0), blaze.ErrNoAnswer),
		lies("a time in the year 2261", "X-Server-Time: 9200000000000000000\r\n"),
		lies("a time of more than 64 bits", "X-Server-Time: 253402300799000000000\r\n"),
		lies("a time before 1970", "X-Server-Time: -9200000000000000000\r\n"),
		lies("a time with text", "X-Server-Time: noon\r\n"),
		lies("a Date in the year 9999", "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
		{
			name: "two responses to one request",
			outcome: local(outcome{text: "the second response is discarded", check: func(r *run) {
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
			name: "a response before the next request",
			outcome: local(outcome{text: "the early response is discarded", check: func(r *run) {
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
			name:    "no response, and a caller with a timeout of two seconds",
			outcome: local(failsWith("the error is the context's", context.DeadlineExceeded)),
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
