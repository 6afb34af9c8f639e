package backoff

import "context"

type policyKey struct{}

// With returns a context with a policy for the waits of a Client between its connections. The soak cuts hundreds of
// connections a minute, for which the default policy waits 30 seconds. Users cannot import this package.
func With(ctx context.Context, p Policy) context.Context {
	return context.WithValue(ctx, policyKey{}, p)
}

// From returns the policy in ctx, or p if there is none.
func From(ctx context.Context, p Policy) Policy {
	if other, ok := ctx.Value(policyKey{}).(Policy); ok {
		return other
	}
	return p
}
