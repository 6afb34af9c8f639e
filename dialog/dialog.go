// Package dialog asks a person one question after the other and collects the answers in a form. Forms survive
// redelivery: a message that was taken as an answer is never taken as the next one, also after a restart if the [Store]
// keeps the states of forms outside of the process.
//
// A form belongs to one person in one conversation. [Dialog.Start] opens it, for example from a command, and
// [Dialog.Handle] takes the answers. Handle comes first in Route. In groups it needs [blaze.Mentioned]: otherwise the
// mention of the bot is a part of each answer.
//
//	blaze.Route(
//		blaze.Mentioned(c, orders.Handle),
//		blaze.Command("/order", func(ctx context.Context, m *blaze.Message, _ string) error {
//			return orders.Start(ctx, m)
//		}),
//	)
//
// The order for an answer is: Take, the next question is sent, [Store].Save, acknowledgement. For the last answer it
// is: Take, Done, Save, acknowledgement. A process that dies in between leaves the message pending:
//
//   - Before the question was sent, or between the question and Save: Take runs again, with the form as it was before.
//     The question has the same MessageID if it has the same content, so the person gets it once.
//   - In Done, or between Done and Save: Take and Done run again. Make the effect of Done idempotent by the message's
//     ID.
//   - Between Save and the acknowledgement: the message is acknowledged, and nothing else happens.
//
// The ids of a person's last 64 answers are kept for at least eight days, which is longer than the service keeps
// messages.
//
// Messages of a conversation are handled one at a time, so a form is too. Two processes must not share a Store.
package dialog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/words"
)

const (
	defaultExpiry = 24 * time.Hour
	canceled      = blaze.Text("Canceled.") // the reply to a cancel word
)

// Dialog is a form of type T with the questions that fill it in. T is encoded as JSON, so only its exported fields
// last, and at most 64 KiB of them. Do not change or copy a Dialog after first use.
type Dialog[T any] struct {
	Client *blaze.Client // that runs the handlers
	// Store keeps forms. Nil means in memory: at most 10,000. The least recently used are forgotten first. They are
	// lost with the process; messages that are redelivered to the next one then fill in a new form, and Done may run
	// for them again.
	Store Store
	// Name distinguishes Dialogs that share a Store. Zero means the type of T with its package, which a renaming would
	// change; types that are declared in functions need a Name.
	Name string
	// Steps has at least one step. Open forms have the index of a step, so a new version of a bot may only append
	// steps, unless Name changes too.
	Steps []Step[T]
	// Done gets the message with the last answer, and the complete form. It replies itself, and must not call Start of
	// the same Dialog. After an error that is retried, the form stays at its last step. After one for which the message
	// is dropped (see blaze.Handler), the form is closed, so that the next message does not run Done again.
	Done   func(ctx context.Context, m *blaze.Message, form T) error
	Expiry time.Duration // time after the last answer in which the next may be written; 0: a day
	// Cancel has words, such as "/cancel", that close an open form with the reply "Canceled." if they are all of a
	// text. Case and surrounding white space do not matter.
	Cancel []string

	once   sync.Once
	memory Store // used if Store is nil
}

// Step is one question of a Dialog.
type Step[T any] struct {
	// Ask returns the question. It should depend on the form alone, because it is called again when a message is
	// redelivered.
	Ask func(form T) blaze.Payload
	// Take puts the answer into the form. If it returns an *[Again], the person is asked again. Any other error is the
	// result of Handle, and the answer is not taken: blaze.ErrNotHandled passes the message to the next handler. Take
	// should reject values that JSON cannot hold, such as NaN.
	Take func(ctx context.Context, m *blaze.Message, form *T) error
}

// Again is an error of Take for an answer of no use, such as "many" to the question for a number. The question itself
// is not repeated.
type Again struct {
	Text blaze.Text // the reply, which should tell how to answer
}

// Error returns a text without Text, which may quote the answer.
func (*Again) Error() string { return "dialog: the question is asked again" }

// Start opens a form with the zero T for the sender of m and asks the first question. It replaces an open form. A
// message that was answered before, or is older than the last answer, opens none.
//
// Start and Handle panic if a field of the Dialog is missing.
func (d *Dialog[T]) Start(ctx context.Context, m *blaze.Message) error {
	d.check("Start")
	s, err := d.load(ctx, m)
	switch {
	case err != nil:
		return err
	//mutant:dialog-start
	case s.answered(m), s.older(m):
		return nil
	}
	var form T
	return d.ask(ctx, m, s, 0, form)
}

