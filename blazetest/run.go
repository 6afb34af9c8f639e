package blazetest

import (
	"context"
	"errors"
	"log/slog"

	"github.com/mixin-blaze/blaze"
)

// Run runs a bot against a Server that stands. bot makes the handler, and gets the Client that the handler answers
// with; a nil bot and a nil handler run a Client that only sends. edit, which may be nil, changes the Client's
// configuration before it is made. What the Client logs as a warning or an error, failing handlers among it, goes to
// the test's log if tb has a Logf, as *testing.T has. While s.Errorf is nil, tb.Errorf gets its reports until the test
// ends.
//
// stop cancels the context of the Client's Run and waits for it. It may be called more than once, but not by the bot,
// and is called when the test ends. After a script's "restart bot" the Client is another one, and c has ended. The test
// fails if Run returns an error, and, by s.Errorf, if the Client breaks the protocol. stop and then Run again is a
// restart of the bot: what it did not acknowledge is pushed again. The Server has to outlive the bot: register s.Close
// with tb.Cleanup before Run, since those functions are called last first.
//
// If the configuration is not valid, the test fails, the Client is nil, and stop does nothing.
func Run(
	tb TB, s *Server, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config),
) (c *blaze.Client, stop func()) {
	tb.Helper()
	s.reportTo(tb)
	b := &running{tb: tb, s: s, bot: bot, edit: edit, turn: make(chan struct{}, 1)}
	if l, ok := tb.(logger); ok {
		w := &testLog{t: l}
		tb.Cleanup(w.close)
		b.log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if c = b.start(); c == nil {
		return nil, func() {}
	}
	tb.Cleanup(b.stop)
	s.mu.Lock()
	s.runner = b
	s.mu.Unlock()
	return c, b.stop
}

// reportTo lets faults and misuse fail a test until it ends, for as long as the Server has no Errorf.
func (s *Server) reportTo(tb TB) {
	s.mu.Lock()
	s.test = tb
	s.mu.Unlock()
	tb.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.test == tb {
			s.test = nil
		}
	})
}

// restartBot stops the bot that Run was called for last, and starts another of its kind, which the same stop ends.
func (s *Server) restartBot() error {
	s.mu.Lock()
	b := s.runner
	s.mu.Unlock()
	if b == nil {
		return errors.New("blazetest: no bot was started by Run or Start")
	}
	return b.restart()
}

// running is a bot that runs, one life after the other.
type running struct {
	tb   TB
	s    *Server
	bot  func(*blaze.Client) blaze.Handler
	edit func(*blaze.Config)
	log  *slog.Logger // nil: that of the Server's Config

	turn chan struct{} // holds one while a life ends or begins; no mutex, for synctest
	end  func()        // of the present life, waits for it
	over bool          // no life begins any more
}

// start begins a life, unless stop was called. Nil means that there is none, and that the configuration is not valid if
// it is the first one. The caller has the turn.
func (b *running) start() *blaze.Client {
	b.tb.Helper()
	cfg := b.s.Config
	if b.log != nil {
		cfg.Logger = b.log
	}
	if b.edit != nil {
		b.edit(&cfg)
	}
	c, err := blaze.New(b.s.Key, &cfg)
	if err != nil {
		b.tb.Errorf("blazetest: %v", err)
		return nil
	}
	var h blaze.Handler
	if b.bot != nil {
		h = b.bot(c)
	}
	// Cleanup functions run after the context of a test has ended, and Run is to end in one of them.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Run(ctx, h); err != nil {
			b.tb.Errorf("blazetest: Run: %v", err)
		}
	}()
	b.end = func() {
		cancel()
		<-ended
	}
	return c
}

// restart ends the present life and begins another.
func (b *running) restart() error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if b.over {
		return errors.New("blazetest: the bot was stopped for good")
	}
	b.end()
	if b.start() == nil {
		return errors.New("blazetest: the bot cannot be started again")
	}
	return nil
}

// stop ends the present life, and every one to come.
func (b *running) stop() {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.over = true
	b.end()
}
