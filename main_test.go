package blaze_test

import (
	"flag"
	"os"
	"testing"

	"github.com/mixin-blaze/blaze/internal/leak"
)

// TestMain fails if any goroutine outlives the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		code = leak.Check(code)
	}
	os.Exit(code)
}