// Handle is a [blaze.Handler] that takes m as an answer if its sender has an open form. It declines all other messages,
// and these:
//
//   - texts that begin with a slash, because they are commands, except the words in Cancel;
//   - messages of the system, recalls and pins;
//   - messages that are older than the last answer and were not taken: another handler got them before.
//
// In a group every message of a person with an open form is an answer. Wrap Handle in [blaze.Mentioned] to take only
// those that mention the bot, without the mention.
//
// A saved form that does not fit T, and one that is too large, is an error that wraps [blaze.ErrDrop].
func (d *Dialog[T]) Handle(ctx context.Context, m *blaze.Message) error {
	d.check("Handle")
	cancel := d.cancels(m)
	if !cancel && !answers(m) {
		return blaze.ErrNotHandled
	}
	s, err := d.load(ctx, m)
	switch {
	case err != nil:
		return err
	//mutant:dialog-answered
	case s.answered(m):
		return nil
	//mutant:dialog-older
	case !d.open(s, m), s.older(m):
		return blaze.ErrNotHandled
	case cancel:
		return d.answer(ctx, m, s.end(m), canceled)
	}
	return d.take(ctx, m, s)
}

// take passes an answer to the current step.
func (d *Dialog[T]) take(ctx context.Context, m *blaze.Message, s State) error {
	form, err := decode[T](s.Form)
	if err != nil {
		return err
	}
	err = d.Steps[s.Step].Take(ctx, m, &form)
	var again *Again
	switch {
	case errors.As(err, &again) && again != nil:
		return d.answer(ctx, m, s, again.Text)
	case err != nil:
		return err
	case s.Step+1 < len(d.Steps):
		return d.ask(ctx, m, s, s.Step+1, form)
	}
	err = stored(d.Done(ctx, m, form))
	//mutant:dialog-end
	if err != nil && !m.LastAttempt && !errors.Is(err, blaze.ErrDrop) && !blaze.Final(err) {
		return err // retried
	}
	if failed := d.save(ctx, m, s.end(m)); err == nil {
		err = failed
	}
	return err
}

// ask asks the question of a step and saves the form at that step. The form is encoded first, because one that cannot
// be saved must not be answered.
func (d *Dialog[T]) ask(ctx context.Context, m *blaze.Message, s State, step int, form T) error {
	data, err := encode(form)
	if err != nil {
		return err
	}
	s.Step, s.MessageID, s.Form = step, idOf(m), data
	//mutant:dialog-order
	return d.answer(ctx, m, s, d.Steps[step].Ask(form))
}

// answer replies to m and saves s.
func (d *Dialog[T]) answer(ctx context.Context, m *blaze.Message, s State, p blaze.Payload) error {
	if err := stored(d.Client.Reply(ctx, m, p)); err != nil {
		return err
	}
	return d.save(ctx, m, s)
}

// stored returns nil for a 403 to a reply that may be stored, because the service may answer a stored id so. Otherwise
// the reply would be out and its form not saved.
func stored(err error) error {
	var unconfirmed *blaze.UnconfirmedError
	//mutant:dialog-forbidden
	if errors.As(err, &unconfirmed) && errors.Is(unconfirmed.Err, blaze.CodeForbidden) {
		return nil
	}
	return err
}

// open reports whether m may answer the step of s. A Dialog may have had more steps when s was saved.
func (d *Dialog[T]) open(s State, m *blaze.Message) bool {
	return s.Step >= 0 && s.Step < len(d.Steps) && !s.expired(m)
}

// cancels reports whether m is a text with a word of Cancel.
func (d *Dialog[T]) cancels(m *blaze.Message) bool {
	text, ok := m.Payload.(blaze.Text)
	return ok && slices.ContainsFunc(d.Cancel, func(word string) bool {
		return strings.EqualFold(plain(word), plain(string(text)))
	})
}

// answers reports whether m may be an answer.
func answers(m *blaze.Message) bool {
	switch p := m.Payload.(type) {
	case blaze.Text:
		return !strings.HasPrefix(plain(string(p)), "/")
	case blaze.Recall, blaze.Pin:
		return false
	}
	return !m.Category.System()
}

// plain normalizes a text for comparison.
func plain(text string) string { return words.Plain(strings.TrimFunc(text, words.Blank)) }

// check panics if a field is missing. method is the method that was called.
func (d *Dialog[T]) check(method string) {
	bad := slices.IndexFunc(d.Steps, func(s Step[T]) bool { return s.Ask == nil || s.Take == nil })
	mistake := ""
	switch {
	case d.Client == nil:
		mistake = "Client is nil"
	case d.Done == nil:
		mistake = "Done is nil"
	case d.Expiry < 0:
		mistake = "Expiry is negative"
	case len(d.Steps) == 0:
		mistake = "Steps is empty"
	case bad >= 0:
		mistake = fmt.Sprintf("Ask or Take of Steps[%d] is nil", bad)
	default:
		return
	}
	panic(fmt.Sprintf("dialog: %s of %T: %s", method, d, mistake)) //nolint:forbidigo // a programming error
}
