package backoff

import "context"

type policyKey struct{}

// With returns a context under which a Client waits by p between its connections. The soak cuts hundreds of connections
// a minute, which the real policy answers with waits of 30 seconds. Users cannot reach this package.
func With(ctx context.Context, p Policy) context.Context {
	return context.WithValue(ctx, policyKey{}, p)
}

// From returns the policy that With put into ctx, or else p.
func From(ctx context.Context, p Policy) Policy {
	if other, ok := ctx.Value(policyKey{}).(Policy); ok {
		return other
	}
	return p
}
