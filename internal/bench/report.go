package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze/internal/report"
)

// Report has the measurements of one run.
type Report struct {
	report.Machine
	CPU    string  `json:"cpu,omitempty"` // name of the processor
	Rounds int     `json:"rounds"`
	Scale  float64 `json:"scale"` // 1: the intended counts and times

	Results []Result `json:"results"`
}

// Write writes the report as JSON, a line for each result. It creates the directory if it is missing.
func (r *Report) Write(path string) error {
	head := *r
	head.Results = []Result{}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	lines := make([]string, len(r.Results))
	for i, result := range r.Results {
		line, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		lines[i] = "    " + string(line)
	}
	before, _ := strings.CutSuffix(string(text), "]\n}")
	return report.Write(path, []byte(before+"\n"+strings.Join(lines, ",\n")+"\n  ]\n}\n"))
}

// Read reads the report of a complete run.
func Read(path string) (*Report, error) {
	r := new(Report)
	if err := report.Read(path, r); err != nil {
		return nil, err
	}
	if r.GoVersion == "" || r.Rounds == 0 || !r.whole() {
		return nil, fmt.Errorf("bench: %s is not the report of a whole run", path)
	}
	return r, nil
}

// Newest reads the newest of some reports.
func Newest(paths []string) (*Report, error) {
	var newest *Report
	for _, path := range paths {
		r, err := Read(path)
		if err != nil {
			return nil, err
		}
		if newest == nil || r.Date.After(newest.Date) {
			newest = r
		}
	}
	if newest == nil {
		return nil, errors.New("bench: no reports")
	}
	return newest, nil
}

// whole reports whether every contender of every scenario ran in every round.
func (r *Report) whole() bool {
	for round := range r.Rounds {
		for _, s := range scenarios() {
			for _, c := range s.contests {
				if _, ok := r.find(round, s.name, c.contender); !ok {
					return false
				}
			}
		}
	}
	return true
}

func (r *Report) find(round int, scenario, contender string) (Result, bool) {
	for _, result := range r.Results {
		if result.Round == round && result.Scenario == scenario && result.Contender == contender {
			return result, true
		}
	}
	return Result{}, false
}

// metric is one of the numbers of a Result.
type metric func(Result) float64

// The metrics.
var (
	perSecond  metric = func(r Result) float64 { return r.PerSecond }
	cpuMicros  metric = func(r Result) float64 { return r.CPUMicros }
	allocs     metric = func(r Result) float64 { return r.Allocs }
	bytesEach  metric = func(r Result) float64 { return r.Bytes }
	p50        metric = func(r Result) float64 { return r.P50Micros }
	p99        metric = func(r Result) float64 { return r.P99Micros }
	idleKB     metric = func(r Result) float64 { return r.IdleKB }
	goroutines metric = func(r Result) float64 { return r.Goroutines }
	heapMiB    metric = func(r Result) float64 { return r.HeapMiB }
	rssMiB     metric = func(r Result) float64 { return r.PeakRSSMiB }
)

// median returns the median of all rounds, or 0 if there is none.
func (r *Report) median(scenario, contender string, of metric) float64 {
	var values []float64
	for round := range r.Rounds {
		if result, ok := r.find(round, scenario, contender); ok {
			values = append(values, of(result))
		}
	}
	return middle(values)
}

// key identifies a contender in a scenario.
type key struct{ scenario, contender string }

// ratio returns the median of the ratios within each round, because a disturbance in a round affects both contenders.
// It is 0 if there is none.
func (r *Report) ratio(a, b key, of metric) float64 {
	var values []float64
	for round := range r.Rounds {
		x, ok := r.find(round, a.scenario, a.contender)
		y, there := r.find(round, b.scenario, b.contender)
		if ok && there && of(y) > 0 {
			values = append(values, of(x)/of(y))
		}
	}
	return middle(values)
}

// timesNaive and ofInflate return the speed of ours in a scenario, relative to the other contender.
func (r *Report) timesNaive(scenario string) float64 {
	return r.ratio(key{scenario, Ours}, key{scenario, Naive}, perSecond)
}

func (r *Report) ofInflate(scenario string) float64 {
	return r.ratio(key{scenario, Ours}, key{scenario, Inflate}, perSecond)
}

// withAcks returns the rate with acknowledgements, relative to the rate without.
func (r *Report) withAcks() float64 {
	return r.ratio(key{Receive80, Ours}, key{ReceiveNoAck80, Ours}, perSecond)
}

// timesSingle returns the rate of a batch, relative to single sends by 256 callers.
func (r *Report) timesSingle() float64 {
	return r.ratio(key{Batch, Ours}, key{Send256, Ours}, perSecond)
}

// latency returns the 99th percentile of the duration of a send, relative to naive.
func (r *Report) latency() float64 {
	return r.ratio(key{Send256, Ours}, key{Send256, Naive}, p99)
}

func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
