package arch

import (
	"maps"
	"slices"
)

// Graph holds directed edges between names: g[a][b] means that a refers to b.
type Graph map[string]map[string]bool

// Add inserts the edge from a to b. An edge from a name to itself is ignored.
func (g Graph) Add(a, b string) {
	if a == b {
		return
	}
	if g[a] == nil {
		g[a] = make(map[string]bool)
	}
	g[a][b] = true
}

// Mutual returns the pairs of names that refer to each other, each pair once and in alphabetical order.
func (g Graph) Mutual() [][2]string {
	var pairs [][2]string
	for _, a := range slices.Sorted(maps.Keys(g)) {
		for _, b := range slices.Sorted(maps.Keys(g[a])) {
			if a < b && g[b][a] {
				pairs = append(pairs, [2]string{a, b})
			}
		}
	}
	return pairs
}

// LargestCycle returns the largest strongly connected component, sorted: every name in it reaches every other one. It
// returns nil if the graph has no cycle. Of two components of the same size it returns the first in alphabetical order.
func (g Graph) LargestCycle() []string {
	s := search{graph: g, index: make(map[string]int), low: make(map[string]int), open: make(map[string]bool)}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if s.index[name] == 0 {
			s.visit(name)
		}
	}
	var largest []string
	for _, c := range s.components {
		if len(c) > len(largest) || len(c) == len(largest) && slices.Compare(c, largest) < 0 {
			largest = c
		}
	}
	return largest
}

// search is the state of Tarjan's algorithm.
type search struct {
	graph      Graph
	index      map[string]int // the order of the first visits, from 1; 0 means not visited
	low        map[string]int // the smallest index reachable through open names
	stack      []string
	open       map[string]bool // the names on the stack
	components [][]string      // those of more than one name
}

func (s *search) visit(name string) {
	s.index[name] = len(s.index) + 1
	s.low[name] = s.index[name]
	s.stack = append(s.stack, name)
	s.open[name] = true
	for _, next := range slices.Sorted(maps.Keys(s.graph[name])) {
		switch {
		case s.index[next] == 0:
			s.visit(next)
			s.low[name] = min(s.low[name], s.low[next])
		case s.open[next]:
			s.low[name] = min(s.low[name], s.index[next])
		}
	}
	if s.low[name] == s.index[name] {
		s.closeComponent(name)
	}
}

// closeComponent removes the component that starts at root from the stack.
func (s *search) closeComponent(root string) {
	i := slices.Index(s.stack, root)
	component := slices.Sorted(slices.Values(s.stack[i:]))
	s.stack = s.stack[:i]
	for _, name := range component {
		delete(s.open, name)
	}
	if len(component) > 1 {
		s.components = append(s.components, component)
	}
}
