package dialog_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/dialog"
	"github.com/mixin-blaze/blaze/internal/leak"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// TestMain fails if any goroutine outlives the tests.
func TestMain(m *testing.M) {
	testkit.Properties(60, 0)
	flag.Parse()
	os.Exit(leak.Check(m.Run()))
}

// errCrash ends a handler at the point at which its process crashes.
var errCrash = errors.New("the process crashed")

// order is the form of the tests.
type order struct {
	Drink string
	Cups  string
	Note  string
}

// store keeps states across restarts. It calls at with the name of each point that an answer passes.
type store struct {
	mu     sync.Mutex
	states map[string]dialog.State
	at     func(point string) error // nil: nothing
}

func (s *store) reach(point string) error {
	if s.at == nil {
		return nil
	}
	return s.at(point)
}

func (s *store) Load(_ context.Context, key string) (dialog.State, error) {
	if err := s.reach("load"); err != nil {
		return dialog.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[key], nil
}

func (s *store) Save(_ context.Context, key string, state dialog.State) error {
	if err := s.reach("save"); err != nil {
		return err
	}
	s.mu.Lock()
	if s.states == nil {
		s.states = make(map[string]dialog.State)
	}
	s.states[key] = state
	s.mu.Unlock()
	return s.reach("saved")
}

// only returns the state if there is exactly one.
func (s *store) only(t *testing.T) dialog.State {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.states, 1)
	for state := range maps.Values(s.states) {
		return state
	}
	return dialog.State{}
}

// newOrders returns a Dialog with three questions, which shows the form in each. "bad" is asked again, "skip" is left
// to the next handler, and "fail" is an error.
func newOrders(c *blaze.Client, s *store, done func(order) error) *dialog.Dialog[order] {
	step := func(question string, field func(*order) *string) dialog.Step[order] {
		return dialog.Step[order]{
			Ask: func(o order) blaze.Payload { return blaze.Textf("%s %v", question, o) },
			Take: func(_ context.Context, m *blaze.Message, o *order) error {
				text, ok := m.Payload.(blaze.Text)
				switch {
				case !ok || text == "bad":
					return fmt.Errorf("wrapped: %w", &dialog.Again{Text: "again"})
				case text == "skip":
					return blaze.ErrNotHandled
				case text == "fail":
					return errors.New("fail")
				}
				*field(o) = string(text)
				return s.reach("taken")
			},
		}
	}
	return &dialog.Dialog[order]{
		Client: c, Store: s, Cancel: []string{"/Cancel", " stop "},
		Steps: []dialog.Step[order]{
			step("drink?", func(o *order) *string { return &o.Drink }),
			step("cups?", func(o *order) *string { return &o.Cups }),
			step("note?", func(o *order) *string { return &o.Note }),
		},
		Done: func(ctx context.Context, m *blaze.Message, o order) error {
			if err := s.reach("done"); err != nil {
				return err
			}
			if done != nil {
				if err := done(o); err != nil {
					return err
				}
			}
			return c.Reply(ctx, m, blaze.Textf("done %v", o))
		},
	}
}

// route is the handler of a bot with the dialog, and an echo for everything else.
func route(c *blaze.Client, d *dialog.Dialog[order]) blaze.Handler {
	return blaze.Route(
		d.Handle,
		blaze.Command("order", func(ctx context.Context, m *blaze.Message, _ string) error { return d.Start(ctx, m) }),
		blaze.On(func(ctx context.Context, m *blaze.Message, p blaze.Payload) error {
			return c.Reply(ctx, m, blaze.Textf("echo %v", p))
		}),
	)
}

// begin starts a bot with a dialog.
func begin(t *testing.T, s *store, edit func(*dialog.Dialog[order])) *blazetest.Server {
	t.Helper()
	server, _ := blazetest.Start(t, func(c *blaze.Client) blaze.Handler {
		d := newOrders(c, s, nil)
		if edit != nil {
			edit(d)
		}
		return route(c, d)
	}, nil)
	return server
}

// say delivers texts, waits until they are handled, and returns the bot's messages.
func say(t *testing.T, s *blazetest.Server, say func(string) string, texts ...string) []string {
	t.Helper()
	before := len(s.Sent())
	for _, text := range texts {
		say(text)
	}
	testkit.Idle(t, s)
	return sentBy(s)[before:]
}

// sentBy returns the texts that the bot sent.
func sentBy(s *blazetest.Server) []string {
	sent := []string{}
	for _, out := range s.Sent() {
		sent = append(sent, fmt.Sprint(out.Payload))
	}
	return sent
}

// life is a process of a bot.
type life struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// live starts a process. The handler's context ends with the process, as in a crash.
func live(s *blazetest.Server, bot func(*blaze.Client) blaze.Handler) (*life, error) {
	cfg := s.Config
	cfg.Drain = -1
	c, err := blaze.New(s.Key, &cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		_ = c.Run(ctx, bot(c)) // a process that crashes is not drained
	}()
	return l, nil
}

// end ends the process and waits for it.
func (l *life) end() {
	l.cancel()
	<-l.ended
}

// rejectAcks rejects all acknowledgements until undo.
func rejectAcks(s *blazetest.Server) (undo func()) {
	reject := testkit.Answer(blazetest.Refuse(blaze.CodeForbidden))
	one := s.InterceptAll("ACKNOWLEDGE_MESSAGE_RECEIPT", reject)
	several := s.InterceptAll("ACKNOWLEDGE_MESSAGE_RECEIPTS", reject)
	return func() {
		one()
		several()
	}
}

// soon is longer than any backoff of a few attempts.
const soon = 10 * time.Second

func large() string { return strings.Repeat("x", 64<<10) }
