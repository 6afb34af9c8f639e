// Command soak runs a client against a server that injects faults, but redelivers unacknowledged messages. It checks
// that no message is lost and nothing is done twice, prints a report, and exits with status 1 after a violation.
//
// With -table FILE, it runs no soak and writes the reports given as arguments into the tables of that Markdown file.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/report"
	"github.com/mixin-blaze/blaze/internal/soak"
)

func main() { report.Main("soak", run) }

func run(ctx context.Context) error {
	var o soak.Options
	flag.IntVar(&o.Messages, "messages", 200_000, "messages pushed to the bot")
	flag.IntVar(&o.Sends, "sends", 0, "messages the bot sends; 0: a tenth of -messages")
	flag.Uint64Var(&o.Seed, "seed", 0, "seed of the faults; 0: random")
	flag.IntVar(&o.Cuts, "cuts", 0, "approximate number of connections to cut; 0: one per 4000 messages, at least 300")
	flag.BoolVar(&o.Plain, "plain", false, "the server has no plural actions")
	flag.IntVar(&o.Processes, "processes", 0,
		"processes of the bot, in sequence; 0: one per 100,000 messages, at least 8")
	without := flag.String("without", "", "disabled faults, separated by commas")
	jsonPath := flag.String("json", "", "file to write the report to")
	flag.IntVar(&o.Window, "window", 0, "approximate maximum of unacknowledged messages; 0: 2000")
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
		return fmt.Errorf("%d violations", rep.ViolationCount)
	}
	return nil
}
