package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/ledger"
)

// A bot sets Config.Ledger and closes the File after Run.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "bot.ledger")

	for start := 1; start <= 2; start++ {
		f, err := ledger.OpenFile(path, 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		cfg := blaze.Config{Ledger: f}
		ctx, id := context.Background(), "c9a5d4e2-0b1f-4e7a-9a3d-5f6e7d8c9b0a"
		fmt.Println(cfg.Ledger.Handled(ctx, id))
		_, err = ledger.OpenFile(path, 0)
		fmt.Println(errors.Is(err, ledger.ErrInUse))
		if err := errors.Join(cfg.Ledger.Record(ctx, id), f.Close()); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// false <nil>
	// true
	// true <nil>
	// true
}
