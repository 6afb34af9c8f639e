package outbox

import "github.com/mixin-blaze/blaze/internal/wire"

// Kind is the way in which a request ended.
type Kind uint8

// The ways in which a request ends.
const (
	Unanswered         Kind = iota // no final answer came: Outcome.Err says why
	Confirmed                      // the service accepted it
	Rejected                       // the service rejected it, for good
	TransientExhausted             // the service rejected it Config.Attempts times for transient reasons
	Split                          // it was split: Outcome.Parts has the outcomes
)

// Outcome says how a request ended.
type Outcome struct {
	Kind Kind
	// Rejection is the answer of a request that was Rejected or TransientExhausted. Of an Unanswered one it is the last
	// rejection that was not final, or nil; of one that was split, the rejection that used up its attempts, or nil.
	Rejection   *wire.Error
	Unconfirmed bool  // an attempt got no answer: it may have been carried out, whatever a later attempt was answered
	Err         error // why the request is Unanswered; nil for the other kinds
	Attempts    int   // how often it was written
	// Parts are the outcomes of the parts, in their order, of a request that was split; nil: it was not. If the service
	// confirmed the whole after that, Kind is Confirmed, and so are the parts that had no outcome yet.
	Parts []Outcome
}

// Verdict says what a rejection means for the request.
type Verdict uint8

// The verdicts.
const (
	Final     Verdict = iota // the request ends, or is split
	Whole                    // the request ends, and is not split: the reason is not in its content
	Transient                // it is written again, until Config.Attempts rejections
	Passing                  // it is written again: the reason is not the request's, and no attempt is used
)

// end delivers the outcome to the caller of Go or Do. It is called once, under no lock, after e was removed.
func (e *entry) end(o Outcome) {
	if e.done != nil {
		e.done(o)
		return
	}
	e.ended <- o // has room for one
}

// endings are requests that have ended, whose callers are told once the lock is free. Mostly it is one.
type endings struct {
	first ending
	more  []ending
}

type ending struct {
	e *entry
	o Outcome
}

func (s *endings) add(e *entry, o Outcome) {
	if s.first.e == nil {
		s.first = ending{e, o}
		return
	}
	s.more = append(s.more, ending{e, o})
}

func (s *endings) run() {
	if s.first.e == nil {
		return
	}
	s.first.e.end(s.first.o)
	for _, end := range s.more {
		end.e.end(end.o)
	}
}

// finish removes e, which has ended with o.
func (b *Box) finish(e *entry, o Outcome, ends *endings) {
	b.remove(e)
	if e.whole != nil {
		b.partEnded(e, o, ends)
		return
	}
	ends.add(e, o)
}

// answered returns the outcome of a request that has its final answer.
func (e *entry) answered(rejection *wire.Error, verdict Verdict) Outcome {
	o := Outcome{Kind: Rejected, Rejection: rejection, Unconfirmed: e.unconfirmed, Attempts: e.attempts}
	switch {
	case rejection == nil:
		o.Kind = Confirmed
	case verdict == Transient:
		o.Kind = TransientExhausted
	}
	return o
}

// unanswered returns the outcome of a request that err ended.
func (e *entry) unanswered(err error) Outcome {
	//mutant:outcome-unsure
	return Outcome{
		Kind: Unanswered, Rejection: e.rejection, Unconfirmed: e.unconfirmed || e.state == written,
		Err: err, Attempts: e.attempts,
	}
}
