// Command model searches the model of the delivery in all its configurations, and prints a table. It exits with 1 if a
// property is violated, a broken variant violates none, a search did not visit every state, or a transition never
// happened. If spin or a C compiler is missing, it prints that and exits with 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/mixin-blaze/blaze/internal/model"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("run", "", "regular expression: only the searches with such a name")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if err := model.Installed(); err != nil {
		fmt.Println("NOT CHECKED:", err)
		return nil
	}
	var t table
	for _, c := range model.All {
		if !wanted.MatchString(c.Name) {
			continue
		}
		if err := t.search(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	fmt.Printf("%d situations, %d without a violation; %d of %d broken variants caught\n",
		t.sound, t.held, t.caught, t.broken)
	if t.held < t.sound || t.caught < t.broken {
		return errors.New("the searches above marked with ! have failed")
	}
	if *only != "" {
		return nil
	}
	return model.AllHappened(t.happened)
}

// table counts the searches.
type table struct {
	sound, held, broken, caught int
	happened                    []map[int]bool
}

func (t *table) search(ctx context.Context, c model.Config) error {
	began := time.Now()
	r, err := model.Search(ctx, c)
	if err != nil {
		return err
	}
	verdict := "ok"
	switch {
	case c.Violates == model.None:
		t.sound++
		t.happened = append(t.happened, r.Happened)
		if r.Violated == model.None {
			t.held++
		} else {
			verdict = "! VIOLATED"
		}
	case c.Violates == r.Violated:
		t.broken++
		t.caught++
		verdict = "caught"
	default:
		t.broken++
		verdict = "! NOT CAUGHT"
	}
	kind := "states"
	if c.Eventually {
		kind = "runs"
	}
	fmt.Printf("%-12s %-6s %9d states %5.1f s  %s  [%s]\n",
		verdict, kind, r.States, time.Since(began).Seconds(), c.Name, c.Set)
	if r.Violated != model.None {
		fmt.Printf("%-12s violated: %v\n", "", r.Violated)
	}
	return nil
}
