package blaze_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// rig is a bot with a server in memory, and records of its hooks, its log and its frames. It is used in a bubble of
// testing/synctest.
type rig struct {
	*blazetest.Server // nil against a rawServer
	*blaze.Client
	t      *testing.T
	log    *logbook
	cancel context.CancelFunc
	ended  chan error

	connects, disconnects, waits, failures, drops diary
	written                                       frames
}

var (
	newServer        = testkit.NewServer
	newServerOn      = testkit.NewServerOn
	hangingDial      = testkit.HangingDial
	bubble           = testkit.Bubble
	assertGoroutines = testkit.Goroutines
)

// run starts a bot. At the end of the test it stops the bot, unless the test did, and requires that Run returns nil.
func run(t *testing.T, h blaze.Handler, edit func(*blaze.Config)) *rig {
	t.Helper()
	r := prepare(t, edit)
	r.start(t.Context(), h)
	return r
}

// begin is run for a handler that uses its client. bot returns the handler.
func begin(
	t *testing.T, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config),
) (*blazetest.Server, *blaze.Client) {
	t.Helper()
	r := prepare(t, edit)
	var h blaze.Handler
	if bot != nil {
		h = bot(r.Client)
	}
	r.start(t.Context(), h)
	return r.Server, r.Client
}

// prepare returns a rig with a client that does not run.
func prepare(t *testing.T, edit func(*blaze.Config)) *rig {
	t.Helper()
	s := newServer()
	s.Errorf = t.Errorf
	t.Cleanup(s.Close)
	return prepareFor(t, s, edit)
}

// prepareFor is prepare with an existing server.
func prepareFor(t *testing.T, s *blazetest.Server, edit func(*blaze.Config)) *rig {
	t.Helper()
	r := prepareWith(t, s.Key, s.Config, edit)
	r.Server = s
	return r
}

// prepareWith is prepare without a blazetest.Server.
func prepareWith(t *testing.T, key blaze.Keystore, cfg blaze.Config, edit func(*blaze.Config)) *rig {
	t.Helper()
	r := &rig{t: t, log: new(logbook)}
	cfg.Logger = slog.New(r.log)
	cfg.Trace = r.trace()
	r.Client = newClient(t, key, cfg, edit)
	return r
}

func newClient(t *testing.T, key blaze.Keystore, cfg blaze.Config, edit func(*blaze.Config)) *blaze.Client {
	t.Helper()
	if edit != nil {
		edit(&cfg)
	}
	c, err := blaze.New(key, &cfg)
	require.NoError(t, err)
	blaze.Introduce(c) // so that Run makes no HTTP request of its own, which tests would have to count
	return c
}

func (r *rig) trace() *blaze.Trace {
	return &blaze.Trace{
		Connected: func(endpoint string) { r.connects.add("%s", endpoint) },
		Disconnected: func(err error, retryIn time.Duration) {
			r.disconnects.add("%v", err)
			r.waits.add("%v", retryIn)
		},
		FrameWritten: r.written.add,
		HandlerError: func(m *blaze.Message, err error) { r.failures.add("%s: %v", m.ID, err) },
		Dropped:      func(m *blaze.Message, err error) { r.drops.add("%s: %v", m.ID, err) },
	}
}

func (r *rig) start(ctx context.Context, h blaze.Handler) {
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.Run(ctx, h) }()
	r.t.Cleanup(func() {
		if r.ended != nil {
			require.NoError(r.t, r.stop())
		}
	})
}

// stop ends the context of Run and returns the error of Run.
func (r *rig) stop() error {
	r.cancel()
	return r.wait()
}

// wait waits until Run returns, at most a day, and returns its error.
func (r *rig) wait() error {
	late := time.AfterFunc(24*time.Hour, func() {
		assert.Fail(r.t, "Run has not returned")
		r.cancel()
	})
	defer late.Stop()
	err := <-r.ended
	r.ended = nil
	r.cancel()
	return err
}

// say delivers a text from a user in the conversation with the bot. It returns the message id.
func (r *rig) say(user, text string) string {
	return r.Deliver(userID(user), blaze.Outgoing{Payload: blaze.Text(text)})
}

// idle waits until everything delivered is acknowledged and the client has read the confirmations.
func (r *rig) idle() {
	r.t.Helper()
	testkit.Idle(r.t, r.Server)
	synctest.Wait()
}

// diary is a testkit.Diary with the names of this package.
type diary struct{ testkit.Diary }

func (d *diary) add(format string, args ...any) { d.Add(format, args...) }
func (d *diary) all() []string                  { return d.All() }
func (d *diary) len() int                       { return len(d.All()) }

// durations parses the lines as durations.
func (d *diary) durations(t *testing.T) (all []time.Duration) {
	t.Helper()
	for _, line := range d.all() {
		one, err := time.ParseDuration(line)
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// texts returns a handler that records the texts of messages.
func (d *diary) texts() blaze.Handler {
	return func(_ context.Context, m *blaze.Message) error {
		d.add("%v", textOf(m))
		return nil
	}
}

func textOf(m *blaze.Message) string {
	t, _ := m.Payload.(blaze.Text)
	return string(t)
}

// logbook is a testkit.Log with the names of this package.
type logbook struct{ testkit.Log }

func (l *logbook) all() []string { return l.All() }
func (l *logbook) len() int      { return len(l.All()) }

// count returns the number of records of a level that contain a text.
func (l *logbook) count(level slog.Level, text string) int {
	return l.Count("level="+level.String()+" ", text)
}

// ledger is a testkit.Ledger that may know ids from an earlier process.
type ledger struct {
	testkit.Ledger
	known map[string]bool
}

func (l *ledger) Handled(ctx context.Context, id string) (bool, error) {
	if l.known[id] {
		return true, nil
	}
	return l.Ledger.Handled(ctx, id)
}

func (l *ledger) all() []string { return l.All() }

// keyOf returns a keystore of the bot with an id.
func keyOf(appID string) blaze.Keystore {
	return blaze.Keystore{AppID: appID, SessionID: userB, SessionPrivateKey: strings.Repeat("4b", 32)}
}

// userID returns the id of a virtual user.
func userID(name string) string { return blazetest.UserID(name) }

// always replaces the server's response to every request with an action.
func always(s *blazetest.Server, action string, answer blazetest.Answer) {
	testkit.Always(s, action, testkit.Answer(answer))
}
