package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// silent is the outcome of a server that repeats a token. Every attack searches all errors and the log for secrets.
// This outcome also requires an error or a warning to search.
var silent = outcome{text: "errors and log contain no part of the token", check: func(r *run) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.errors) == 0 && r.book.warned() == 0 {
		r.t.Errorf("no error and no warning to search")
	}
}}

// place is a place in which a server repeats a token.
type place struct {
	name     string
	capacity int // bytes available for the secret end of a token; 0: enough
	arm      func(r *run, echo func(p *peer) string)
	bot      blaze.Handler // nil: it records messages
	does     func(r *run, echo func(p *peer) string)
}

func secretAttacks() (all []attack) {
	for _, at := range places() {
		for i, form := range forms {
			if i > 0 && !strings.HasSuffix(at.name, "*") {
				break // one form, and all forms in the largest places
			}
			echo := func(p *peer) string {
				token := strings.TrimPrefix(p.auth, "Bearer ")
				if at.capacity == 0 {
					return form.of(token)
				}
				text := form.of(token[max(0, len(token)-at.capacity):])
				return text[:min(len(text), at.capacity)]
			}
			a := attack{
				name:    fmt.Sprintf("the token, %s, in %s", form.name, strings.TrimSuffix(at.name, "*")),
				outcome: silent,
			}
			if at.bot != nil {
				a.handler = func(*run) blaze.Handler { return at.bot }
			}
			if at.arm != nil {
				a.arm = func(r *run) { at.arm(r, echo) }
			}
			if at.does != nil {
				a.does = func(r *run) { at.does(r, echo) }
			}
			all = append(all, a)
		}
	}
	return all
}

// quoted returns a JSON string.
func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

func places() []place {
	return append(append(handshakePlaces(), framePlaces()...), httpPlaces()...)
}

// handshakePlaces are in the response to the first handshake.
func handshakePlaces() []place {
	at := func(name string, answer func(echo string) string) place {
		return place{name: name, arm: func(r *run, echo func(*peer) string) {
			first := true
			r.handshake = func(p *peer) bool {
				if !first {
					return false
				}
				first = false
				_ = p.Say(answer(echo(p)))
				return true
			}
		}}
	}
	return []place{
		at("the status line of a handshake", func(s string) string { return response("503 "+s, "", "") }),
		at("the body of a handshake*", func(s string) string { return response("503 No", "", "you sent "+s) }),
		at("the description of a handshake*", func(s string) string {
			return response("403 No", "",
				`{"error":{"status":403,"code":403,"description":`+quoted(s)+`,"extra":{"a":`+quoted(s)+`}}}`)
		}),
		at("the protocol of a handshake*", func(s string) string { return s + " 200 OK\r\n\r\n" }),
		at("a header of a handshake without a colon", func(s string) string {
			return "HTTP/1.1 101 OK\r\n" + s + "\r\n\r\n"
		}),
		at("the Content-Length of a handshake", func(s string) string {
			return "HTTP/1.1 503 OK\r\nContent-Length: " + s + "\r\n\r\n"
		}),
		at("the Transfer-Encoding of a handshake", func(s string) string {
			return "HTTP/1.1 503 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n"
		}),
		at("the Location of a handshake", func(s string) string {
			return response("301 Moved", "Location: https://evil.test/"+s+"\r\n", "")
		}),
	}
}

