package hostile

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/mixin-blaze/blaze/internal/leak"
)

// everything is set if all attacks run, not a third of them: with make hostile, or if -run names attacks.
var everything bool

// collectAt is the GC percentage. It is low because the heap is measured at each collection.
const collectAt = 25

// totals has the measurements of the attacks of one area.
type totals struct {
	area    string
	attacks int
	most    usage // the maximum of each measurement
}

// reported has the areas in the order of their runs.
var reported []*totals

// report adds the measurement of an attack.
func report(area string, u usage) {
	if n := len(reported); n == 0 || reported[n-1].area != area {
		reported = append(reported, &totals{area: area})
	}
	sum := reported[len(reported)-1]
	sum.attacks++
	sum.most.heap = max(sum.most.heap, u.heap)
	sum.most.work = max(sum.most.work, u.work)
	sum.most.log = max(sum.most.log, u.log)
	sum.most.records = max(sum.most.records, u.records)
}

// TestMain prints the measurements. It fails if a goroutine is left.
func TestMain(m *testing.M) {
	flag.Parse()
	everything = os.Getenv("HOSTILE") == "all" || strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	debug.SetGCPercent(collectAt)
	code := m.Run()
	if len(reported) > 0 {
		printTable()
	}
	os.Exit(leak.Check(code))
}

// printTable prints the maximum of each measurement by area.
func printTable() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "area\tattacks\tpeak heap, KiB\tallocated, KiB\tlog, bytes\trecords\t")
	n := 0
	for _, a := range reported {
		n += a.attacks
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", a.area, a.attacks, a.most.heap/kib, a.most.work/kib, a.most.log,
			a.most.records)
	}
	_ = w.Flush()
	fmt.Printf("%d attacks; each number is that of the attack with the most\n", n)
}
