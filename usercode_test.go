package blaze_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// noReturns are the ways in which user code fails to return, and the text of the resulting error.
var noReturns = map[string]struct {
	end      func()
	contains string
}{
	"panics": {boom, "boom"},
	"exits":  {runtime.Goexit, "runtime.Goexit was called"},
}

// logHandler is two functions as an slog.Handler.
type logHandler struct{ enabled, handle func() }

func (h logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h logHandler) WithGroup(string) slog.Handler      { return h }

func (h logHandler) Enabled(context.Context, slog.Level) bool {
	call(h.enabled)
	return true
}

func (h logHandler) Handle(context.Context, slog.Record) error {
	call(h.handle)
	return nil
}

// userCode puts one piece of user code that calls end into a Config.
var userCode = map[string]func(cfg *blaze.Config, end func()){
	"Trace.Connected": func(cfg *blaze.Config, end func()) { cfg.Trace.Connected = func(string) { end() } },
	"Trace.Disconnected": func(cfg *blaze.Config, end func()) {
		cfg.Trace.Disconnected = func(error, time.Duration) { end() }
	},
	"Trace.FrameRead":    func(cfg *blaze.Config, end func()) { cfg.Trace.FrameRead = func([]byte) { end() } },
	"Trace.FrameWritten": func(cfg *blaze.Config, end func()) { cfg.Trace.FrameWritten = func([]byte) { end() } },
	"Trace.HandlerError": func(cfg *blaze.Config, end func()) {
		cfg.Trace.HandlerError = func(*blaze.Message, error) { end() }
	},
	"Trace.Dropped": func(cfg *blaze.Config, end func()) {
		cfg.Trace.Dropped = func(*blaze.Message, error) { end() }
	},
	"Logger.Enabled": func(cfg *blaze.Config, end func()) { cfg.Logger = slog.New(logHandler{enabled: end}) },
	"Logger.Handle":  func(cfg *blaze.Config, end func()) { cfg.Logger = slog.New(logHandler{handle: end}) },
	"OnReceipt":      func(cfg *blaze.Config, end func()) { cfg.OnReceipt = func(blaze.Receipt) { end() } },
	"OnReceipt, with an error": func(cfg *blaze.Config, end func()) {
		cfg.OnReceipt = func(blaze.Receipt) { panic(&brokenError{onError: end, onIs: end, onAs: end, onUnwrap: end}) }
	},
	"Ledger": func(cfg *blaze.Config, end func()) {
		cfg.Ledger = ledgerFuncs{
			func(context.Context, string) (bool, error) { end(); return false, nil },
			func(context.Context, string) error { end(); return nil },
		}
	},
	"an error of the Ledger": func(cfg *blaze.Config, end func()) {
		err := &brokenError{onError: end}
		cfg.Ledger = ledgerFuncs{
			func(context.Context, string) (bool, error) { return false, err },
			func(context.Context, string) error { return err },
		}
	},
	"DialContext": func(cfg *blaze.Config, end func()) {
		dial := cfg.DialContext
		cfg.DialContext = sometimes(func() (net.Conn, error) { end(); return nil, nil }, dial)
	},
	"DialContext without a connection": func(cfg *blaze.Config, end func()) {
		cfg.DialContext = sometimes(func() (net.Conn, error) { return nil, nil }, cfg.DialContext)
	},
	"an error of DialContext": func(cfg *blaze.Config, end func()) {
		err := &brokenError{onError: end}
		cfg.DialContext = sometimes(func() (net.Conn, error) { return nil, err }, cfg.DialContext)
	},
	"an error of DialContext, when it is compared": func(cfg *blaze.Config, end func()) {
		err := &brokenError{onIs: end, onAs: end, onUnwrap: end}
		cfg.DialContext = sometimes(func() (net.Conn, error) { return nil, err }, cfg.DialContext)
	},
	"Proxy": func(cfg *blaze.Config, end func()) {
		calls := 0
		cfg.Proxy = func(*http.Request) (*url.URL, error) {
			if calls++; calls < 3 {
				end()
			}
			return nil, nil
		}
	},
}

// sometimes returns a DialContext that fails at every other call.
func sometimes(
	fails func() (net.Conn, error), dial func(context.Context, string, string) (net.Conn, error),
) func(context.Context, string, string) (net.Conn, error) {
	calls := 0
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if calls++; calls%2 == 1 {
			return fails()
		}
		return dial(ctx, network, addr)
	}
}

