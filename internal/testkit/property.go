package testkit

import (
	"flag"
	"fmt"
	"reflect"
	"runtime/debug"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Properties sets the defaults of rapid's flags: the number of cases of each property, and the average number of steps
// of a case. Every run has the same cases. -rapid.seed=0 draws others. Call Properties in TestMain, before the flags
// are parsed. A failure leaves no file behind.
func Properties(cases, steps int) {
	for name, value := range map[string]any{"checks": cases, "steps": steps, "seed": 1, "nofailfile": true} {
		if err := flag.Set("rapid."+name, fmt.Sprint(value)); err != nil {
			panic(err) //nolint:forbidigo // the flags of rapid have other names
		}
	}
}

// Check checks a property with rapid, each case in a bubble of testing/synctest. A case that fails panics, so property
// must end its goroutines in deferred calls.
func Check(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		var caught any
		synctest.Test(t, func(*testing.T) { caught = run(rt, property) })
		// A panic of rapid's own, such as too few random bits for a shorter case.
		if caught != nil && !rt.Failed() {
			panic(caught) //nolint:forbidigo // rapid recovers it
		}
	})
}

// run returns what property panicked with, because a panic in a bubble would end the process. A panic that is not
// rapid's own fails the case.
func run(t *rapid.T, property func(t *rapid.T)) (caught any) {
	defer func() {
		caught = recover()
		if caught != nil && reflect.TypeOf(caught).PkgPath() != reflect.TypeFor[rapid.T]().PkgPath() {
			t.Logf("%s", debug.Stack())
			t.Errorf("panic: %v", caught)
		}
	}()
	property(t)
	return nil
}
