package hostile

import (
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// again is the outcome of a failed handshake: the client makes another one.
var again = outcome{text: "another handshake with the same endpoint, and no other connection", check: func(r *run) {
	if n := len(r.called("/")); n < 2 {
		r.t.Errorf("%d handshakes", n)
	}
	if hosts := r.hosts(); len(hosts) != 1 || hosts[0] != "localhost:80" {
		r.t.Errorf("connections to %v", hosts)
	}
}}

// mostHandshake is the bound of bytes read from a handshake: the client's limit of 1 MiB, and a buffer.
const mostHandshake = mib + 64*kib

// handshakes returns the attack of a server that responds to the first handshake, and disconnects when answer has
// returned.
func handshakes(name string, o outcome, answer func(r *run, p *peer)) attack {
	return attack{name: name, outcome: o, arm: func(r *run) {
		first := true
		r.handshake = func(p *peer) bool {
			if !first {
				return false
			}
			first = false
			answer(r, p)
			return true
		}
	}}
}

// handshakesWith is handshakes with a text as the response.
func handshakesWith(name, text string) attack {
	return handshakes(name, again, func(_ *run, p *peer) { _ = p.Say(text) })
}

// accepts is handshakes with an edited response that accepts the websocket.
func accepts(name string, edit func(lines []string) []string) attack {
	return handshakes(name, again, func(r *run, p *peer) { _ = p.Say(p.upgrade(edit)); <-closed(p) })
}

// closed returns a channel that is closed when the client has disconnected.
func closed(p *peer) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := p.In.ReadByte(); err != nil {
				return
			}
		}
	}()
	return done
}

// handshakesEndlessly is handshakes with an endless response. The client stops reading at a limit.
func handshakesEndlessly(name, first, piece string, most int64) attack {
	piece = strings.Repeat(piece, max(1, 16*kib/len(piece)))
	o := outcome{text: "reading stops at the limit of a handshake", check: func(r *run) {
		again.check(r)
		if r.written > most {
			r.t.Errorf("%d bytes were read", r.written)
		}
	}}
	return handshakes(name, o, func(r *run, p *peer) {
		_ = p.Say(first)
		r.written = p.repeat([]byte(piece), 1<<30)
	})
}

// replace returns a function that replaces the line with a prefix.
func replace(name, with string) func(lines []string) []string {
	return func(lines []string) []string {
		for i, line := range lines {
			if strings.HasPrefix(line, name) {
				lines[i] = with
			}
		}
		return lines
	}
}

func add(more ...string) func(lines []string) []string {
	return func(lines []string) []string { return append(lines, more...) }
}

