package soak

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A bound missing from fast is zero and would end every connection at once.
func TestBoundsOfASoakAreComplete(t *testing.T) {
	v := reflect.ValueOf(fast.bounds)
	for i := range v.NumField() {
		assert.Positive(t, v.Field(i).Int(), v.Type().Field(i).Name)
	}
}
