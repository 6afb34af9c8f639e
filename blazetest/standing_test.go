package blazetest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// tester is a TB with a test that ends when end is called.
type tester struct {
	*testing.T
	faults
	cleanups []func()
}

func (b *tester) Errorf(format string, args ...any) { b.add(format, args...) }
func (b *tester) Cleanup(f func())                  { b.cleanups = append(b.cleanups, f) }

func (b *tester) end() {
	for i := range b.cleanups {
		b.cleanups[len(b.cleanups)-1-i]()
	}
}

// Close does not wait for a slow line.
func TestASlowServerIsClosedAtOnce(t *testing.T) {
	for name, slow := range map[string]func(*blazetest.Server){
		"few bytes": func(s *blazetest.Server) { s.Slow(0, 1) },
		"latency":   func(s *blazetest.Server) { s.Slow(time.Hour, 0) },
	} {
		for how, end := range map[string]func(*raw){
			"a request": func(c *raw) { c.write(wire.ActionListPending, nil) },
			"a goodbye": func(c *raw) {
				bye := websocket.FormatCloseMessage(1000, "bye")
				require.NoError(c.t, c.ws.WriteControl(websocket.CloseMessage, bye, time.Time{}))
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := newServer(t)
					c := connect(t, s)
					slow(s)
					end(c)
					synctest.Wait()
					began := time.Now()
					s.Close()
					require.Zero(t, time.Since(began))
				})
			})
		}
	}
}

// A client may connect before the Server is complete.
func TestARequestWaitsForTheServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	got := make(chan string)
	go func() {
		defer close(got)
		resp, err := http.Get("http://" + ln.Addr().String() + "/blazetest/keystore")
		if !assert.NoError(t, err) {
			return
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		got <- string(text)
	}()
	s := blazetest.NewServerOn(ln)
	defer s.Close()
	require.Contains(t, <-got, s.Config.Endpoints[0])
}

// After the end of a test, a Server that outlives it reports nothing to it.
func TestAServerOutlivesTheTestsOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := blazetest.NewServer()
		defer s.Close()
		first, second := &tester{T: t}, &tester{T: t}
		for _, b := range []*tester{first, second} {
			blazetest.Run(b, s, nil, nil)
			s.Receipt(id1, blaze.StatusRead)
			require.Len(t, b.take(), 1)
			b.end()
		}
		require.Empty(t, first.take())
	})
}

// A stopped bot cannot be restarted by a script or a request.
func TestAStoppedBotIsNotRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		_, stop := blazetest.Run(t, s, nil, nil)
		stop()
		stop()
		require.ErrorContains(t, blazetest.RestartBot(s), "the bot was stopped")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Next(ctx)
		require.ErrorContains(t, err, "0 connections")
	})
}
