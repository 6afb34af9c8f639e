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

// seed is the bot's private key. It must not appear in errors and logs.
var seed = func() string {
	sum := sha256.Sum256([]byte("the key of the bot that is attacked"))
	return hex.EncodeToString(sum[:])
}()

// run is one attack, with its server and Client.
type run struct {
	*server
	t     *testing.T
	a     *attack
	bytes []byte // result of attack.bytes
	c     *blaze.Client
	book  *logbook
	meter *meter
	ctx   context.Context

	// Results of the attack, for its outcome.
	err     error
	file    []byte
	written int64
	number  int
	gate    chan struct{} // blocks handlers until it is closed

	born   time.Time
	cancel context.CancelFunc
	ended  chan struct{}
	runErr error // valid after ended is closed

	lock   sync.Mutex
	got    []*blaze.Message
	errors []error // searched for secrets
}

// begin starts a server and a Client and waits until the Client is connected.
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
	handler := blaze.Handler(r.record)
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

// trace collects errors of the Client, but not those of handlers, which are the bot's.
func (r *run) trace() *blaze.Trace {
	return &blaze.Trace{Disconnected: func(err error, _ time.Duration) { r.saw(err) }}
}

// saw records up to a thousand errors.
func (r *run) saw(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if err != nil && len(r.errors) < 1000 {
		r.errors = append(r.errors, err)
	}
}

// fails records the error of the call under attack.
func (r *run) fails(err error) {
	r.err = err
	r.saw(err)
}

// record is a handler that records messages.
func (r *run) record(_ context.Context, m *blaze.Message) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if raw, is := m.Payload.(blaze.Raw); is && raw.Err != nil {
		r.errors = append(r.errors, raw.Err)
	}
	r.got = append(r.got, m)
	return nil
}

// message returns a handled message, or nil.
func (r *run) message(id string) *blaze.Message {
	r.lock.Lock()
	defer r.lock.Unlock()
	i := slices.IndexFunc(r.got, func(m *blaze.Message) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return r.got[i]
}

// peer waits for a websocket and returns the newest.
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

// finish checks that the Client still works, or waits for Run to return if the outcome requires that.
func (r *run) finish() {
	r.t.Helper()
	if r.a.outcome.ends {
		if !eventually(r.over) {
			r.t.Errorf("Run has not returned")
		}
		return
	}
	id := newID("honest")
	r.deliver(id, wspeer.PackStored(pushed(id, alice, "PLAIN_TEXT", []byte("honest"))))
	if !eventually(func() bool { return r.ack(id) != "" || r.over() }) || r.over() {
		r.t.Errorf("a message after the attack is not acknowledged; Run has returned: %v", r.over())
	}
	if r.a.handler == nil && r.message(id) == nil {
		r.t.Errorf("a message after the attack is not handled")
	}
}

// close ends the Client and the server. It checks that no goroutine is left and no secret was printed.
func (r *run) close() {
	r.t.Helper()
	r.cancel()
	if !eventually(r.over) {
		r.t.Errorf("Run has not returned after its context")
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

// mostGoroutines counts the goroutines of the test: main, the table, the area, the attack, the bubble, and the meter.
const mostGoroutines = 8

func settle() { synctest.Wait() }

// newID returns an id that is derived from name.
func newID(name string) string { return blaze.DeriveID("hostile", name) }

// pushed returns the JSON of a pushed message.
func pushed(id, user, category string, payload []byte) string {
	return pushedWith(id, user, category, payload, nil)
}

// pushedWith is pushed with more fields, which override the others.
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

// encryptedForBot returns a payload of a user, encrypted for the bot.
func encryptedForBot(user string, payload []byte) []byte {
	bot, err := auth.New(botID, sessionID, seed)
	if err != nil {
		panic(err)
	}
	encrypted, err := seal.Seal(signerOf(user), []seal.Session{{ID: sessionID, Public: bot.Public()}}, payload)
	if err != nil {
		panic(err)
	}
	return encrypted
}

// failsWith returns the outcome of a call that ends with one of the errors.
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
