package blazetest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

type faultJSON struct {
	Fault  int    `json:"fault" doc:"The number of the fault, to undo it."`
	Action string `json:"action"`
	Always bool   `json:"always"`
}

type faultsJSON struct {
	Faults         []faultJSON `json:"faults" doc:"Faults armed over HTTP that still apply."`
	Armed          []string    `json:"armed" doc:"All armed interceptions: the action, and once or always."`
	Latency        duration    `json:"latency"`
	BytesPerSecond int         `json:"bytes_per_second"`
	ClockOffset    duration    `json:"clock_offset"`
}

type slowIn struct {
	Latency        duration `json:"latency,omitempty"`
	BytesPerSecond int      `json:"bytes_per_second,omitempty"`
}

type cutIn struct {
	Link int `json:"link,omitempty" doc:"The number of a connection, from 1. Default: all connections."`
}

type clockIn struct {
	Offset duration `json:"offset"`
}

// armedFault is an interception that was armed over HTTP.
type armedFault struct {
	faultJSON
	undo func()
}

func (r *request) arm(in faultIn) (any, *controlError) {
	a, problem := in.answer()
	if problem == nil {
		problem = in.check(a)
	}
	if problem != nil {
		return nil, problem
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	n := r.last
	f := &armedFault{faultJSON: faultJSON{Fault: n, Action: in.Action, Always: in.Always}}
	arm := r.s.Intercept
	if in.Always {
		arm = r.s.InterceptAll
	}
	r.faults[n] = f
	f.undo = arm(in.Action, func(Frame) Answer {
		if !in.Always {
			r.disarm(n)
		}
		return a
	})
	return f.faultJSON, nil
}

// disarm removes a fault from the list. It returns nil if there is no fault with this number.
func (c *controller) disarm(n int) *armedFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.faults[n]
	delete(c.faults, n)
	return f
}

func (r *request) undo() (any, *controlError) {
	n, err := strconv.Atoi(r.http.PathValue("fault"))
	if err != nil {
		return nil, problem(http.StatusNotFound, "%q is not a fault number", r.http.PathValue("fault"))
	}
	f := r.disarm(n)
	if f == nil {
		return nil, problem(http.StatusNotFound, "fault %d does not exist; it was undone, used or never armed", n)
	}
	f.undo()
	return nil, nil
}

func (r *request) undoAll() (any, *controlError) {
	r.mu.Lock()
	all := r.faults
	r.faults = map[int]*armedFault{}
	r.mu.Unlock()
	for _, f := range all {
		f.undo()
	}
	r.s.Slow(0, 0)
	r.s.Clock(0)
	return nil, nil
}

func (r *request) listFaults() (any, *controlError) {
	j := faultsJSON{Faults: []faultJSON{}, Armed: listed(r.s.Armed()), ClockOffset: duration(r.s.offset.Load())}
	r.s.mu.Lock()
	j.Latency, j.BytesPerSecond = duration(r.s.speed.Latency), r.s.speed.BytesPerSecond
	r.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(r.faults)) {
		j.Faults = append(j.Faults, r.faults[n].faultJSON)
	}
	return j, nil
}

func (r *request) slow(in slowIn) (any, *controlError) {
	return nil, r.s.slow(serve.Speed{Latency: time.Duration(in.Latency), BytesPerSecond: in.BytesPerSecond})
}

func (r *request) cut(in cutIn) (any, *controlError) {
	if in.Link == 0 {
		r.s.Cut()
		return nil, nil
	}
	return nil, r.s.cutLink(in.Link)
}

func (r *request) clock(in clockIn) (any, *controlError) {
	r.s.Clock(time.Duration(in.Offset))
	return nil, nil
}
