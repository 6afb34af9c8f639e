package blazetest

import (
	"bytes"
	"errors"
	"net/http"
)

type scriptJSON struct {
	Failed []failureJSON `json:"failed" doc:"The lines that failed."`
}

type failureJSON struct {
	Line   int    `json:"line" doc:"From 1; 0 for the whole script."`
	Reason string `json:"reason"`
}

func (r *request) script() (any, *controlError) {
	lines, err := parseScript(string(r.body))
	if err != nil {
		return nil, invalidBody("%v", err)
	}
	failed := []failureJSON{}
	p := &player{ctx: r.http.Context(), s: r.s, lines: lines}
	p.report = func(line int, text string) { failed = append(failed, failureJSON{line, text}) }
	if err := p.begin(); err != nil {
		return nil, problem(http.StatusConflict, "%v", err)
	}
	defer p.end()
	for _, m := range p.unread() {
		p.read[m.index] = true // the script is a talk that begins now
	}
	p.play()
	return scriptJSON{failed}, nil
}

func (r *request) replay() (any, *controlError) {
	lines, err := r.s.readOwn(bytes.NewReader(r.body))
	if err != nil {
		return nil, invalidBody("%v", err)
	}
	err = r.s.playRecording(r.http.Context(), lines)
	switch {
	case errors.Is(err, errClosed):
		return nil, problem(http.StatusServiceUnavailable, "%v", err)
	case err != nil:
		return nil, problem(http.StatusConflict, "%v", err)
	}
	return nil, nil
}
