package blaze

import (
	"context"
	"crypto/ecdh"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/jellydator/ttlcache/v3"
	"golang.org/x/sync/singleflight"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/rest"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Bounds of the sessions that are remembered. The least recently used users are forgotten first.
const (
	mostSessions = 10_000  // users
	sessionBytes = 4 << 20 // that all of them take
	// mostOfUser is how many sessions of one user count, the newest: a message is sealed for each of them.
	mostOfUser = 256
	// mostSessionText is how long an id and a key may be; a UUID has 36 characters and an X25519 key 44 at most.
	mostSessionText = 128
)

// sessionsTTL is how long the sessions of a user are remembered. Sessions change rarely. The service refuses a message
// that is encrypted for an outdated list, so a stale list costs a second request.
const sessionsTTL = time.Hour

// errAbandoned is the result of a look-up that ended with the context of the caller that made it.
var errAbandoned = errors.New("blaze: a look-up of sessions was abandoned")

// session is one session of a user, as the service reports it.
type session struct {
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	PublicKey string `json:"public_key"` // X25519, raw URL base64

	createdAt time.Time // zero: the service did not say
}

// unreadable is the PublicKey of a session that has one of another kind than text.
const unreadable = "?"

// errNobody is the error of a session that may be anybody's.
var errNobody = errors.New("blaze: a session without a user")

// UnmarshalJSON implements [json.Unmarshaler]. A session names its user. What else is odd in it is "", but for its key:
// a session without a key cannot open encrypted messages, and one with a key that cannot be read is not known to be
// such.
func (s *session) UnmarshalJSON(p []byte) error {
	var v struct {
		UserID    lenient.String  `json:"user_id"`
		SessionID lenient.String  `json:"session_id"`
		PublicKey json.RawMessage `json:"public_key"`
		CreatedAt lenient.String  `json:"created_at"`
	}
	err := json.Unmarshal(p, &v)
	*s = session{UserID: string(v.UserID), SessionID: string(v.SessionID)}
	s.createdAt, _ = lenient.Time(string(v.CreatedAt))
	if len(v.PublicKey) > 0 && string(v.PublicKey) != "null" && json.Unmarshal(v.PublicKey, &s.PublicKey) != nil {
		s.PublicKey = unreadable
	}
	if len(s.SessionID) > mostSessionText {
		s.SessionID = ""
	}
	if len(s.PublicKey) > mostSessionText {
		s.PublicKey = unreadable
	}
	if len(s.UserID) > mostSessionText {
		s.UserID = ""
	}
	if err == nil && s.UserID == "" {
		return errNobody
	}
	return err
}

// errOddSessions means that it is not known whether a user has a session. To take the user for one without any would be
// to send in plain text what was to be encrypted.
var errOddSessions = errors.New("POST /sessions/fetch answers with a session that cannot be read")

// newest returns the mostOfUser newest sessions of one user: by the time they were made where the service says that of
// all, else the last in its list.
func newest(all []session) []session {
	//mutant:newest-sessions
	if len(all) <= mostOfUser {
		return all
	}
	all = slices.Clone(all)
	if !slices.ContainsFunc(all, func(s session) bool { return s.createdAt.IsZero() }) {
		slices.SortStableFunc(all, func(a, b session) int { return a.createdAt.Compare(b.createdAt) })
	}
	return slices.Clone(all[len(all)-mostOfUser:])
}

// costOf returns how many bytes a user takes: sizes of strings and of what holds them, in the cache and around it.
func costOf(item ttlcache.CostItem[string, []session]) uint64 {
	const entry, text = 400, 16 // measured; the rounding of a small allocation
	n := entry + len(item.Key)
	for _, s := range item.Value {
		n += int(unsafe.Sizeof(s)) + len(s.UserID) + len(s.SessionID) + len(s.PublicKey) + 3*text
	}
	//mutant:session-bytes
	return uint64(n)
}

func hasSession(all []session, user string) bool {
	return slices.ContainsFunc(all, func(s session) bool { return strings.EqualFold(s.UserID, user) })
}

// fetchSessions returns a function that asks the service for the sessions of users, until it answers.
func fetchSessions(api *rest.Client) func(context.Context, []string) ([]session, error) {
	return func(ctx context.Context, users []string) ([]session, error) {
		var list lenient.List[session]
		err := guard.Apart(func() error {
			_, err := api.Make(ctx,
				rest.Request{Method: "POST", Path: "/sessions/fetch", In: users, Out: &list, Patient: true})
			return err
		})
		if err != nil {
			return nil, httpError(err)
		}
		//mutant:odd-sessions
		if list.Odd && slices.ContainsFunc(users, func(user string) bool { return !hasSession(list.All, user) }) {
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, errOddSessions)
		}
		return list.All, nil
	}
}

// sessionDirectory finds the sessions of users and remembers them. Concurrent look-ups of the same users share one
// request. Each request runs in a goroutine of its own.
type sessionDirectory struct {
	fetch   func(ctx context.Context, users []string) ([]session, error)
	lookups singleflight.Group

	mu      sync.Mutex                         // not held during a request
	known   *ttlcache.Cache[string, []session] // by user, in lower case
	changes int                                // calls of set and drop; a look-up that began before one is outdated
}

