package blaze_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// rig is a bot against a server in memory, and what its hooks, its log and its frames told. It belongs in a bubble.
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

// newServer returns a server in memory that lets a bot write to whomever it wants: these tests are about the client.
func newServer() *blazetest.Server { return newServerOn(nil) }

// newServerOn is newServer on a listener.
func newServerOn(ln net.Listener) *blazetest.Server {
	return blazetest.NewServerWith(blazetest.Options{Listener: ln, Lenient: true})
}

// run starts a bot. Unless the test ends it with stop or wait, it is stopped at the end, and has to end well.
func run(t *testing.T, h blaze.Handler, edit func(*blaze.Config)) *rig {
	t.Helper()
	r := prepare(t, edit)
	r.start(t.Context(), h)
	return r
}

// begin starts a bot whose handler needs its client, as blazetest.Start does, but against a server of newServer.
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

// prepare makes the client of a rig and does not run it.
func prepare(t *testing.T, edit func(*blaze.Config)) *rig {
	t.Helper()
	s := newServer()
	s.Errorf = t.Errorf
	t.Cleanup(s.Close)
	return prepareFor(t, s, edit)
}

// prepareFor is prepare for a server that is there already.
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

// stop ends the context of Run and returns how Run ended.
func (r *rig) stop() error {
	r.cancel()
	return r.wait()
}

// wait waits until Run has ended by itself, for a day at most.
func (r *rig) wait() error {
	late := time.AfterFunc(24*time.Hour, func() {
		assert.Fail(r.t, "Run goes on")
		r.cancel()
	})
	defer late.Stop()
	err := <-r.ended
	r.ended = nil
	r.cancel()
	return err
}

// say delivers a text of a user, in the conversation with the bot, and returns the message's id.
func (r *rig) say(user, text string) string {
	return r.Deliver(userID(user), blaze.Outgoing{Payload: blaze.Text(text)})
}

// idle waits until everything delivered is acknowledged, and the bot has heard of it, for a day at most.
func (r *rig) idle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 24*time.Hour)
	defer cancel()
	require.NoError(r.t, r.Idle(ctx))
	synctest.Wait()
}

// diary is what happened, in order. The zero value is ready.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func (d *diary) len() int { return len(d.all()) }

func (d *diary) String() string { return strings.Join(d.all(), "\n") }

// durations reads the lines as durations.
func (d *diary) durations(t *testing.T) (all []time.Duration) {
	t.Helper()
	for _, line := range d.all() {
		one, err := time.ParseDuration(line)
		require.NoError(t, err)
		all = append(all, one)
	}
	return all
}

// texts returns a handler that notes the texts it gets.
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

// logbook keeps what was logged, at any level, as text and as JSON.
type logbook struct {
	diary
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(ctx context.Context, r slog.Record) error {
	var text, structured bytes.Buffer
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	_ = slog.NewTextHandler(&text, opts).Handle(ctx, r)
	_ = slog.NewJSONHandler(&structured, opts).Handle(ctx, r)
	l.add("%s%s", text.String(), structured.String())
	return nil
}

// count returns how many records of a level contain a text.
func (l *logbook) count(level slog.Level, text string) int {
	n := 0
	for _, line := range l.all() {
		if strings.Contains(line, "level="+level.String()+" ") && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// ledger is a Ledger that shows what it was told.
type ledger struct {
	mu       sync.Mutex
	known    map[string]bool
	recorded []string
}

func (l *ledger) Handled(_ context.Context, id string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[id], nil
}

func (l *ledger) Record(ctx context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = make(map[string]bool)
	}
	l.known[id] = true
	l.recorded = append(l.recorded, id)
	return ctx.Err()
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.recorded)
}

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// keyOf returns a key of the bot with that id.
func keyOf(appID string) blaze.Keystore {
	return blaze.Keystore{AppID: appID, SessionID: userB, SessionPrivateKey: strings.Repeat("4b", 32)}
}

// userID returns the id of a virtual user.
func userID(name string) string { return blazetest.UserID(name) }

// hangingDial reaches nobody.
func hangingDial(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// assertGoroutines wants no more than so many goroutines. One that has just ended may be counted for another moment.
func assertGoroutines(t *testing.T, want int) {
	t.Helper()
	for range 1_000_000 {
		if synctest.Wait(); runtime.NumGoroutine() <= want {
			return
		}
		runtime.Gosched()
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), want, "goroutines")
}

// always arms an interception that arms itself again.
func always(s *blazetest.Server, action string, answer blazetest.Answer) {
	s.Intercept(action, func(blazetest.Frame) blazetest.Answer {
		always(s, action, answer)
		return answer
	})
}
