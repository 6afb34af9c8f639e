package blazetest

import (
	"context"
	"errors"
	"log/slog"

	"github.com/mixin-blaze/blaze"
)

// Run runs a bot against an existing Server.
//
//   - bot returns the handler for the given Client. If bot or the handler is nil, the Client only sends.
//   - edit, if not nil, changes the Client's configuration. If that is invalid, the test fails, the Client is nil, and
//     stop does nothing.
//   - stop cancels the context of the Client's Run and waits for it. It is called when the test ends. It may be called
//     repeatedly, but not by the bot. To restart the bot, call stop and Run again; unacknowledged messages are
//     redelivered. After "restart bot" in a script a new Client is running, and c has ended.
//   - The test fails if the Client's Run returns an error. While s.Errorf is nil, tb.Errorf receives the Server's
//     reports of protocol errors until the test ends.
//   - Warnings and errors that the Client logs, including those of failing handlers, go to tb's log if tb has Logf, as
//     *testing.T does.
//
// The Server must outlive the bot. Register s.Close with tb.Cleanup before Run, because cleanup functions are called in
// reverse order.
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

// reportTo makes faults and misuse fail a test until it ends, while the Server has no Errorf.
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

// restartBot restarts the bot of the latest call of Run. The stop of that call ends the new one.
func (s *Server) restartBot() error {
	s.mu.Lock()
	b := s.runner
	s.mu.Unlock()
	if b == nil {
		return errors.New("blazetest: no bot to restart; start one with Start or Run")
	}
	return b.restart()
}

// running is the bot of a call of Run. It may be restarted.
type running struct {
	tb   TB
	s    *Server
	bot  func(*blaze.Client) blaze.Handler
	edit func(*blaze.Config)
	log  *slog.Logger // nil: the Logger of the Server's Config

	turn chan struct{} // a mutex that synctest recognizes as durably blocking; held while a bot is started or stopped
	end  func()        // stops the current bot and waits for it
	over bool          // stopped, must not be started again
}

// start starts the bot. It returns nil if the configuration is invalid. The caller holds the turn.
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
	// The context of a test ends before its cleanup functions run. stop, one of them, ends Run.
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

// restart stops the bot and starts another one.
func (b *running) restart() error {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if b.over {
		return errors.New("blazetest: the bot was stopped")
	}
	b.end()
	if b.start() == nil {
		return errors.New("blazetest: the bot could not be restarted")
	}
	return nil
}

// stop stops the bot for good.
func (b *running) stop() {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.over = true
	b.end()
}