// newSessionDirectory returns an empty directory that remembers the sessions of up to capacity users.
func newSessionDirectory(
	capacity uint64, fetch func(ctx context.Context, users []string) ([]session, error),
) *sessionDirectory {
	return &sessionDirectory{fetch: fetch, known: ttlcache.New(
		ttlcache.WithCapacity[string, []session](capacity),
		ttlcache.WithTTL[string, []session](sessionsTTL),
		ttlcache.WithDisableTouchOnHit[string, []session](),
		ttlcache.WithMaxCost(sessionBytes, costOf),
	)}
}

// of returns the sessions of users by user, and looks up the missing ones. The users are in lower case.
func (d *sessionDirectory) of(ctx context.Context, users []string) (map[string][]session, error) {
	for {
		found, l := d.begin(ctx, users)
		if l == nil {
			return found, nil
		}
		more, err := l.wait(ctx)
		if errors.Is(err, errAbandoned) {
			continue
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(found, more)
		return found, nil
	}
}

// begin returns the sessions that are remembered, and a look-up of the missing ones, nil if none are missing. It joins
// a look-up of the same users that is under way, or starts one. The mutex is held throughout: no look-up can end
// between the two steps and be made again.
func (d *sessionDirectory) begin(ctx context.Context, users []string) (map[string][]session, *lookup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := make(map[string][]session, len(users))
	var missing []string
	for _, user := range users {
		if item := d.known.Get(user); item != nil {
			found[user] = item.Value()
		} else {
			missing = append(missing, user)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	changes := d.changes
	key := fmt.Sprint(changes, missing) // with changes, because an outdated look-up is not to be joined
	l := &lookup{}
	l.result = d.lookups.DoChan(key, func() (any, error) {
		l.leads.Store(true)
		if err := ctx.Err(); err != nil {
			l.err = fmt.Errorf("blaze: cannot look up sessions: %w", err)
			return nil, errAbandoned
		}
		all, err := d.ask(ctx, missing, changes)
		if err != nil && ctx.Err() != nil {
			l.err = err
			return nil, errAbandoned
		}
		return all, err
	})
	return found, l
}

// ask requests the sessions of users, which are sorted, and remembers them unless set or drop was called meanwhile.
func (d *sessionDirectory) ask(ctx context.Context, users []string, changes int) (map[string][]session, error) {
	all, err := d.fetch(ctx, users)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]session, len(users))
	for _, s := range all {
		user := strings.ToLower(s.UserID)
		if _, asked := slices.BinarySearch(users, user); asked {
			found[user] = append(found[user], s)
		}
	}
	for user, sessions := range found {
		found[user] = newest(sessions)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if changes == d.changes {
		for user, sessions := range found {
			d.known.Set(user, sessions, ttlcache.DefaultTTL)
		}
	}
	return found, nil
}

// set replaces the sessions of a user.
func (d *sessionDirectory) set(user string, all []session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	d.known.Set(strings.ToLower(user), newest(all), ttlcache.DefaultTTL)
}

// drop forgets the sessions of users.
func (d *sessionDirectory) drop(users ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	for _, user := range users {
		d.known.Delete(strings.ToLower(user))
	}
}

// lookup is one caller's part in a request for sessions. The leader made the request, and its context ends it.
type lookup struct {
	leads  atomic.Bool
	result <-chan singleflight.Result
	err    error // of a leader whose context has ended; written before the result
}

// wait returns the sessions that were found. The error is errAbandoned if another caller's context ended the request.
func (l *lookup) wait(ctx context.Context) (map[string][]session, error) {
	var r singleflight.Result
	select {
	case r = <-l.result:
	case <-ctx.Done():
		if !l.leads.Load() {
			return nil, fmt.Errorf("blaze: cannot look up sessions: %w", ctx.Err())
		}
		r = <-l.result // soon: ctx has ended the request
	}
	if l.err != nil {
		return nil, l.err
	}
	found, _ := r.Val.(map[string][]session)
	return found, r.Err
}

// usable returns the sessions that a message can be sealed for: those with a key that a secret can be agreed on with.
// odd says that another one has a key that cannot be used.
func usable(signer *auth.Signer, all []session) (found []seal.Session, odd bool) {
	for _, s := range all {
		if s.PublicKey == "" || len(found) == seal.MostSessions {
			continue
		}
		id, valid := canonicalUUID(s.SessionID)
		public, err := wire.AppendBase64(nil, []byte(s.PublicKey))
		if err != nil || !valid || !agrees(signer, public) {
			odd = true
			continue
		}
		found = append(found, seal.Session{ID: id, Public: public})
	}
	return found, odd
}

// agrees reports whether a secret can be agreed on with the owner of an X25519 key. With a key of low order it cannot.
func agrees(signer *auth.Signer, public []byte) bool {
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return false
	}
	_, err = signer.Shared(key)
	return err == nil
}

// changed forgets the sessions of the user that a SYSTEM_SESSION message names.
func (d *sessionDirectory) changed(data string) {
	raw := []byte(data)
	if lenient.Check(raw) != nil {
		return
	}
	var f fields
	f.read(raw)
	if user := f.str("user_id"); user != "" {
		d.drop(user)
	}
}
