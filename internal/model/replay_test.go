package model

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The model allows the transitions that the Go code allows, and both have the same state after each step.
func TestTheModelReplaysSchedules(t *testing.T) {
	if err := Installed(); err != nil {
		t.Skip(err)
	}
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			steps, c := runSchedule(t, seed, 250)
			require.NotEmpty(t, steps)
			if out := replay(t, steps, &c); !strings.Contains(out, "everything was replayed") {
				t.Error(out)
			}
		})
	}
}

func TestAReplayNoticesADifference(t *testing.T) {
	if err := Installed(); err != nil {
		t.Skip(err)
	}
	steps, c := runSchedule(t, 1, 250)
	require.NotEmpty(t, steps)
	steps[len(steps)-1].after.used++
	assert.NotContains(t, replay(t, steps, &c), "everything was replayed")
}

// replay simulates the model along a trace, and returns the output of spin.
func replay(t *testing.T, steps []step, c *client) string {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, sources))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trace.pml"), []byte(trace(steps)), 0o600))
	args := []string{
		"-DREPLAY", fmt.Sprint("-DN=", messages), fmt.Sprint("-DS=", sends),
		fmt.Sprint("-DACKFRAMES=", ackFrames),
		fmt.Sprint("-DSUSPECT=", suspectFrom), fmt.Sprint("-DATTEMPTS=", attempts),
		fmt.Sprint("-DCAP=", c.capacity), "-DLOSSES=255", "-DFAILS=255",
		"-DTIMEOUTS=100", "-DLIVES=2", "-n1", "delivery.pml",
	}
	if c.sendOnly {
		args = append([]string{"-DSEND_ONLY"}, args...)
	}
	out, err := run(t.Context(), dir, "spin", args...)
	if err != nil {
		out += err.Error()
	}
	return out
}

// trace returns a process that makes the model take the steps in order.
func trace(steps []step) string {
	var s strings.Builder
	s.WriteString("active proctype schedule() {\n")
	for i, st := range steps {
		arg := st.arg
		switch st.name {
		case "push":
			fmt.Fprintf(&s, "\ttoClient!PUSH,%d; wantFrom = %d;", st.arg, st.from&255)
			arg = 0
		case "listed":
			s.WriteString("\ttoClient!LISTED,0;")
		case "ackConfirmed":
			fmt.Fprintf(&s, "\ttoClient!ACKED,%d;", st.mask)
			arg = 0
		case "sendConfirmed":
			fmt.Fprintf(&s, "\ttoClient!SENT,%d;", st.arg-ackFrames)
			arg = 0
		case "hangUp":
			s.WriteString("\ttoClient!BYE,0;")
		case "send":
			arg = st.arg - ackFrames
		}
		fmt.Fprintf(&s, "\twantArg = %d; want = T_%s; want == 0;\n", arg, st.name)
		s.WriteString("\tdo :: nempty(toServer) -> toServer?_,_ :: empty(toServer) -> break od;\n")
		fmt.Fprintf(&s, "\tprintf(\"step %d: %s\\n\"); assert(%s);\n", i, st.name, state(&st.after))
	}
	s.WriteString("\tprintf(\"everything was replayed\\n\")\n}\n")
	return s.String()
}

// state returns an expression that is true in one state of the model.
func state(c *client) string {
	var terms []string
	is := func(name string, value any) {
		n := 0
		switch v := value.(type) {
		case int:
			n = v
			if v == none {
				n = 255
			}
		case bool:
			if v {
				n = 1
			}
		}
		terms = append(terms, fmt.Sprintf("%s == %d", name, n))
	}
	for i, st := range c.st {
		is(fmt.Sprintf("st[%d]", i), int(st))
	}
	done := 0
	for i, d := range c.done {
		if d {
			done |= 1 << i
		}
	}
	for l := range convs {
		is(fmt.Sprintf("own[%d]", l), len(c.lane[l]))
		for at, i := range c.lane[l] {
			is(fmt.Sprintf("lane[%d]", l*messages+at), i)
		}
		is(fmt.Sprintf("closed[%d]", l), c.closed[l])
	}
	for r := range ackFrames + sends {
		is(fmt.Sprintf("rq[%d]", r), int(c.rq[r]))
		is(fmt.Sprintf("blamed[%d]", r), c.blamed[r])
		is(fmt.Sprintf("alone[%d]", r), c.alone[r])
		is(fmt.Sprintf("early[%d]", r), c.early[r])
	}
	for r := range ackFrames {
		is(fmt.Sprintf("mask[%d]", r), c.mask[r])
		is(fmt.Sprintf("whole[%d]", r), c.whole[r])
	}
	for at, r := range c.order {
		is(fmt.Sprintf("order[%d]", at), r)
	}
	for at, r := range c.owed {
		is(fmt.Sprintf("owed[%d]", at), r)
	}
	ack, send := c.next()
	is("nextAck", ack)
	is("nextSend", send)
	is("count", len(c.order))
	is("owes", len(c.owed))
	is("used", c.used)
	is("most", c.most)
	is("done", done)
	is("solo", c.solo)
	is("window", c.window)
	for name, value := range map[string]bool{
		"up": c.up, "closedAll": c.closedAll, "low": c.low, "due": c.due, "soloWritten": c.soloWritten,
		"listWritten": c.listWritten, "listOwed": c.listOwed,
		"answered": c.answered, "quiet": c.quiet, "stopped": c.stopped,
		"cautious": c.cautious, "proven": c.proven, "listPassed": c.listPassed,
	} {
		is(name, value)
	}
	return strings.Join(terms, " && ")
}