// Even if user code fails at each call, the bot connects, handles, replies and acknowledges.
func TestUserCodeThatDoesNotReturn(t *testing.T) {
	for name, put := range userCode {
		for how, no := range noReturns {
			bubble(t, name+" "+how, func(t *testing.T) {
				var r *rig
				r = run(t, func(ctx context.Context, m *blaze.Message) error {
					switch {
					case textOf(m) == "drop":
						return blaze.ErrDrop
					case textOf(m) == "fail" && m.Attempt == 1:
						return errAny
					}
					return r.Reply(ctx, m, blaze.Text("to "+textOf(m)))
				}, func(cfg *blaze.Config) { put(cfg, no.end) })
				var want []string
				for range 3 {
					for _, text := range []string{"hello", "fail", "drop"} {
						want = append(want, r.say(text, text))
					}
					time.Sleep(time.Minute)
					if sent := r.Sent(); len(sent) > 0 {
						r.Receipt(sent[0].MessageID, blaze.StatusRead)
					}
					r.Cut()
				}
				time.Sleep(time.Minute)
				assert.ElementsMatch(t, want, r.Acked())
				assert.Len(t, r.Sent(), 6)
				assert.EqualValues(t, 3, r.Stats().Dropped)
				require.NoError(t, r.stop())
			})
		}
	}
}

// A hook that fails is called again. Its failure is logged once a minute.
func TestAHookThatFailsIsLoggedAndCalledAgain(t *testing.T) {
	for how, no := range noReturns {
		bubble(t, how, func(t *testing.T) {
			var calls atomic.Int32
			r := run(t, func(_ context.Context, m *blaze.Message) error {
				return blaze.ErrDrop
			}, func(cfg *blaze.Config) {
				cfg.Trace.Dropped = func(*blaze.Message, error) {
					calls.Add(1)
					no.end()
				}
			})
			for range 3 {
				r.crowdSays(5)
				time.Sleep(40 * time.Second)
			}
			synctest.Wait()
			assert.EqualValues(t, 15, calls.Load())
			assert.Equal(t, 2, r.log.count(slog.LevelError, "a hook failed"), "at 0 s and 80 s")
			assert.Contains(t, r.log.String(), "hook=Trace.Dropped")
			assert.Contains(t, r.log.String(), no.contains)
			if how == "panics" {
				assert.Contains(t, r.log.String(), "usercode_errors_test.go", "the stack")
			}
		})
	}
}

// The same for a queued hook. The hooks queued after it are called.
func TestAQueuedHookThatFailsIsCalledAgain(t *testing.T) {
	for how, no := range noReturns {
		bubble(t, how, func(t *testing.T) {
			calls := 0
			r := run(t, ok, func(cfg *blaze.Config) {
				cfg.Trace.Disconnected = func(error, time.Duration) {
					calls++
					no.end()
				}
			})
			for range 3 {
				time.Sleep(10 * time.Second)
				r.Cut()
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			assert.Equal(t, 3, calls)
			assert.Equal(t, 4, r.connects.len())
			assert.Equal(t, 2, r.log.count(slog.LevelWarn, "blaze: disconnected"), "the first, and a count")
			assert.Equal(t, 1, r.log.count(slog.LevelError, "a hook failed"))
			began := time.Now()
			require.NoError(t, r.stop())
			assert.Zero(t, time.Since(began), "the queue is empty")
		})
	}
}

func TestALoggerThatFailsLosesItsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, func(cfg *blaze.Config) { cfg.Logger = slog.New(logHandler{handle: boom}) })
		synctest.Wait()
		assert.EqualValues(t, 2, r.Stats().TraceDropped, "connected, and connected as")
	})
}

// exitsAt returns a Limiter that calls runtime.Goexit at call n.
func exitsAt(n int) limiterFunc {
	waits := 0
	return func(context.Context) error {
		if waits++; waits == n {
			runtime.Goexit()
		}
		return nil
	}
}

