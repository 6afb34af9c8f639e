package hostile

import (
	"fmt"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// query is a request for profiles, or a Call.
type query struct {
	name, path string
	do         func(r *run) error
}

var queries = []query{
	{"Me", "/me", func(r *run) error { _, err := r.c.Me(r.ctx); return err }},
	{"User", "/users/" + alice, func(r *run) error { _, err := r.c.User(r.ctx, alice); return err }},
	{"Users", "/users/fetch", func(r *run) error { _, err := r.c.Users(r.ctx, alice, botID); return err }},
	{"Call", "/things", func(r *run) error {
		var things []struct {
			ID string `json:"user_id"`
		}
		return r.c.Call(r.ctx, "GET", "/things?secret=x", nil, &things)
	}},
}

// gets returns the attack of a server with a special response to all requests of a query.
func (q query) gets(name string, o outcome, text string) attack {
	return attack{
		name: q.name + " gets " + name, outcome: local(o),
		arm: func(r *run) {
			r.http = onPath(q.path, func(p *peer) { _ = p.Say(text); _ = p.Conn.Close() })
		},
		does: func(r *run) {
			r.fails(q.do(r))
			r.calm()
		},
	}.bounded(32*mib, 256*mib)
}

// failing is the outcome of a request that fails with any error.
var failing = outcome{text: "the call fails, and the next request works", check: func(r *run) {
	if r.err == nil {
		r.t.Errorf("the call has succeeded")
	}
}}

// peopleAttacks are responses to requests for profiles and to Call, and texts with mentions.
func peopleAttacks() (all []attack) {
	for _, q := range queries {
		for _, v := range []struct{ name, body string }{
			{"an empty body", ""},
			{"a page of a captive portal", "<html><body>log in to the WiFi</body></html>"},
			{"nothing", `{}`},
			{"data that is text", `{"data":"log in to the WiFi"}`},
			{"data that is a number", `{"data":5}`},
			{"JSON nested a million times", `{"data":` + deep(1_000_000) + `}`},
			{"a list of odd profiles", `{"data":[5,"x",[],{"user_id":[]}]}`},
			{"a response of 5 MiB", `{"data":[` + strings.Repeat(" ", 5*mib) + `]}`},
			{"truncated JSON", `{"data":[{"user_id":"` + alice},
		} {
			all = append(all, q.gets(v.name, failing, ok(v.body)))
		}
		all = append(all, q.gets("301 to another host", noAnswer,
			response("301 Moved", "Location: https://evil.test/\r\n", "")))
	}
	other := `{"data":{"user_id":"` + newID("other") + `","identity_number":"7000101488"}}`
	all = append(all, queries[0].gets("the profile of another", noAnswer, ok(other)),
		queries[1].gets("the profile of another", noAnswer, ok(other)),
		crowd(), hugeProfile(), forgedName(), mentions())
	return all
}

// crowd is a list of profiles that nobody requested.
func crowd() attack {
	var list strings.Builder
	for i := range 50_000 {
		_, _ = fmt.Fprintf(&list, `{"user_id":"%s"},`, newID(fmt.Sprint(i)))
	}
	o := outcome{text: "the others are ignored", check: func(r *run) {
		if r.err != nil {
			r.t.Errorf("the error is %v", short(r.err))
		}
	}}
	return queries[2].gets("50,000 profiles of others", o, ok(`{"data":[`+list.String()+`{"user_id":"`+alice+`"}]}`))
}

// hugeProfile is the bot's profile with texts of a megabyte. Me keeps it for life.
func hugeProfile() attack {
	long := `"` + strings.Repeat("x", mib) + `"`
	body := fmt.Sprintf(`{"data":{"user_id":%q,"identity_number":"7000",`+
		`"full_name":%s,"biography":%s,"avatar_url":%s}}`, botID, long, long, long)
	o := outcome{text: "long texts are empty", check: func(r *run) {
		me, err := r.c.Me(r.ctx)
		if err != nil || me != (blaze.User{ID: botID, IdentityNumber: "7000"}) {
			r.t.Errorf("a profile with %d bytes of the name, error %v", len(me.FullName), short(err))
		}
	}}
	return queries[0].gets("texts of a megabyte", o, ok(body))
}

// forgedName is a name with the text of a log record and a private key.
func forgedName() attack {
	body := fmt.Sprintf(`{"data":{"user_id":%q,"identity_number":"7000",`+
		`"full_name":"x\nlevel=ERROR msg=forged %s"}}`, botID, seed)
	o := outcome{text: "the name is logged in one line, without the key", check: func(r *run) {
		if text := r.book.String(); !strings.Contains(text, "blaze: connected as") {
			r.t.Errorf("the log is %.300q", text) // every run checks its lines
		}
	}}
	a := queries[0].gets("a forged log record", o, ok(body))
	a.does = (*run).calm
	return a
}

// mentions is a text with 150,000 mentions.
func mentions() attack {
	id := newID("mentions")
	return attack{
		name:  "a text with 150,000 mentions",
		bytes: func() []byte { return []byte(strings.Repeat("@7000 @7001 ", 75_000)) },
		does: func(r *run) {
			r.deliver(id, wspeer.PackStored(pushed(id, alice, "PLAIN_TEXT", r.bytes)))
			eventually(func() bool { return r.ack(id) != "" })
		},
		outcome: outcome{text: "the first 256 mentions are read", check: func(r *run) {
			if m := r.message(id); m == nil || len(m.Mentions) != 2 {
				r.t.Errorf("the message is %v", m)
			}
		}},
	}.bounded(32*mib, 64*mib)
}
