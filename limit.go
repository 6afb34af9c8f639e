package blaze

import (
	"context"
	"fmt"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// limit calls the Limiter, if there is one, and returns after it. The context of Wait ends with ctx and with Run.
func (c *Client) limit(ctx context.Context) error {
	if c.cfg.Limiter == nil {
		return nil
	}
	over := c.engine.Over()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	//mutant:limit-end
	defer context.AfterFunc(over, cancel)()
	err := c.cfg.Limiter.Wait(ctx)
	switch {
	case over.Err() != nil:
		return c.closed()
	case err != nil:
		return fmt.Errorf("blaze: Limiter.Wait failed: %w", err)
	}
	return nil
}

// pace calls the Limiter again after a 429.
func (c *Client) pace(ctx context.Context, rejection *wire.Error) error {
	//mutant:limit-429
	if Code(rejection.Code) == CodeTooManyRequests || Code(rejection.Status) == CodeTooManyRequests {
		return c.limit(ctx)
	}
	return nil
}