// framePlaces are in frames.
func framePlaces() []place {
	frame := func(name string, capacity int, of func(echo string) []byte) place {
		return place{name: name, capacity: capacity, does: func(r *run, echo func(*peer) string) {
			p := r.peer()
			_ = p.Send(of(echo(p)))
		}}
	}
	reply := func(name string, rejection func(echo string) string) place {
		return place{
			name: name,
			arm: func(r *run, echo func(*peer) string) {
				r.request = func(p *peer, f wspeer.Request) bool {
					if f.Action != "CREATE_MESSAGE" {
						return false
					}
					_ = p.Send(wspeer.PackStored(fmt.Sprintf(`{"id":%q,"action":"CREATE_MESSAGE","error":%s}`, f.ID,
						rejection(echo(p)))))
					return true
				}
			},
			does: func(r *run, _ func(*peer) string) {
				_, err := r.c.Send(r.ctx, r.c.ToUser(alice, blaze.Text("hello")))
				r.fails(err)
			},
		}
	}
	category := frame("a category", 60, func(s string) []byte {
		return wspeer.PackStored(pushed(newID("category"), alice, s, []byte("x")))
	})
	category.bot = func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled } // this is logged
	return []place{
		category,
		frame("an ERROR frame*", 0, func(s string) []byte {
			text := `{"action":"ERROR","error":{"status":500,"code":7000,"description":` + quoted(s) + `}}`
			return wspeer.PackStored(text)
		}),
		frame("a close frame*", 120, func(s string) []byte { return wspeer.CloseFrame(4000, s) }),
		frame("an action", 0, func(s string) []byte {
			return wspeer.PackStored(`{"id":"1","action":` + quoted(s) + `,"error":{"code":500}}`)
		}),
		frame("the action of a broken frame", 0, func(s string) []byte {
			return wspeer.PackStored(`{"action":` + quoted(s) + `,"data":[}`)
		}),
		reply("the description of a rejection*", func(s string) string {
			return `{"status":202,"code":403,"description":` + quoted("no: "+s) + `}`
		}),
		reply("the details of a rejection", func(s string) string {
			return `{"status":202,"code":10002,"extra":{"reason":` + quoted(s) + `}}`
		}),
		reply("the name of a detail of a rejection", func(s string) string {
			return `{"status":202,"code":10002,"extra":{` + quoted(s) + `:1}}`
		}),
	}
}

// httpPlaces are in HTTP responses.
func httpPlaces() []place {
	at := func(name, path string, answer func(echo string) string, call func(r *run) error) place {
		return place{
			name: name,
			arm: func(r *run, echo func(*peer) string) {
				r.http = onPath(path, func(p *peer) { _ = p.Say(answer(echo(p))); _ = p.Conn.Close() })
			},
			does: func(r *run, _ func(*peer) string) {
				r.fails(call(r))
				r.calm()
			},
		}
	}
	open := func(r *run) error {
		_, err := r.c.OpenConversation(r.ctx, alice)
		return err
	}
	upload := func(r *run) error {
		_, err := r.c.Upload(r.ctx, strings.NewReader("file"), 4)
		return err
	}
	fetch := func(r *run) error {
		_, err := download(r, blaze.Attachment{ID: newID("file"), Size: 4})
		return err
	}
	const conversations = "/conversations"
	return []place{
		at("the status line of a response", conversations, func(s string) string {
			return response("503 "+s, "", "")
		}, open),
		at("the body of a response", conversations, func(s string) string { return ok("you sent " + s) }, open),
		at("the description of a response*", conversations, func(s string) string {
			return ok(`{"error":{"status":202,"code":403,"description":` + quoted("no: "+s) + `,"extra":{"a":` +
				quoted(s) + `}}}`)
		}, open),
		at("a header of a response", conversations, func(s string) string {
			return response("200 OK", "X-Request-Id: "+s+"\r\n", "{}")
		}, open),
		at("the Content-Length of a response", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: " + s + "\r\n\r\n"
		}, open),
		at("the Transfer-Encoding of a response", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n"
		}, open),
		at("the protocol of a response", conversations, func(s string) string { return s + " 200 OK\r\n\r\n" }, open),
		at("the Location of a response", conversations, func(s string) string {
			return response("302 Found", "Location: /"+s+"\r\n", "")
		}, open),
		at("a chunk of a response", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s + "\r\n"
		}, open),
		at("the URL of an upload", "/attachments", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "upload_url": "http://evil.test/" + s})
		}, upload),
		at("the URL of a file", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "gopher://" + s + "/"})
		}, fetch),
		at("an invalid URL", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "http://[::1" + s + "%zz"})
		}, fetch),
		at("the host of a file", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "https://" + s[len(s)-40:] +
				".test/x"})
		}, fetch),
	}
}
