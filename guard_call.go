package blaze

import "github.com/mixin-blaze/blaze/internal/guard"

// apart calls user code on a new goroutine and waits for it. Any goroutine may store and format the error (see
// guard.Foreign). After a panic or a Goexit the error names the field of Config.
func apart(field string, f func() error) error {
	return named(field, guard.Apart(func() error { return guard.Foreign(f()) }))
}

// inPlace calls user code on this goroutine, and then done with an error like that of apart. After a Goexit, this
// goroutine ends when done has returned.
func inPlace(field string, f func() error, done func(error)) {
	guard.Call(func() error { return guard.Foreign(f()) }, func(err error) { done(named(field, err)) })
}

func named(field string, err error) error {
	if guard.Failed(err) {
		return guard.Retold(err, "calling Config."+field+": "+err.Error())
	}
	return err
}
