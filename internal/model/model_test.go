package model

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The output of real searches, shortened.
const (
	kept = `
(Spin Version 6.5.2 -- 6 December 2019)
State-vector 180 byte, depth reached 69, errors: 0
    39495 states, stored
pan: elapsed time 0.22 seconds
transition 1 happened
transition 20 happened
`
	broke = `pan:1: assertion violated  !((101&& !(((arg&done)==arg)))) (at depth 37)
pan: wrote delivery.pml.trail
Warning: Search not completed
State-vector 132 byte, depth reached 42, errors: 1
       43 states, stored
`
	endless = `pan:1: acceptance cycle (at depth 65)
Warning: Search not completed
State-vector 164 byte, depth reached 168, errors: 1
      970 states, stored (14453 visited)
`
	nameless = `pan:1: invalid end state (at depth 65)
State-vector 164 byte, depth reached 168, errors: 1
      970 states, stored
`
	shallow = `error: max search depth too small
State-vector 164 byte, depth reached 9, errors: 0
      12 states, stored
`
	large = `pan: reached -DMEMLIM bound
State-vector 164 byte, depth reached 9, errors: 0
Warning: Search not completed
      12 states, stored
`
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		out  string
		want Result
	}{
		"kept":      {kept, Result{States: 39495, Happened: map[int]bool{1: true, 20: true}}},
		"broken":    {broke, Result{States: 43, Violated: AckedIsFinished, Happened: map[int]bool{}}},
		"endless":   {endless, Result{States: 970, Violated: Served, Happened: map[int]bool{}}},
		"no number": {nameless, Result{States: 970, Violated: unknown, Happened: map[int]bool{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.out)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestATruncatedSearchIsAnError(t *testing.T) {
	for name, out := range map[string]string{"depth": shallow, "memory": large, "nothing": "Segmentation fault"} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(out)
			assert.Error(t, err)
		})
	}
}

func TestAllHappened(t *testing.T) {
	all, err := transitions()
	require.NoError(t, err)
	require.Greater(t, len(all), 20)
	first, second := make(map[int]bool), make(map[int]bool)
	for n := range all {
		if n%2 == 0 {
			first[n] = true
		} else {
			second[n] = true
		}
	}
	require.NoError(t, AllHappened([]map[int]bool{first, second}))
	delete(second, 1)
	assert.ErrorContains(t, AllHappened([]map[int]bool{first, second}), ": "+all[1])
}

// One search that finds nothing, and one for each kind of result.
func TestSearch(t *testing.T) {
	if err := Installed(); err != nil {
		t.Skip(err)
	}
	for _, c := range []Config{
		{Set: "N=3"},
		{Set: "N=3 BUG_ACK_EARLY", Violates: AckedIsFinished},
		{Set: "N=1 S=3 POISON_SEND=0 BUG_POISON_FIRST", Eventually: true, Violates: Served},
	} {
		t.Run(c.Set, func(t *testing.T) {
			r, err := Search(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, c.Violates, r.Violated)
		})
	}
}
