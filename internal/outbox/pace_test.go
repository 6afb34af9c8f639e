package outbox_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/outbox"
)

// A Pace that ends its goroutine or panics leaves nothing in the Box.
func TestAPaceThatDoesNotReturn(t *testing.T) {
	for name, end := range map[string]func(){"Goexit": runtime.Goexit, "panic": func() { panic("pace") }} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []outbox.Request{request("whole", outbox.Send), whole(outbox.Send, "x:a", "x:b")} {
				cfg := config()
				cfg.Len = 1
				run(t, cfg, func(t *testing.T, b *box) {
					gone := make(chan any, 1)
					go func() {
						defer func() { gone <- recover() }()
						b.Do(context.Background(), t, r, func(context.Context, string) error {
							end()
							return nil
						})
					}()
					synctest.Wait()
					next := send(t, b, "next")
					writes(t, b, replyTimeout, "whole")
					if r.Split != nil {
						answers(t, b, "no", "whole")
						writes(t, b, replyTimeout, "a")
						answers(t, b, "busy", "a")
					} else {
						answers(t, b, "busy", "whole")
					}
					synctest.Wait()
					assert.Equal(t, name == "panic", <-gone == any("pace"))
					writes(t, b, replyTimeout, "next") // the only slot is free
					answers(t, b, "ok", "next")
					next.is(outcome{Answer: "ok", Attempts: 1})
					assert.Equal(t, outbox.Left{}, b.Left())
				})
			}
		})
	}
}

// Pace is called after each rejection that is not final.
func TestPaceOfPassingRejections(t *testing.T) {
	run(t, config(), func(t *testing.T, b *box) {
		calls := 0
		e, _ := do(t, b, request("s", outbox.Send), func(_ context.Context, word string) error {
			assert.Equal(t, "passing", word)
			calls++
			return nil
		})
		for n := 1; n <= 10; n++ {
			writes(t, b, replyTimeout, "s")
			answers(t, b, "passing", "s")
			synctest.Wait()
			time.Sleep(backoff(n))
		}
		assert.Equal(t, 10, calls)
		writes(t, b, replyTimeout, "s")
		answers(t, b, "ok", "s")
		e.is(outcome{Answer: "ok", Attempts: 11})
	})
}
