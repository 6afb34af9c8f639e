package dialog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jellydator/ttlcache/v3"

	"github.com/mixin-blaze/blaze"
)

const (
	maxForms    = 10_000   // in memory
	maxForm     = 64 << 10 // bytes of a form as JSON
	maxAnswered = 64       // ids in a State
	// minKept is the minimum time for which ids are kept. The service keeps messages for seven days.
	minKept = 8 * 24 * time.Hour
	closed  = -1 // the step of a form that is done or canceled
)

// Store keeps the states of forms. A key is a UUID, derived from the bot, the conversation, the person and the name of
// the Dialog. Errors are returned by Start and Handle, so the message is retried. Both methods may be called
// concurrently, with different keys.
type Store interface {
	// Load returns the state that was saved last, or the zero State.
	Load(ctx context.Context, key string) (State, error)
	// Save returns when the state is stored. A State may be deleted after its Expires. Times need a precision of a
	// millisecond, and must not be rounded up.
	Save(ctx context.Context, key string, s State) error
}

// State is a form that is open, or was done or canceled. All fields belong together and must be saved together. Treat
// slices as read-only.
type State struct {
	Step      int       // index of the question that was asked; -1: done or canceled
	MessageID string    // the last message taken
	Expires   time.Time // when a Store may delete the State; at least eight days after the last answer
	Form      []byte    // the form as JSON, at most 64 KiB
	OpenUntil time.Time // when an open form expires
	// Answered has the ids of the last 64 messages that were taken or otherwise answered, over all forms under this
	// key, and AnsweredAt the newest time of creation of these. An earlier process may have crashed before several
	// messages were acknowledged, and MessageID is only one of them.
	Answered   []string
	AnsweredAt time.Time
}

// answered reports whether m is a message that a form under this key has answered.
func (s State) answered(m *blaze.Message) bool {
	id := idOf(m)
	return id != "" && (id == s.MessageID || slices.Contains(s.Answered, id))
}

// older reports whether m was created before the last message that was answered. Messages of a conversation arrive in
// order, so it was handled before, by another handler.
func (s State) older(m *blaze.Message) bool {
	return !m.CreatedAt.IsZero() && m.CreatedAt.Before(s.AnsweredAt)
}

// expired reports whether the form had expired when m was written.
func (s State) expired(m *blaze.Message) bool {
	at := m.CreatedAt
	if at.IsZero() {
		at = time.Now()
	}
	return !at.Before(s.OpenUntil)
}

// idOf returns the id of a message in lower case. It is empty for some Messages constructed by hand.
func idOf(m *blaze.Message) string { return strings.ToLower(m.ID) }

// end returns the State after a form is done or canceled by m. It stays, because it has the ids.
func (s State) end(m *blaze.Message) State {
	s.Step, s.MessageID, s.Form = closed, idOf(m), nil
	return s
}

func (d *Dialog[T]) store() Store {
	if d.Store != nil {
		return d.Store
	}
	d.once.Do(func() {
		d.memory = memory{ttlcache.New(
			ttlcache.WithCapacity[string, State](maxForms), ttlcache.WithDisableTouchOnHit[string, State]())}
	})
	return d.memory
}

func (d *Dialog[T]) key(m *blaze.Message) string {
	return blaze.DeriveID("dialog", d.Client.AppID(), strings.ToLower(m.ConversationID), strings.ToLower(m.Sender()),
		d.name())
}

// name distinguishes the forms of several Dialogs in one Store.
func (d *Dialog[T]) name() string {
	t := reflect.TypeFor[T]()
	return cmp.Or(d.Name, t.PkgPath()+" "+t.String())
}

func (d *Dialog[T]) load(ctx context.Context, m *blaze.Message) (State, error) {
	s, err := d.store().Load(ctx, d.key(m))
	if err != nil {
		return State{}, fmt.Errorf("dialog: load a form of %T: %w", d, err)
	}
	return s, nil
}

// save saves s after m was answered.
func (d *Dialog[T]) save(ctx context.Context, m *blaze.Message, s State) error {
	now := time.Now().UTC()
	s.OpenUntil = now.Add(cmp.Or(d.Expiry, defaultExpiry))
	s.Expires = s.OpenUntil
	//mutant:dialog-kept
	if kept := now.Add(minKept); kept.After(s.Expires) {
		s.Expires = kept
	}
	if id := idOf(m); id != "" {
		older := s.Answered[max(0, len(s.Answered)-maxAnswered+1):]
		s.Answered = append(slices.Clone(older), id)
	}
	if m.CreatedAt.After(s.AnsweredAt) {
		s.AnsweredAt = m.CreatedAt
	}
	if err := d.store().Save(ctx, d.key(m), s); err != nil {
		return fmt.Errorf("dialog: save a form of %T: %w", d, err)
	}
	return nil
}

// encode returns a form as JSON. Errors of package json may quote the form, so only their type is named.
func encode[T any](form T) ([]byte, error) {
	data, err := json.Marshal(form)
	if err != nil {
		return nil, fmt.Errorf("dialog: a form of type %T cannot be encoded as JSON (%T): %w", form, err, blaze.ErrDrop)
	}
	if len(data) > maxForm {
		return nil, fmt.Errorf("dialog: a form of type %T has %d bytes as JSON, at most %d: %w",
			form, len(data), maxForm, blaze.ErrDrop)
	}
	return data, nil
}

func decode[T any](data []byte) (T, error) {
	var form T
	if err := json.Unmarshal(data, &form); err != nil {
		return form, fmt.Errorf("dialog: a saved form does not fit type %T (%T): %w", form, err, blaze.ErrDrop)
	}
	return form, nil
}

// memory is the Store of a Dialog without one.
type memory struct {
	states *ttlcache.Cache[string, State]
}

// Load implements Store.
func (s memory) Load(_ context.Context, key string) (State, error) {
	if item := s.states.Get(key); item != nil {
		return item.Value(), nil
	}
	return State{}, nil
}

// Save implements Store.
func (s memory) Save(_ context.Context, key string, state State) error {
	s.states.Set(key, state, time.Until(state.Expires))
	return nil
}
