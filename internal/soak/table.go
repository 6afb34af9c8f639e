package soak

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze/internal/report"
)

// blockName is the name of the tables in a document.
const blockName = "soak"

// Read reads the report of one run. It converts the fault names of older reports.
func Read(path string) (*Report, error) {
	rep := new(Report)
	if err := report.Read(path, rep); err != nil {
		return nil, err
	}
	rep.renameFaults()
	if rep.Messages == 0 || rep.GoVersion == "" || len(rep.Faults) == 0 {
		return nil, fmt.Errorf("soak: %s is not the report of a run", path)
	}
	return rep, nil
}

// Tables returns both tables of the reports.
func Tables(reports []*Report) string { return Table(reports) + FaultTable(reports) }

// Table returns the reports as Markdown, oldest first, including those with violations.
func Table(reports []*Report) string {
	sorted := slices.SortedStableFunc(slices.Values(reports), func(a, b *Report) int { return a.Date.Compare(b.Date) })
	var b strings.Builder
	b.WriteString("| date | machine | messages received | sent | connections cut | redelivered | rejections | " +
		"resends | kinds of fault | maximum heap | time | violations | seed |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range sorted {
		machine := r.Machine.String()
		if r.Race {
			machine += ", race detector"
		}
		kinds := 0
		for _, n := range r.Faults {
			if n > 0 {
				kinds++
			}
		}
		//nolint:gosec // G115: counts
		cells := []string{
			r.Date.Format("2006-01-02"), machine,
			grouped(uint64(r.Messages)), grouped(uint64(r.Stored)), grouped(uint64(r.Cuts)),
			grouped(r.Duplicates), grouped(r.Rejections), grouped(r.Resends),
			fmt.Sprint(kinds), fmt.Sprintf("%d MiB", r.PeakHeap>>20),
			fmt.Sprintf("%d s", int(r.Seconds+0.5)), fmt.Sprint(r.ViolationCount), fmt.Sprint(r.Seed),
		}
		b.WriteString(report.Row(cells...))
	}
	return b.String()
}

// faultColumns is the number of faults in a row of the table.
const faultColumns = 3

// FaultTable returns the number of occurrences of each fault in the newest report, as Markdown.
func FaultTable(reports []*Report) string {
	newest := slices.MaxFunc(reports, func(a, b *Report) int { return a.Date.Compare(b.Date) })
	var b strings.Builder
	b.WriteString("\n|" + strings.Repeat(" fault | times |", faultColumns) + "\n")
	b.WriteString("|" + strings.Repeat("---|---:|", faultColumns) + "\n")
	names := slices.Sorted(maps.Keys(newest.Faults))
	for row := range slices.Chunk(names, faultColumns) {
		b.WriteString("|")
		for _, name := range row {
			fmt.Fprintf(&b, " %s | %s |", name, grouped(newest.Faults[name]))
		}
		b.WriteString(strings.Repeat(" | |", faultColumns-len(row)) + "\n")
	}
	return b.String()
}

func grouped(n uint64) string { return report.Grouped(fmt.Sprint(n)) }

// WriteTable writes the tables of reports into a document, between its marks.
func WriteTable(document string, paths []string) error {
	if len(paths) == 0 {
		return errors.New("soak: no reports to make a table of")
	}
	reports := make([]*Report, 0, len(paths))
	for _, path := range paths {
		r, err := Read(path)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	return report.Update(document, blockName, Tables(reports))
}
