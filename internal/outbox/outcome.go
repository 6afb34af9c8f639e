package outbox

import "github.com/mixin-blaze/blaze/internal/wire"

// Kind is the kind of an Outcome.
type Kind uint8

// Kinds of Outcomes.
const (
	Unanswered         Kind = iota // no final reply; Outcome.Err has the reason
	Confirmed                      // the service accepted it
	Rejected                       // the service rejected it permanently
	TransientExhausted             // the service rejected it Config.Attempts times for transient reasons
	Split                          // it was split; Outcome.Parts has the outcomes
)

// Outcome is the result of a request.
type Outcome struct {
	Kind Kind
	// Rejection is the reply to a request that was Rejected or TransientExhausted. If it is Unanswered, Rejection is
	// the last one that was not final, or nil. If it was split, Rejection is the one that used up its attempts, or nil.
	Rejection   *wire.Error
	Unconfirmed bool  // an attempt got no reply: it may have been carried out, whatever the reply to a later attempt
	Err         error // the reason for Unanswered; nil for the other kinds
	Attempts    int   // number of writes
	// Parts are the outcomes of the parts of a split request, in order; nil: it was not split. If the service confirmed
	// the whole later, Kind is Confirmed, and so are the parts without an outcome.
	Parts []Outcome
}

// Verdict is the consequence of a rejection.
type Verdict uint8

// Verdicts.
const (
	Final     Verdict = iota // the request ends or is split
	Whole                    // the request ends without being split: the reason is not its content
	Transient                // it is written again, until Config.Attempts rejections
	Passing                  // it is written again without using up an attempt: the request is not the reason
)

// end delivers the outcome to the caller of Go or Do. It is called once, without locks, after e was removed.
func (e *entry) end(o Outcome) {
	if e.done != nil {
		e.done(o)
		return
	}
	e.ended <- o // buffered
}

// endings are finished requests that are reported after the lock is released. Usually there is one.
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

// answered returns the outcome for a final reply.
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

// unanswered returns the outcome of a request ended by err.
func (e *entry) unanswered(err error) Outcome {
	//mutant:outcome-unconfirmed
	return Outcome{
		Kind: Unanswered, Rejection: e.rejection, Unconfirmed: e.unconfirmed || e.state == written,
		Err: err, Attempts: e.attempts,
	}
}
