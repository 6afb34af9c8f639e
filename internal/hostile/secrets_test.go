package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// silent is the outcome of a server that repeats the token that it got. Every attack looks for secrets in all errors
// and in the log; this one also wants an error or a warning to look into.
var silent = outcome{text: "no part of the token is in an error or in the log", check: func(r *run) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.errors) == 0 && r.book.warned() == 0 {
		r.t.Errorf("there is no error and no warning to look into")
	}
}}

// place is where a server repeats what it got.
type place struct {
	name string
	room int // bytes that it has for a token, of which the end is secret; 0: enough
	arm  func(r *run, echo func(p *peer) string)
	bot  blaze.Handler // nil: one that takes a note
	does func(r *run, echo func(p *peer) string)
}

func secretAttacks() (all []attack) {
	for _, at := range places() {
		for i, form := range forms {
			if i > 0 && !strings.HasSuffix(at.name, "*") {
				break // one form each, and all forms where there is most room
			}
			echo := func(p *peer) string {
				token := strings.TrimPrefix(p.auth, "Bearer ")
				if at.room == 0 {
					return form.of(token)
				}
				text := form.of(token[max(0, len(token)-at.room):])
				return text[:min(len(text), at.room)]
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

// handshakePlaces are in the answer to the first handshake.
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
		at("the body of a handshake*", func(s string) string { return response("503 No", "", "you said "+s) }),
		at("the description of a handshake*", func(s string) string {
			return response("403 No", "",
				`{"error":{"status":403,"code":403,"description":`+quoted(s)+`,"extra":{"a":`+quoted(s)+`}}}`)
		}),
		at("the protocol of a handshake*", func(s string) string { return s + " 200 OK\r\n\r\n" }),
		at("a header of a handshake without a colon", func(s string) string {
			return "HTTP/1.1 101 OK\r\n" + s + "\r\n\r\n"
		}),
		at("the length of a handshake", func(s string) string {
			return "HTTP/1.1 503 OK\r\nContent-Length: " + s + "\r\n\r\n"
		}),
		at("the encoding of a handshake", func(s string) string {
			return "HTTP/1.1 503 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n"
		}),
		at("the location of a handshake", func(s string) string {
			return response("301 Moved", "Location: https://evil.test/"+s+"\r\n", "")
		}),
	}
}

// framePlaces are on the websocket.
func framePlaces() []place {
	frame := func(name string, room int, of func(echo string) []byte) place {
		return place{name: name, room: room, does: func(r *run, echo func(*peer) string) {
			p := r.peer()
			_ = p.Send(of(echo(p)))
		}}
	}
	reply := func(name string, refusal func(echo string) string) place {
		return place{
			name: name,
			arm: func(r *run, echo func(*peer) string) {
				r.request = func(p *peer, f wspeer.Request) bool {
					if f.Action != "CREATE_MESSAGE" {
						return false
					}
					_ = p.Send(wspeer.PackStored(fmt.Sprintf(`{"id":%q,"action":"CREATE_MESSAGE","error":%s}`, f.ID,
						refusal(echo(p)))))
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
	category.bot = func(context.Context, *blaze.Message) error { return blaze.ErrNotHandled } // which is logged
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
		reply("the description of a refusal*", func(s string) string {
			return `{"status":202,"code":403,"description":` + quoted("no: "+s) + `}`
		}),
		reply("the details of a refusal", func(s string) string {
			return `{"status":202,"code":10002,"extra":{"reason":` + quoted(s) + `}}`
		}),
		reply("the name of a detail of a refusal", func(s string) string {
			return `{"status":202,"code":10002,"extra":{` + quoted(s) + `:1}}`
		}),
	}
}

// httpPlaces are in answers over HTTP.
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
		at("the status line of an answer", conversations, func(s string) string {
			return response("503 "+s, "", "")
		}, open),
		at("the body of an answer", conversations, func(s string) string { return ok("you said " + s) }, open),
		at("the description of an answer*", conversations, func(s string) string {
			return ok(`{"error":{"status":202,"code":403,"description":` + quoted("no: "+s) + `,"extra":{"a":` +
				quoted(s) + `}}}`)
		}, open),
		at("a header of an answer", conversations, func(s string) string {
			return response("200 OK", "X-Request-Id: "+s+"\r\n", "{}")
		}, open),
		at("the length of an answer", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: " + s + "\r\n\r\n"
		}, open),
		at("the encoding of an answer", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + s + "\r\n\r\n"
		}, open),
		at("the protocol of an answer", conversations, func(s string) string { return s + " 200 OK\r\n\r\n" }, open),
		at("the location of an answer", conversations, func(s string) string {
			return response("302 Found", "Location: /"+s+"\r\n", "")
		}, open),
		at("a chunk of an answer", conversations, func(s string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s + "\r\n"
		}, open),
		at("the address of an upload", "/attachments", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "upload_url": "http://evil.test/" + s})
		}, upload),
		at("the address of a file", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "gopher://" + s + "/"})
		}, fetch),
		at("an address that is none", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "http://[::1" + s + "%zz"})
		}, fetch),
		at("the host of a file", "/attachments/", func(s string) string {
			return data(map[string]any{"attachment_id": newID("file"), "view_url": "https://" + s[len(s)-40:] +
				".test/x"})
		}, fetch),
	}
}
