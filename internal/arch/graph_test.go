package arch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// graph parses edges such as "a>b b>c".
func graph(edges string) Graph {
	g := make(Graph)
	for _, e := range strings.Fields(edges) {
		a, b, _ := strings.Cut(e, ">")
		g.Add(a, b)
	}
	return g
}

func TestLargestCycle(t *testing.T) {
	for _, test := range []struct{ name, edges, want string }{
		{"empty", "", ""},
		{"one way", "a>b b>c a>c", ""},
		{"itself", "a>a a>b", ""},
		{"pair", "a>b b>a", "a b"},
		{"ring with a tail on both sides", "x>a a>b b>c c>a c>y", "a b c"},
		{"two rings, joined one way", "a>b b>a b>c c>d d>e e>c", "c d e"},
		{"two rings that share a name", "a>b b>c c>a c>d d>e e>c", "a b c d e"},
		{"two rings of one size", "c>d d>c a>b b>a c>a", "a b"},
		{"a cross edge to a closed ring", "a>b b>a c>a c>d d>c d>e e>d", "c d e"},
		{"a shortcut back", "a>b b>c c>d d>b d>e e>f f>d", "b c d e f"},
		{"two branches that return", "a>b a>c b>d c>d d>a", "a b c d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, strings.Join(graph(test.edges).LargestCycle(), " "))
		})
	}
}

func TestMutual(t *testing.T) {
	assert.Empty(t, graph("a>b b>c c>a a>a").Mutual(), "a ring of three has no pair")
	assert.Equal(t, [][2]string{{"a", "b"}, {"b", "c"}}, graph("c>b b>c b>a a>b a>d").Mutual())
}
