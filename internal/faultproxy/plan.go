package faultproxy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what happens to a connection.
type Kind uint8

// The kinds. Reset, Finish and Vanish end a connection sooner or later; the others only make it worse.
const (
	Reset Kind = iota // both sides get an RST as soon as At bytes were passed on
	// the receiver gets a FIN as soon as At bytes were passed on; what the sender still writes vanishes
	Finish
	Vanish // the bytes from At on vanish, and the connection stays: a black hole
	Slice  // the Length bytes from At on are passed on in writes of at most Size
	Delay  // the bytes from At on wait for Wait, once
	kinds
)

// String returns the name under which a kind is counted.
func (k Kind) String() string {
	return [...]string{"reset", "finish", "vanish", "slice", "delay"}[k]
}

// Direction is one way through the proxy.
type Direction uint8

// The directions.
const (
	Up   Direction = iota // from the client to the server
	Down                  // from the server to the client
	directions
)

// String returns the name under which a direction is counted.
func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Fault is one thing that happens to one direction of one connection.
type Fault struct {
	Kind      Kind
	Direction Direction
	At        int64         // after how many bytes of that direction
	Size      int           // for Slice: bytes of one write, at least 1
	Length    int64         // for Slice: bytes that are sliced
	Wait      time.Duration // for Delay
}

// Plan is what happens to one connection. Faults at the same byte happen in the order of the plan.
type Plan []Fault

// in returns the faults of one direction, in the order of their bytes.
func (p Plan) in(d Direction) []Fault {
	var fs []Fault
	for _, f := range p {
		if f.Direction == d {
			fs = append(fs, f)
		}
	}
	slices.SortStableFunc(fs, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return fs
}

// handshake is more bytes than one takes.
const handshake = 1 << 10

// Volume says how many bytes a connection carries on average before it is cut.
type Volume struct{ Up, Down int64 }

// Random returns plans drawn from seed: that of connection n is the same whenever it is asked for. Most connections are
// reset or finished in either direction, one in twenty ends in a black hole, and two in twenty have an end of another's
// making. One in eight is cut within its first kilobyte, where the handshake is; black holes open behind it.
func Random(seed uint64, mean Volume) func(conn int) Plan {
	return func(conn int) Plan {
		//nolint:gosec // G404, G115: chance that can be repeated is the point
		r := rand.New(rand.NewPCG(seed, uint64(conn)))
		var p Plan
		for range r.IntN(3) {
			p = append(p, hindrance(r, mean))
		}
		// By turns, not by chance: of any twenty connections one ends in a black hole, in either direction by turns.
		switch n := (conn*7 + int(seed%20)) % 20; {
		case n < 11:
			p = append(p, cut(r, mean, Reset, either(r)))
		case n < 17:
			p = append(p, cut(r, mean, Finish, either(r)))
		case n < 18:
			p = append(p, cut(r, mean, Vanish, []Direction{Up, Down}[conn/20%2]))
		}
		return p
	}
}

// cut draws where a connection ends.
func cut(r *rand.Rand, mean Volume, k Kind, d Direction) Fault {
	switch {
	case k == Vanish: // early, so that it happens; a handshake that stalls costs its whole timeout, so not at once
		return Fault{Kind: k, Direction: d, At: handshake + place(r, mean, d)/4}
	case r.IntN(8) == 0:
		return Fault{Kind: k, Direction: d, At: r.Int64N(handshake)}
	}
	return Fault{Kind: k, Direction: d, At: place(r, mean, d)}
}

// hindrance draws a fault that a connection survives.
func hindrance(r *rand.Rand, mean Volume) Fault {
	d := either(r)
	f := Fault{
		Kind: Delay, Direction: d, At: place(r, mean, d) / 2, Wait: time.Duration(1+r.IntN(30)) * time.Millisecond,
	}
	if r.IntN(2) == 0 {
		f = Fault{Kind: Slice, Direction: d, At: f.At, Size: 1 + r.IntN(32), Length: 1 + r.Int64N(4<<10)}
	}
	return f
}

func either(r *rand.Rand) Direction {
	if r.IntN(2) == 0 {
		return Up
	}
	return Down
}

func place(r *rand.Rand, mean Volume, d Direction) int64 {
	if d == Up {
		return r.Int64N(2*mean.Up + 1)
	}
	return r.Int64N(2*mean.Down + 1)
}

// Label is the key of a fault in [Proxy.Fired].
func Label(k Kind, d Direction) string { return fmt.Sprintf("%v %v", k, d) }
