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

// Bounds of the session cache. The least recently used users are evicted first.
const (
	maxSessions  = 10_000  // users
	sessionBytes = 4 << 20 // total size of all sessions
	// maxOfUser bounds the sessions used per user, the newest ones: a message is encrypted for each of them.
	maxOfUser = 256
	// maxSessionText bounds the length of an id or a key. A UUID has 36 characters, an X25519 key at most 44.
	maxSessionText = 128
)

// sessionsTTL is the lifetime of cached sessions. Sessions change rarely. The service rejects a message encrypted for
// an outdated list, so a stale entry costs a second request.
const sessionsTTL = time.Hour

// errAbandoned is the result of a lookup that ended with the context of the caller that started it.
var errAbandoned = errors.New("blaze: a lookup of sessions was abandoned")

// session is one session of a user, as reported by the service.
type session struct {
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	PublicKey string `json:"public_key"` // X25519, raw URL base64

	createdAt time.Time // zero: unknown
}

// unreadable is the PublicKey of a session with a key that is not a string.
const unreadable = "?"

// errNobody is the error of a session without a user.
var errNobody = errors.New("blaze: a session without a user")

// UnmarshalJSON implements [json.Unmarshaler]. The user is required. Other odd values are read as "", except for the
// key: a session without a key cannot decrypt messages, while one with an unreadable key may be able to.
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
	if len(s.SessionID) > maxSessionText {
		s.SessionID = ""
	}
	if len(s.PublicKey) > maxSessionText {
		s.PublicKey = unreadable
	}
	if len(s.UserID) > maxSessionText {
		s.UserID = ""
	}
	if err == nil && s.UserID == "" {
		return errNobody
	}
	return err
}

// errOddSessions means that it is unknown whether a user has a suitable session. Treating it as no session would send a
// message unencrypted that should be encrypted.
var errOddSessions = errors.New("POST /sessions/fetch returned an unreadable session")

// newest returns the maxOfUser newest sessions of one user: by creation time if the service sent it for all of them,
// otherwise the last ones of the list.
func newest(all []session) []session {
	//mutant:newest-sessions
	if len(all) <= maxOfUser {
		return all
	}
	all = slices.Clone(all)
	if !slices.ContainsFunc(all, func(s session) bool { return s.createdAt.IsZero() }) {
		slices.SortStableFunc(all, func(a, b session) int { return a.createdAt.Compare(b.createdAt) })
	}
	return slices.Clone(all[len(all)-maxOfUser:])
}

// costOf returns the size of a cache entry in bytes, including strings and overhead.
func costOf(item ttlcache.CostItem[string, []session]) uint64 {
	const (
		entry = 400 // measured
		text  = 16  // bound of the rounding of a small allocation
	)
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

// fetchSessions returns a function that requests the sessions of users, and retries until there is a response.
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
		//mutant:malformed-sessions
		if list.Odd && slices.ContainsFunc(users, func(user string) bool { return !hasSession(list.All, user) }) {
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, errOddSessions)
		}
		return list.All, nil
	}
}

// sessionDirectory looks up and caches the sessions of users. Concurrent lookups of the same users share one request.
// Each request runs on a goroutine of its own.
type sessionDirectory struct {
	fetch   func(ctx context.Context, users []string) ([]session, error)
	lookups singleflight.Group

	mu      sync.Mutex                         // not held during a request
	known   *ttlcache.Cache[string, []session] // by user, in lower case
	changes int                                // calls of set and drop; a lookup that began before one is outdated
}

// newSessionDirectory returns an empty directory that caches the sessions of up to capacity users.
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

// of returns the sessions of users, by user. It looks up those that are not cached. users are in lower case.
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

// begin returns the cached sessions, and a lookup of the missing ones, or nil if none are missing. It joins a running
// lookup of the same users or starts one. It holds the mutex throughout, so that no lookup can finish between the two
// steps and be repeated.
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
	key := fmt.Sprint(changes, missing) // with changes, so that no outdated lookup is joined
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

// ask requests the sessions of users, which are sorted, and caches them unless set or drop was called in the meantime.
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

// set replaces the cached sessions of a user.
func (d *sessionDirectory) set(user string, all []session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	d.known.Set(strings.ToLower(user), newest(all), ttlcache.DefaultTTL)
}

// drop removes the cached sessions of users.
func (d *sessionDirectory) drop(users ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	for _, user := range users {
		d.known.Delete(strings.ToLower(user))
	}
}

// lookup is one caller's share of a request for sessions. The leader started the request, and its context ends it.
type lookup struct {
	leads  atomic.Bool
	result <-chan singleflight.Result
	err    error // of a leader after the end of its context; written before the result
}

// wait returns the sessions found. The error is errAbandoned if another caller's context ended the request.
func (l *lookup) wait(ctx context.Context) (map[string][]session, error) {
	var r singleflight.Result
	select {
	case r = <-l.result:
	case <-ctx.Done():
		if !l.leads.Load() {
			return nil, fmt.Errorf("blaze: cannot look up sessions: %w", ctx.Err())
		}
		r = <-l.result // soon, because the end of ctx ended the request
	}
	if l.err != nil {
		return nil, l.err
	}
	found, _ := r.Val.(map[string][]session)
	return found, r.Err
}

// usable returns the sessions that a message can be encrypted for: those with a valid public key. odd means that
// another session has an invalid key or id.
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

// agrees reports whether X25519 with this public key gives a secret. A key of low order does not.
func agrees(signer *auth.Signer, public []byte) bool {
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return false
	}
	_, err = signer.Shared(key)
	return err == nil
}

// changed drops the cached sessions of the user named in a SYSTEM_SESSION message.
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
