//go:build !race

package testkit

// Race reports whether the race detector is on, which makes a program several times slower.
const Race = false
