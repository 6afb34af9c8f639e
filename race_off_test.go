//go:build !race

package blaze_test

// raced reports whether the race detector is on, which makes everything several times slower.
const raced = false