func handshakeAttacks() []attack {
	const status = "HTTP/1.1 101 Switching Protocols\r\n"
	long := strings.Repeat("word ", 20_000)
	all := []attack{
		handshakesWith("a disconnect without a response", ""),
		handshakes("no response", again, func(_ *run, p *peer) { <-closed(p) }),
		handshakesWith("200", ok("{}")),
		handshakesWith("204", "HTTP/1.1 204 No Content\r\n\r\n"),
		handshakesWith("status 999", response("999 Odd", "", "")),
		handshakesWith("status 099", response("099 Odd", "", "")),
		handshakesWith("a captive portal",
			response("200 OK", "Content-Type: text/html\r\n", "<html>log in to the WiFi</html>")),
		handshakesWith("301 to another host", response("301 Moved", "Location: https://evil.test/\r\n", "")),
		handshakesWith("307 to another host", response("307 Moved", "Location: ws://evil.test/\r\n", "")),
		handshakesWith("308 to this machine", response("308 Moved", "Location: http://127.0.0.1:22/\r\n", "")),
		handshakesWith("500 with a long body", response("500 Oops", "", long)),
		handshakesWith("a body with escape sequences", response("500 Oops", "", "\x1b[2J\x1b]0;x\x07\r\nlevel=ERROR")),
		handshakesWith("a rejection with a list of errors", response("400 Bad", "", `{"error":[`+long)),
		handshakesWith("a rejection nested 9,000 times",
			response("400 Bad", "", `{"error":{"code":1,"extra":`+deep(9000)+`}}`)),
		handshakesWith("HTTP/0.9", "<html>hello</html>"),
		handshakesWith("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		handshakesWith("SSH", "SSH-2.0-OpenSSH_9.9\r\n"),
		handshakesWith("bytes of TLS", "\x15\x03\x01\x00\x02\x02\x28"),
		handshakesWith("a status line with escape sequences",
			"HTTP/1.1 503 \x1b[31m\u202eno\r\nContent-Length: 0\r\n\r\n"),
		handshakesWith("a status line of 100 KB", "HTTP/1.1 503 "+long+"\r\n\r\n"),
		handshakesWith("a false Content-Length", "HTTP/1.1 503 No\r\nContent-Length: 99999999999\r\n\r\nshort"),
		handshakesWith("two Content-Lengths", "HTTP/1.1 503 No\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc"),
		handshakesWith("a negative Content-Length", "HTTP/1.1 503 No\r\nContent-Length: -5\r\n\r\nabc"),
		handshakesWith("a header without a colon", status+"Upgrade websocket\r\n\r\n"),
		accepts("101 with a wrong accept",
			replace("Sec-WebSocket-Accept", "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
		accepts("101 without an accept", replace("Sec-WebSocket-Accept", "X-None: 1")),
		accepts("101 without an upgrade", replace("Upgrade", "X-None: 1")),
		accepts("101 with another upgrade", replace("Upgrade", "Upgrade: h2c")),
		accepts("101 without a connection", replace("Connection", "Connection: close")),
		accepts("unrequested compression", add("Sec-WebSocket-Extensions: permessage-deflate")),
		accepts("an unknown extension", add("Sec-WebSocket-Extensions: x-hologram; a=b")),
		accepts("an unrequested subprotocol",
			replace("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: Evil-1")),
		handshakes("invalid frames directly after the acceptance", again, func(_ *run, p *peer) {
			_ = p.Say(p.upgrade(nil) + strings.Repeat("\xff", 10_000))
		}),
		handshakes("a close frame directly after the acceptance", again, func(_ *run, p *peer) {
			_ = p.Say(p.upgrade(nil) + string(wspeer.CloseFrame(1002, "no")))
		}),
		handshakes("a header a second, for an hour", again, func(_ *run, p *peer) {
			_ = p.Say(status)
			p.trickle([]byte("X-A: b\r\n"), time.Second, time.Hour)
		}),
		handshakes("a byte a second, for an hour", again, func(_ *run, p *peer) {
			p.trickle([]byte("H"), time.Second, time.Hour)
		}),
		handshakes("a body of a byte a second, for an hour", again, func(_ *run, p *peer) {
			_ = p.Say("HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\n")
			p.trickle([]byte("x"), time.Second, time.Hour)
		}),
		handshakesEndlessly("a status line without end", "HTTP/1.1 101 ", "x", mostHandshake),
		handshakesEndlessly("a header without end", status+"X-Filler: ", "x", mostHandshake),
		handshakesEndlessly("headers without end", status, "X-Filler: word\r\n", mostHandshake),
		handshakesEndlessly("continuations of a header without end", status+"X-Filler: a\r\n", " b\r\n", mostHandshake),
		handshakesEndlessly("100 Continue without end", "", "HTTP/1.1 100 Continue\r\n\r\n", mostHandshake),
		handshakesEndlessly("103 Early Hints without end", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
			mostHandshake),
		handshakesEndlessly("a rejection with a body without end", "HTTP/1.1 503 No\r\n\r\n", "body ", mostHandshake),
		handshakesEndlessly("a rejection with chunks without end",
			"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n",
			"1\r\nx\r\n", mostHandshake),
	}
	return append(all, sessionAttacks()...)
}

// sessionAttacks are responses to the handshake with statements about the session, the clock or the rate limit.
func sessionAttacks() []attack {
	rejection := func(headers string) string {
		return response("401 Unauthorized", headers, `{"error":{"status":401,"code":401,"description":"Unauthorized"}}`)
	}
	always := func(handshake, me string) func(r *run) {
		return func(r *run) {
			r.handshake = func(p *peer) bool { _ = p.Say(handshake); return true }
			r.http = onPath("/me", func(p *peer) { _ = p.Say(me) })
		}
	}
	soon := func(most time.Duration) outcome {
		return outcome{text: "the next handshake comes within " + most.String(), check: func(r *run) {
			again.check(r)
			if took := time.Duration(r.written); took > most {
				r.t.Errorf("it took %v", took)
			}
		}}
	}
	waits := func(name, headers string, most time.Duration) attack {
		a := handshakes(name, soon(most), func(r *run, p *peer) { _ = p.Say(response("503 Busy", headers, "")) })
		a.does = func(r *run) {
			began := time.Now()
			r.peer()
			r.written = int64(time.Since(began))
		}
		return a
	}
	// A Retry-After counts up to 5 minutes. The connection itself may take another minute.
	const longest = 6 * time.Minute
	year9999 := "X-Server-Time: 253402300799000000000\r\n" // more than 64 bits
	year2261 := "X-Server-Time: 9200000000000000000\r\n"
	all := []attack{
		{
			name: "401, and 401 for GET /me", arm: always(rejection(""), rejection("")),
			outcome: endsWith("Run ends with CodeUnauthorized", blaze.CodeUnauthorized),
		},
		{
			name: "401, with a false Date",
			arm: always(rejection("Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
				rejection("Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n")),
			outcome: endsWith("Run ends with CodeUnauthorized, not ErrClockSkew", blaze.CodeUnauthorized),
		},
		{
			name: "10006", arm: always(response("202 Accepted", "", `{"error":{"status":202,"code":10006}}`), ""),
			outcome: endsWith("Run ends with CodeUpdateRequired", blaze.CodeUpdateRequired),
		},
		handshakes("401 once, and GET /me succeeds", again, func(_ *run, p *peer) { _ = p.Say(rejection("")) }),
		handshakes("401 in the year 9999", dated, func(_ *run, p *peer) { _ = p.Say(rejection(year9999)) }),
		handshakes("401 in the year 2261", dated, func(_ *run, p *peer) { _ = p.Say(rejection(year2261)) }),
		handshakes("101 in the year 2261", dated, func(r *run, p *peer) {
			_ = p.Say(p.upgrade(add(strings.TrimSpace(year2261))))
			r.frames(p)
		}),
		handshakes("401 before 1970", dated, func(_ *run, p *peer) {
			_ = p.Say(rejection("X-Server-Time: -99999999999999999999\r\n"))
		}),
		handshakes("101 in the year 9999", dated, func(r *run, p *peer) {
			_ = p.Say(p.upgrade(add(strings.TrimSpace(year9999))))
			r.frames(p)
		}),
		waits("Retry-After of a thousand years", "Retry-After: 31536000000\r\n", longest),
		waits("Retry-After of more than 64 bits", "Retry-After: 99999999999999999999999999\r\n", longest),
		waits("Retry-After in the year 9999", year9999+"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n", longest),
		waits("Retry-After in the year 2262, of a server in 2261",
			year2261+"Retry-After: Fri, 31 Dec 2262 23:59:59 GMT\r\n", longest),
		waits("a negative Retry-After", "Retry-After: -5\r\n", time.Minute),
		waits("a Retry-After with text", "Retry-After: soon\r\n", time.Minute),
	}
	return all
}
