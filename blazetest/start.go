package blazetest

import (
	"context"

	"github.com/mixin-blaze/blaze"
)

// TB is what [Start] needs of a test. *testing.T is one; a demo, which should not import package testing, brings its own.
// Errorf may be called by several goroutines at once.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start runs a bot against a new Server in memory until the test ends. bot makes the handler, and gets the Client that the
// handler answers with; a nil bot and a nil handler run a Client that only sends. edit, which may be nil, changes the Client's
// configuration before it is made.
//
// When the test ends, the Client's context is cancelled, Run is waited for, and the Server is closed. The test fails if Run
// returns an error, and if the Client breaks the protocol. A test of a Client that is refused for good needs [NewServer]
// instead. If the configuration is not valid, the test fails and the Client is nil.
func Start(tb TB, bot func(*blaze.Client) blaze.Handler, edit func(*blaze.Config)) (*Server, *blaze.Client) {
	tb.Helper()
	s := NewServer()
	s.Errorf = tb.Errorf
	tb.Cleanup(s.Close)
	cfg := s.Config
	if edit != nil {
		edit(&cfg)
	}
	c, err := blaze.New(s.Key, &cfg)
	if err != nil {
		tb.Errorf("blazetest: %v", err)
		return s, nil
	}
	var h blaze.Handler
	if bot != nil {
		h = bot(c)
	}
	// Cleanup functions run after the context of a test has ended, and Run is to end in one of them.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, h) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("blazetest: Run: %v", err)
		}
	})
	return s, c
}
