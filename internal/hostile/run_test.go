package hostile

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/testkit"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// The bot and a user.
const (
	botID     = "b0700000-0000-4000-8000-000000000001"
	sessionID = "b0700000-0000-4000-8000-000000000002"
	alice     = "a11ce000-0000-4000-8000-000000000001"
)

// seed is the bot's key, and what no error and no log may hold.
var seed = func() string {
	sum := sha256.Sum256([]byte("the key of the bot that is attacked"))
	return hex.EncodeToString(sum[:])
}()

// run is one attack: the server, the Client, and what became of it.
type run struct {
	*server
	t     *testing.T
	a     *attack
	bytes []byte // what attack.bytes made
	c     *blaze.Client
	book  *logbook
	meter *meter
	ctx   context.Context

	// What the attack notes for its outcome.
	err     error
	file    []byte
	written int64
	number  int
	gate    chan struct{} // that the bot waits for

	born   time.Time
	cancel context.CancelFunc
	ended  chan struct{}
	runErr error // valid once ended is closed

	lock   sync.Mutex
	got    []*blaze.Message
	errors []error // that were seen, for the search for secrets
}

// begin starts a server and a Client, and waits until they are connected.
func begin(t *testing.T, a *attack, bytes []byte, book *logbook) *run {
	t.Helper()
	r := &run{server: newServer(), t: t, a: a, bytes: bytes, book: book, ended: make(chan struct{}), born: time.Now()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	cfg := blaze.Config{
		Endpoints: []string{"ws://localhost/"}, API: "http://localhost", DialContext: r.dial, Logger: slog.New(book),
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }, Trace: r.trace(),
	}
	if a.config != nil {
		a.config(&cfg)
	}
	if a.arm != nil {
		a.arm(r)
	}
	key := blaze.Keystore{AppID: botID, SessionID: sessionID, SessionPrivateKey: seed}
	c, err := blaze.New(key, &cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	r.c = c
	handler := blaze.Handler(r.take)
	if a.handler != nil {
		handler = a.handler(r)
	}
	go func() {
		defer close(r.ended)
		r.runErr = c.Run(r.ctx, handler)
	}()
	settle()
	return r
}

// trace collects errors of the Client. Those of handlers say what the bot says.
func (r *run) trace() *blaze.Trace {
	return &blaze.Trace{Disconnected: func(err error, _ time.Duration) { r.saw(err) }}
}

// saw keeps an error of the Client, of the first thousand.
func (r *run) saw(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if err != nil && len(r.errors) < 1000 {
		r.errors = append(r.errors, err)
	}
}

// fails notes the error of the call that an attack is about.
func (r *run) fails(err error) {
	r.err = err
	r.saw(err)
}

// take is the handler of a bot that notes what it gets.
func (r *run) take(_ context.Context, m *blaze.Message) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if raw, is := m.Payload.(blaze.Raw); is && raw.Err != nil {
		r.errors = append(r.errors, raw.Err)
	}
	r.got = append(r.got, m)
	return nil
}

// message returns what was handled of a message, or nil.
func (r *run) message(id string) *blaze.Message {
	r.lock.Lock()
	defer r.lock.Unlock()
	i := slices.IndexFunc(r.got, func(m *blaze.Message) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return r.got[i]
}

// peer waits for the newest websocket, and returns it.
func (r *run) peer() *peer {
	eventually(func() bool { return r.links() > 0 })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}

// over reports whether Run has ended.
func (r *run) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// finish checks that the Client still works, or waits for the end that was promised.
func (r *run) finish() {
	r.t.Helper()
	if r.a.outcome.ends {
		if !eventually(r.over) {
			r.t.Errorf("Run goes on")
		}
		return
	}
	id := newID("honest")
	r.deliver(id, wspeer.PackStored(pushed(id, alice, "PLAIN_TEXT", []byte("honest"))))
	if !eventually(func() bool { return r.ack(id) != "" || r.over() }) || r.over() {
		r.t.Errorf("a message after the attack is not acknowledged; Run over: %v", r.over())
	}
	if r.a.handler == nil && r.message(id) == nil {
		r.t.Errorf("a message after the attack is not handled")
	}
}

// close ends the Client and the server, and checks that nothing is left of them and that no secret came out.
func (r *run) close() {
	r.t.Helper()
	r.cancel()
	if !eventually(r.over) {
		r.t.Errorf("Run does not end")
		r.cut()
	}
	<-r.ended
	r.saw(r.runErr)
	if r.runErr != nil && !r.a.outcome.ends {
		r.t.Errorf("Run: %v", r.runErr)
	}
	r.c.CloseIdleConnections()
	r.server.close()
	settle()
	r.look()
	testkit.Goroutines(r.t, mostGoroutines)
}

// mostGoroutines are those of the test itself: main, the table, the area, the attack, the bubble, and the meter.
const mostGoroutines = 8

func settle() { synctest.Wait() }

// newID returns an id that depends on the name alone.
func newID(name string) string { return blaze.DeriveID("hostile", name) }

// pushed returns the frame of a message.
func pushed(id, user, category string, payload []byte) string {
	return pushedWith(id, user, category, payload, nil)
}

// pushedWith is pushed with other fields.
func pushedWith(id, user, category string, payload []byte, fields map[string]any) string {
	v := map[string]any{
		"type": "message", "message_id": id, "conversation_id": blaze.ConversationID(botID, user), "user_id": user,
		"category": category, "data": base64.StdEncoding.EncodeToString(payload), "status": "SENT",
		"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z", "source": "LIST_PENDING_MESSAGES",
	}
	for key, value := range fields {
		v[key] = value
	}
	text, _ := json.Marshal(map[string]any{"id": newID("frame of " + id), "action": "CREATE_MESSAGE", "data": v})
	return string(text)
}

// signerOf returns the session of a user.
func signerOf(user string) *auth.Signer {
	sum := sha256.Sum256([]byte(user))
	s, err := auth.New(user, newID("session of "+user), hex.EncodeToString(sum[:]))
	if err != nil {
		panic(err)
	}
	return s
}

// sealedForBot encrypts what a user says for the bot.
func sealedForBot(user string, payload []byte) []byte {
	bot, err := auth.New(botID, sessionID, seed)
	if err != nil {
		panic(err)
	}
	sealed, err := seal.Seal(signerOf(user), []seal.Session{{ID: sessionID, Public: bot.Public()}}, payload)
	if err != nil {
		panic(err)
	}
	return sealed
}

// failsWith returns the outcome of a call that ends with one of these errors.
func failsWith(text string, wanted ...error) outcome {
	return outcome{text: text, check: func(r *run) {
		if !slices.ContainsFunc(wanted, func(want error) bool { return errors.Is(r.err, want) }) {
			r.t.Errorf("the error is %v", short(r.err))
		}
	}}
}

func short(err error) string {
	s := fmt.Sprint(err)
	return s[:min(len(s), 300)]
}
