// Command bench measures this library together with a client as they are usually built, and with two limits. It prints
// Markdown, and writes a report.
//
// To profile one contender in one scenario:
//
//	bench -only '^receive/80 ours$' -rounds 1 -cpuprofile cpu.out
//
// With -table FILE, it measures nothing. It writes the tables of the newest report among the arguments into that
// Markdown file, and the chart into the file of -chart.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/mixin-blaze/blaze/internal/bench"
	"github.com/mixin-blaze/blaze/internal/report"
)

func main() {
	if bench.IsChild() {
		report.Main("bench", bench.Child)
		return
	}
	report.Main("bench", run)
}

func run(ctx context.Context) error {
	var o bench.Options
	flag.IntVar(&o.Rounds, "rounds", 5, "how often everything is run")
	flag.Float64Var(&o.Scale, "scale", 1, "multiplies counts and times: 0.05 is a quick look")
	flag.StringVar(&o.Only, "only", "", "run only what matches this regular expression: \"scenario contender\"")
	flag.StringVar(&o.CPUProfile, "cpuprofile", "", "file for the CPU profile of the last contender")
	flag.StringVar(&o.MemProfile, "memprofile", "", "file for the allocations of the last contender")
	jsonPath := flag.String("json", "", "file to write the report to")
	document := flag.String("table", "", "Markdown file to write the tables of the newest given report to")
	chart := flag.String("chart", "", "with -table: SVG file to write the chart to")
	flag.Parse()
	if *document != "" {
		return bench.WriteTables(*document, *chart, flag.Args())
	}
	var err error
	if o.Program, err = os.Executable(); err != nil {
		return err
	}
	o.Progress = func(r bench.Result) { fmt.Fprintln(os.Stderr, r) }
	rep, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	if *jsonPath != "" {
		if err := rep.Write(*jsonPath); err != nil {
			return err
		}
	}
	fmt.Print(rep.Details())
	if o.Only == "" {
		fmt.Print("\n", rep.Markdown())
	}
	return nil
}
