//go:build race

package soak

// Race reports whether the race detector watches this program.
const Race = true
