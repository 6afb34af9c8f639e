package model

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var defined = regexp.MustCompile(`(?m)^#define T_(\w+) +(\d+)$`)

// transitions returns the names of the client's transitions, by number.
func transitions() (map[int]string, error) {
	text, err := sources.ReadFile("config.pml")
	if err != nil {
		return nil, err
	}
	all := make(map[int]string)
	for _, m := range defined.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, err
		}
		all[n] = m[1]
	}
	return all, nil
}

// AllHappened returns an error with the transitions that happened in no search, and so were not checked.
func AllHappened(searches []map[int]bool) error {
	all, err := transitions()
	if err != nil {
		return err
	}
	var missing []string
	for n, name := range all {
		if !slices.ContainsFunc(searches, func(seen map[int]bool) bool { return seen[n] }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("these transitions happened in no search: %s", strings.Join(missing, ", "))
	}
	return nil
}
