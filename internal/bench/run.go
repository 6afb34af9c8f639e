package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/mixin-blaze/blaze/internal/report"
)

// patience is the time limit of one process.
const patience = 5 * time.Minute

// Options configures Run.
type Options struct {
	Program    string  // a program that calls Child if IsChild
	Rounds     int     // number of repetitions
	Scale      float64 // multiplies counts and times; 1: the intended ones
	Only       string  // regular expression for "scenario contender"; "": all
	CPUProfile string  // file written by the last contender
	MemProfile string  // file written by the last contender
	Progress   func(Result)
}

// Run runs every contender in every scenario, each in a separate process. All processes have ended when it returns.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	rows, scripts, err := o.rows()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := spawn(ctx, o.Program, roleServer, scripts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.wait()) }()
	var where Server
	if err := server.stdout.Decode(&where); err != nil {
		return nil, fmt.Errorf("bench: the server does not start: %w", err)
	}
	rep = &Report{
		Machine: report.ThisMachine(time.Now()), CPU: cpuModel(), Rounds: o.Rounds, Scale: o.Scale,
	}
	for round := range o.Rounds {
		for _, row := range rows {
			for i := range row { // a different one is first in each round
				r, err := o.contest(ctx, row[(i+round)%len(row)], &where)
				if err != nil {
					return nil, err
				}
				r.Round = round
				rep.Results = append(rep.Results, r)
				if o.Progress != nil {
					o.Progress(r)
				}
			}
		}
	}
	return rep, nil
}

// rows returns the cells to run, and the scripts for the server.
func (o Options) rows() ([][]cell, map[string]Script, error) {
	only, err := regexp.Compile(o.Only)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	var rows [][]cell
	scripts := make(map[string]Script)
	for _, all := range plan(o.Scale) {
		var row []cell
		for _, c := range all {
			if only.MatchString(c.name()) {
				row = append(row, c)
				scripts[c.name()] = c.script
			}
		}
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("bench: nothing is called %q", o.Only)
	}
	return rows, scripts, nil
}

// contest runs one process.
func (o Options) contest(ctx context.Context, c cell, where *Server) (r Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := c.task
	t.Address, t.Roots, t.CPUProfile, t.MemProfile = where.Addresses[c.name()], where.Roots, o.CPUProfile, o.MemProfile
	p, err := spawn(ctx, o.Program, roleContender, t)
	if err != nil {
		return Result{}, err
	}
	if err := p.stdout.Decode(&r); err != nil {
		return Result{}, fmt.Errorf("bench: no result of %s: %w", c.name(), errors.Join(err, p.exited()))
	}
	return r, p.exited()
}
