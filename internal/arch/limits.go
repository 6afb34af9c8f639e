package arch

import (
	"bufio"
	"fmt"
	"go/constant"
	"go/types"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limit is a row of the tables in docs/limits.md.
type Limit struct {
	What  string
	Value string   // the column "limit", which begins with a number and its unit
	Names []string // the constants or variables with the limit, as "internal/wire.MaxFrame" or "blaze.ledgerLen"
	Tests []string // the tests that prove it
}

// columns of a row: what, limit, set by, in the code, proven by.
const columns = 5

var quoted = regexp.MustCompile("`([^`]+)`")

// ReadLimits returns the rows of all tables with the columns of docs/limits.md.
func ReadLimits(r io.Reader) ([]Limit, error) {
	var limits []Limit
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| what |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != columns {
			return nil, fmt.Errorf("line %d: %d columns, want %d", n, len(cells), columns)
		}
		l := Limit{What: strings.TrimSpace(cells[0]), Value: strings.TrimSpace(cells[1])}
		l.Names, l.Tests = inQuotes(cells[3]), inQuotes(cells[4])
		if l.What == "" || len(l.Names) == 0 || len(l.Tests) == 0 {
			return nil, fmt.Errorf("line %d: a limit needs a description, a name in the code and a test", n)
		}
		limits = append(limits, l)
	}
	return limits, lines.Err()
}

func inQuotes(cell string) []string {
	var names []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		names = append(names, m[1])
	}
	return names
}

// Repeated returns a fault for each name or description that occurs in several limits. A name in twice, which maps
// names to reasons, must be in two limits.
func Repeated(limits []Limit, twice map[string]string) []string {
	names, whats := make(map[string]int), make(map[string]int)
	for name := range twice {
		names[name] = 0
	}
	for _, l := range limits {
		whats[l.What]++
		for _, name := range l.Names {
			names[name]++
		}
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		want := 1
		if _, ok := twice[name]; ok {
			want = 2
		}
		if names[name] != want {
			faults = append(faults, fmt.Sprintf("%d rows list %s, want %d", names[name], name, want))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(whats)) {
		if whats[what] > 1 {
			faults = append(faults, fmt.Sprintf("%d rows are described as %q", whats[what], what))
		}
	}
	return faults
}

// units are the factors of the units in docs/limits.md: of bytes, and of nanoseconds.
var units = map[string]int64{
	"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9, "d": 24 * 3600e9,
}

var amount = regexp.MustCompile(`^([0-9,]+)(?: ([A-Za-z]+))?`)

// Amount returns the number at the beginning of a text such as "8 MiB", "1,024 receipts" or "5 min". Times are in
// nanoseconds.
func Amount(text string) (int64, error) {
	m := amount.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q does not begin with a number", text)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", text, err)
	}
	factor, ok := units[m[2]]
	if !ok {
		return n, nil // a count of something
	}
	if n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q does not fit 64 bits", text)
	}
	return n * factor, nil
}

// Constants returns the names of the package-level integer constants, sorted.
func (c *Checked) Constants() []string {
	var names []string
	for _, name := range c.pkg.Scope().Names() {
		if _, ok := c.Constant(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Constant returns the value of a package-level integer constant.
func (c *Checked) Constant(name string) (int64, bool) {
	o, ok := c.pkg.Scope().Lookup(name).(*types.Const)
	if !ok {
		return 0, false
	}
	return constant.Int64Val(constant.ToInt(o.Val()))
}

// Declares reports whether the package has a package-level name.
func (c *Checked) Declares(name string) bool { return c.pkg.Scope().Lookup(name) != nil }
