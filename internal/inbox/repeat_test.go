package inbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The message at the gate may be pushed again for another reason than that the box has asked for it. Taken then, it would
// open the gate to whatever comes next, and those refused behind it would never be asked for.
func TestGateStaysClosedUntilItHasAsked(t *testing.T) {
	var asked []string
	b := New[string](Config[string]{Bytes: 4 * Overhead, Relist: func(gate string) { asked = append(asked, gate) }}) // no workers
	for _, id := range []string{"a", "b", "c", "d"} {
		b.Hold(id)
	}
	assert.Equal(t, Refused, b.Offer("lane", "e", 0, "e"), "no room")
	assert.Equal(t, Refused, b.Offer("lane", "f", 0, "f"), "not its turn")

	b.Release("a")
	assert.Empty(t, asked)
	assert.Equal(t, Refused, b.Offer("lane", "e", 0, "e"), "there is room, but f would be left behind")

	b.Release("b")
	assert.Equal(t, []string{"e"}, asked)
	assert.Equal(t, Refused, b.Offer("lane", "e", 0, "e"), "the server has not answered yet: f may still be left behind")
	assert.True(t, b.Listed("e"), "it may not come any more")

	b.OpenGate() // with the next connection
	for _, id := range []string{"a", "b"} {
		b.Hold(id)
	}
	assert.Equal(t, Refused, b.Offer("lane", "e", 0, "e"))
	b.Release("a", "b")
	assert.False(t, b.Listed("e"))
	assert.False(t, b.Listed("x"), "asked for on an earlier connection, and answered late")
	assert.Equal(t, Taken, b.Offer("lane", "e", 0, "e"))
	assert.Equal(t, Taken, b.Offer("lane", "f", 0, "f"))
}
