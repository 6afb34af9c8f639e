package blazetest

import (
	"bytes"
	"errors"
	"net/http"
)

type scriptIn struct {
	Script string            `json:"script"`
	Files  map[string][]byte `json:"files,omitempty" doc:"Files that the script sends, in base64, by name."`
	Update bool              `json:"update,omitempty" doc:"Returns the script updated with the messages of the bot."`
}

type scriptJSON struct {
	Failed []failureJSON `json:"failed" doc:"The failed lines."`
	Script string        `json:"script,omitempty" doc:"With update, the updated script."`
}

type failureJSON struct {
	Line   int    `json:"line" doc:"From 1; 0 for the whole script."`
	Reason string `json:"reason"`
}

// script plays a script. The body is a JSON object or the script itself; no script begins with a brace.
func (r *request) script() (any, *controlError) {
	in := scriptIn{Script: string(r.body)}
	if bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("{")) {
		in = scriptIn{}
		if problem := readJSON(r.body, &in); problem != nil {
			return nil, problem
		}
	}
	lines, err := parseScript(in.Script)
	if err != nil {
		return nil, invalidBody("%v", err)
	}
	return r.play(in, lines)
}

func (r *request) play(in scriptIn, lines []scriptLine) (any, *controlError) {
	answer := scriptJSON{Failed: []failureJSON{}}
	p := &player{ctx: r.http.Context(), s: r.s, files: in.file, lines: lines}
	p.report = func(line int, text string) { answer.Failed = append(answer.Failed, failureJSON{line, text}) }
	if err := p.begin(); err != nil {
		return nil, problem(http.StatusConflict, "%v", err)
	}
	defer p.end()
	for _, m := range p.unread() {
		p.read[m.index] = true // earlier messages are not part of the script
	}
	if in.Update {
		answer.Script, _ = p.rewrite() // a failed rewrite reports a line
	} else {
		p.play()
	}
	return answer, nil
}

// file returns a file of the request.
func (in *scriptIn) file(name string) (file []byte, reason string) {
	file, ok := in.Files[name]
	if !ok {
		return nil, "files does not contain " + name
	}
	return file, ""
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
