package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Comments that enclose the tables in a document.
const (
	tableBegin = "<!-- soak:begin, written by make soak-table -->"
	tableEnd   = "<!-- soak:end -->"
)

// Read reads the report of one run. It converts the fault names of older reports.
func Read(path string) (*Report, error) {
	//nolint:gosec // G304: the caller names the file
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	rep := new(Report)
	if err := json.Unmarshal(text, rep); err != nil {
		return nil, fmt.Errorf("soak: %s: %w", path, err)
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
	b.WriteString("| date | machine | messages received | sent | connections cut | redelivered | rejections | resends | " +
		"kinds of fault | maximum heap | time | violations | seed |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range sorted {
		machine := fmt.Sprintf("%s, %s/%s, %d CPUs", r.GoVersion, r.OS, r.Arch, r.CPUs)
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
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
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

// grouped returns a number with commas between groups of three digits.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ReplaceTable replaces the text between the two marks of a document.
func ReplaceTable(document, table string) (string, error) {
	before, rest, ok := strings.Cut(document, tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed || strings.Count(document, tableBegin) != 1 || strings.Count(document, tableEnd) != 1 {
		return "", errors.New("soak: the document must have the lines " + tableBegin +
			" and " + tableEnd + " once each, in this order")
	}
	return before + tableBegin + "\n" + table + tableEnd + after, nil
}

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
	old, err := os.ReadFile(document) //nolint:gosec // G304: as above
	if err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	text, err := ReplaceTable(string(old), Tables(reports))
	if err != nil {
		return err
	}
	//nolint:gosec // G306: a document that everybody may read
	if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}
