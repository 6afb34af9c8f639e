package engine_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/engine"
)

var errLost = errors.New("lost")

// path has the transitions that lead a new lifecycle to each phase.
var path = map[engine.Phase][]engine.Phase{
	engine.Idle:       nil,
	engine.Connecting: {engine.Connecting},
	engine.Online:     {engine.Connecting, engine.Online},
	engine.Offline:    {engine.Connecting, engine.Offline},
	engine.Draining:   {engine.Connecting, engine.Online, engine.Draining},
	engine.Closed:     {engine.Connecting, engine.Draining, engine.Closed},
}

func in(t *testing.T, phase engine.Phase) *engine.Lifecycle {
	l := engine.NewLifecycle()
	for i, p := range path[phase] {
		if i == 0 {
			require.True(t, l.Start(nil))
			continue
		}
		require.True(t, l.To(p, nil))
	}
	return &l
}

// Each row is a phase and each column a next phase. An x marks an allowed transition. ARCHITECTURE.md has the diagram.
func TestPhases(t *testing.T) {
	columns := []engine.Phase{
		engine.Idle, engine.Connecting, engine.Online, engine.Offline, engine.Draining, engine.Closed,
	}
	rows := map[engine.Phase]string{
		//                  icofdz
		engine.Idle:       "......", // see TestASessionStartsOnce
		engine.Connecting: "..xxx.",
		engine.Online:     "...xx.",
		engine.Offline:    ".x..x.",
		engine.Draining:   ".....x",
		engine.Closed:     "......",
	}
	for from, row := range rows {
		for i, to := range columns {
			l := in(t, from)
			want := row[i] == 'x'
			assert.Equal(t, want, l.To(to, errLost), "from %d to %d", from, to)
			if !want {
				to = from
			}
			assert.Equal(t, to, l.Phase())
		}
	}
}

func TestASessionStartsOnce(t *testing.T) {
	for phase := range path {
		l := in(t, phase)
		want := phase == engine.Idle
		assert.Equal(t, want, l.Start(errLost), "in %d", phase)
		if want {
			phase = engine.Connecting
			assert.Equal(t, errLost, l.Why())
		}
		assert.Equal(t, phase, l.Phase())
	}
}

func TestTheReasonForNotWriting(t *testing.T) {
	l := engine.NewLifecycle()
	assert.Equal(t, engine.ErrNotRunning, l.Why())
	l.To(engine.Online, nil) // not allowed
	assert.Equal(t, engine.ErrNotRunning, l.Why())
	assert.True(t, l.Start(engine.ErrConnecting))
	assert.Equal(t, engine.ErrConnecting, l.Why())
	for _, step := range []struct {
		to        engine.Phase
		why, want error
	}{
		{engine.Offline, errLost, errLost},
		{engine.Connecting, nil, errLost},
		{engine.Online, nil, nil},
		{engine.Offline, errLost, errLost},
		{engine.Connecting, nil, errLost},
		{engine.Online, nil, nil},
		{engine.Draining, nil, nil},
		{engine.Offline, errLost, nil}, // not allowed
		{engine.Closed, engine.ErrClosed, engine.ErrClosed},
		{engine.Connecting, errLost, engine.ErrClosed}, // not allowed
	} {
		l.To(step.to, step.why)
		assert.Equal(t, step.want, l.Why(), "%+v", step)
	}
}
