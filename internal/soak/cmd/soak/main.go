// Command soak runs a client against a server that breaks every promise but one: to push what was not acknowledged. It
// checks that nothing is lost and nothing done twice, prints what it did, and exits with 1 if a promise was broken.
//
// With -table FILE, it runs nothing and writes the reports named as arguments into the table of that Markdown file.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/soak"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o soak.Options
	flag.IntVar(&o.Messages, "messages", 200_000, "messages pushed to the bot")
	flag.IntVar(&o.Sends, "sends", 0, "messages the bot sends; 0: a tenth of -messages")
	flag.Uint64Var(&o.Seed, "seed", 0, "decides which fault comes where; 0: another one each time")
	flag.IntVar(&o.Cuts, "cuts", 0, "connections to be cut, about; 0: one for 4000 messages, 300 at least")
	flag.BoolVar(&o.Plain, "plain", false, "the server has no plural actions")
	flag.IntVar(&o.Processes, "processes", 0,
		"of the bot, one after the other; 0: one for 100,000 messages, 8 at least")
	without := flag.String("without", "", "faults that do not happen, with commas between them")
	jsonPath := flag.String("json", "", "file to write the report to")
	flag.IntVar(&o.Window, "window", 0, "messages unacknowledged at once, at most; 0: 2000")
	document := flag.String("table", "", "Markdown file to write the table of the given reports to")
	flag.Parse()
	if *document != "" {
		return soak.WriteTable(*document, flag.Args())
	}
	if *without != "" {
		o.Without = strings.Split(*without, ",")
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64() //nolint:gosec // G404: any number will do
	}
	if o.Sends == 0 {
		o.Sends = o.Messages / 10
	}
	fmt.Printf("soak: %d messages, %d sends, seed %d, race detector: %v\n", o.Messages, o.Sends, o.Seed, soak.Race)
	began := time.Now()
	o.Progress = func(p soak.Progress) {
		if time.Since(began) > 10*time.Second {
			began = time.Now()
			fmt.Printf("%8v  %d messages left, %d stored, %d cuts, %d violations\n",
				p.Elapsed.Round(time.Second), p.Left, p.Stored, p.Cuts, p.Violations)
		}
	}
	rep, err := soak.Run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Print(rep)
	if *jsonPath != "" {
		if err := rep.Write(*jsonPath); err != nil {
			return err
		}
	}
	if rep.ViolationCount > 0 {
		return fmt.Errorf("%d broken promises", rep.ViolationCount)
	}
	return nil
}
