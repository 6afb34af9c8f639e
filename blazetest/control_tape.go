package blazetest

import (
	"bytes"
	"net/http"
	"sync"
)

// maxTape is how many bytes a recording has at most, on its way in or out.
const maxTape = 64 << 20

type recordIn struct {
	OmitBodies bool `json:"omit_bodies,omitempty" doc:"Leaves out what messages say."`
}

// tape is a recording in memory. It keeps whole lines.
type tape struct {
	stop func()

	mu   sync.Mutex
	text bytes.Buffer
	full bool
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full = t.full || t.text.Len()+len(p) > maxTape; !t.full {
		t.text.Write(p)
	}
	return len(p), nil
}

func (t *tape) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text.Bytes())
}

func (r *request) record(in recordIn) (any, *controlError) {
	t := new(tape)
	t.stop = r.s.recordTo(t, RecorderOptions{OmitBodies: in.OmitBodies})
	r.mu.Lock()
	before := r.tape
	r.tape = t
	r.mu.Unlock()
	if before != nil {
		before.stop()
	}
	return nil, nil
}

func (r *request) recording() (any, *controlError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tape == nil {
		return nil, problem(http.StatusNotFound, "there is no recording; POST %srecording begins one", controlPath)
	}
	return r.tape.bytes(), nil
}
