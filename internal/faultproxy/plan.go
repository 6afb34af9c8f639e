package faultproxy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is a kind of fault.
type Kind uint8

// The kinds of faults. Reset, Finish and Vanish end a connection sooner or later; the others only disturb it.
const (
	Reset Kind = iota // both sides get an RST as soon as At bytes were forwarded
	// the receiver gets a FIN as soon as At bytes were forwarded; later bytes of the sender are discarded
	Finish
	Vanish // the bytes from At on are discarded, and the connection stays open: a black hole
	Slice  // the Length bytes from At on are forwarded in writes of at most Size
	Delay  // the bytes from At on are delayed by Wait, once
	kinds
)

// String returns the name that a kind is counted under.
func (k Kind) String() string {
	return [...]string{"reset", "finish", "vanish", "slice", "delay"}[k]
}

// Direction is a direction of data through the proxy.
type Direction uint8

// The directions.
const (
	Up   Direction = iota // from the client to the server
	Down                  // from the server to the client
	directions
)

// String returns the name that a direction is counted under.
func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Fault is one fault in one direction of one connection.
type Fault struct {
	Kind      Kind
	Direction Direction
	At        int64         // number of bytes of that direction before the fault
	Size      int           // for Slice: maximum bytes of one write, at least 1
	Length    int64         // for Slice: number of bytes that are sliced
	Wait      time.Duration // for Delay
}

// Plan has the faults of one connection. Faults at the same byte occur in the order of the plan.
type Plan []Fault

// in returns the faults of one direction, ordered by At.
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

// handshake is an upper bound of the size of a handshake.
const handshake = 1 << 10

// Volume is the average number of bytes on a connection before it is cut.
type Volume struct{ Up, Down int64 }

// Random returns plans generated from seed: connection n always gets the same plan. Most connections are reset or
// finished in either direction. One in twenty ends in a black hole, and the plan does not end two in twenty. One in
// eight is cut within its first kilobyte, which has the handshake; black holes open after it.
func Random(seed uint64, mean Volume) func(conn int) Plan {
	return func(conn int) Plan {
		//nolint:gosec // G404, G115: the chance must be reproducible
		r := rand.New(rand.NewPCG(seed, uint64(conn)))
		var p Plan
		for range r.IntN(3) {
			p = append(p, hindrance(r, mean))
		}
		// Not random: one of twenty connections ends in a black hole, with alternating directions.
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

// cut returns a fault that ends a connection, at a random byte.
func cut(r *rand.Rand, mean Volume, k Kind, d Direction) Fault {
	switch {
	case k == Vanish: // early, so that it happens, but after the handshake, which would wait for its timeout
		return Fault{Kind: k, Direction: d, At: handshake + place(r, mean, d)/4}
	case r.IntN(8) == 0:
		return Fault{Kind: k, Direction: d, At: r.Int64N(handshake)}
	}
	return Fault{Kind: k, Direction: d, At: place(r, mean, d)}
}

// hindrance returns a random fault that does not end a connection.
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

// Label returns the key of a fault in [Proxy.Fired].
func Label(k Kind, d Direction) string { return fmt.Sprintf("%v %v", k, d) }