// A Limiter that exits its goroutine fails its message, which is then removed from the outbox. Nothing hangs.
func TestALimiterThatExits(t *testing.T) {
	for n, name := range map[int]string{1: "at once", 2: "after a 429"} {
		for action, send := range map[string]func(r *rig) error{
			actionSend: func(r *rig) error {
				_, err := r.Send(r.t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
				return err
			},
			actionBatch: func(r *rig) error {
				_, err := r.SendBatch(r.t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
				return err
			},
		} {
			bubble(t, name+" "+action, func(t *testing.T) {
				r := run(t, nil, func(cfg *blaze.Config) { cfg.Limiter, cfg.OutboxLen = exitsAt(n), 1 })
				r.Intercept(action, rejected(blaze.CodeTooManyRequests))
				require.ErrorContains(t, send(r), "runtime.Goexit was called")
				assert.Zero(t, r.Stats().OutboxRequests)
				_, err := r.Send(t.Context(), r.ToUser(userID("bob"), blaze.Text("hello")))
				require.NoError(t, err, "the only slot")
			})
		}
	}
}

// The error of a Limiter keeps its identity, although it was created on another goroutine.
func TestAnErrorOfTheLimiterCanBeCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, nil, func(cfg *blaze.Config) {
			cfg.Limiter = limiterFunc(func(context.Context) error { return &brokenError{wraps: errAny} })
		})
		_, err := r.Send(t.Context(), r.ToUser(userID("alice"), blaze.Text("hello")))
		require.ErrorIs(t, err, errAny)
		var own *brokenError
		require.ErrorAs(t, err, &own)
	})
}

// A dialer that never returns does not delay the end of Run. The connection that it returns later is closed.
func TestTheEndDoesNotWaitForADialer(t *testing.T) {
	for drain, want := range map[time.Duration]time.Duration{
		0: time.Second, -1: 0, 300 * time.Millisecond: 300 * time.Millisecond,
	} {
		bubble(t, drain.String(), func(t *testing.T) {
			ours, theirs := net.Pipe()
			r := run(t, ok, func(cfg *blaze.Config) {
				cfg.Drain = drain
				cfg.DialContext = func(context.Context, string, string) (net.Conn, error) {
					time.Sleep(time.Hour)
					return ours, nil
				}
			})
			time.Sleep(time.Minute)
			began := time.Now()
			require.NoError(t, r.stop())
			assert.Equal(t, want, time.Since(began))
			time.Sleep(time.Hour)
			_, err := theirs.Read(make([]byte, 1))
			assert.Equal(t, io.EOF, err)
		})
	}
}

// brokenBody calls end when it is read.
type brokenBody struct{ end func() }

func (b brokenBody) Read([]byte) (int, error) {
	b.end()
	return 0, nil
}

func (b brokenBody) Close() error {
	b.end()
	return nil
}

// net/http calls dialers and TLS callbacks on its own goroutines. A panic there would end the process.
func TestUserCodeOfHTTPThatDoesNotReturn(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	insecure := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
	for how, no := range noReturns {
		for name, edit := range map[string]func(cfg *blaze.Config){
			"DialContext": func(cfg *blaze.Config) {
				cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { no.end(); return nil, nil }
			},
			"Proxy": func(cfg *blaze.Config) {
				cfg.Proxy = func(*http.Request) (*url.URL, error) { no.end(); return nil, nil }
			},
			"VerifyConnection": func(cfg *blaze.Config) {
				cfg.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error { no.end(); return nil }
			},
			"KeyLogWriter": func(cfg *blaze.Config) { cfg.TLSClientConfig.KeyLogWriter = brokenWriter{no.end} },
			"Rand":         func(cfg *blaze.Config) { cfg.TLSClientConfig.Rand = brokenBody{no.end} },
			"Transport": func(cfg *blaze.Config) {
				cfg.HTTPClient = &http.Client{Transport: roundTripper(func() (*http.Response, error) {
					no.end()
					return nil, nil
				})}
			},
			"Body": func(cfg *blaze.Config) {
				cfg.HTTPClient = &http.Client{Transport: roundTripper(func() (*http.Response, error) {
					return &http.Response{StatusCode: 200, Body: brokenBody{no.end}}, nil
				})}
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				cfg := &blaze.Config{API: s.URL, SendAttempts: 1, TLSClientConfig: insecure()}
				edit(cfg)
				c, err := blaze.New(keyOf(botID), cfg)
				require.NoError(t, err)
				defer c.Run(cancelled(t), nil) //nolint:errcheck // closes idle connections
				_, err = c.OpenConversation(t.Context(), userA)
				require.ErrorIs(t, err, blaze.ErrNoAnswer)
				assert.ErrorContains(t, err, no.contains)
			})
		}
		t.Run("the source of an upload "+how, func(t *testing.T) {
			r := prepare(t, nil)
			_, err := r.Upload(t.Context(), brokenBody{no.end}, 5)
			require.ErrorContains(t, err, no.contains)
			_ = r.Run(cancelled(t), nil) // closes idle connections
		})
	}
}

type brokenWriter struct{ end func() }

func (w brokenWriter) Write([]byte) (int, error) {
	w.end()
	return 0, nil
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
