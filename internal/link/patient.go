package link

import (
	"context"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// dialPatience bounds the wait for functions of the caller that ignore the end of their context.
const dialPatience = time.Second

// dialled is the result of connect.
type dialled struct {
	link *Link
	err  error
}

// Dial connects. In every phase it returns soon after the end of ctx, with the error of ctx. The functions of cfg run
// on a goroutine of the dial, and their panics become errors. If one of them ignores the end of ctx, Dial returns after
// cfg.Patience. The goroutine then closes the connection and ends when that function returns.
func Dial(ctx context.Context, cfg Config) (*Link, error) {
	results, left := make(chan dialled), make(chan struct{})
	defer close(left)
	go func() {
		var d dialled
		guard.Call(func() (err error) {
			d.link, err = connect(ctx, cfg)
			return err
		}, func(err error) {
			d.err = err
			select {
			case results <- d:
			case <-left:
				if d.link != nil {
					_ = d.link.raw.Close() // it was never started
				}
			}
		})
	}()
	select {
	case d := <-results:
		return d.link, d.err
	case <-ctx.Done():
	}
	patience := min(cfg.Patience, dialPatience)
	if patience == 0 {
		patience = dialPatience
	}
	impatient := time.NewTimer(patience)
	defer impatient.Stop()
	select {
	case d := <-results:
		return d.link, d.err
	case <-impatient.C:
		return nil, ctx.Err()
	}
}
