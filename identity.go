package blaze

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
	"github.com/mixin-blaze/blaze/internal/lenient"
	"github.com/mixin-blaze/blaze/internal/rest"
)

// maxProfileText is the maximum of bytes of one text of a profile. A longer one is "".
const maxProfileText = 8 << 10

// User is the profile of a user or a bot. Only ID is always set.
type User struct {
	ID             string // a UUID
	IdentityNumber string // the number with which people find and mention each other, such as 7000101488
	FullName       string
	AvatarURL      string
	Biography      string
	CodeURL        string // opens the profile in the app, such as https://mixin.one/codes/...
	Bot            bool
	CreatedAt      time.Time // in UTC; zero: unknown
}

// profile is a User in the form of the HTTP API.
type profile struct{ User }

// UnmarshalJSON implements [json.Unmarshaler]. The id is required. Other odd or very long values are zero.
func (p *profile) UnmarshalJSON(raw []byte) error {
	var v struct {
		ID        lenient.String  `json:"user_id"`
		Number    lenient.String  `json:"identity_number"`
		FullName  lenient.String  `json:"full_name"`
		AvatarURL lenient.String  `json:"avatar_url"`
		Biography lenient.String  `json:"biography"`
		CodeURL   lenient.String  `json:"code_url"`
		CreatedAt lenient.String  `json:"created_at"`
		App       json.RawMessage `json:"app"` // of a bot
	}
	err := json.Unmarshal(raw, &v)
	id, ok := canonicalUUID(string(v.ID))
	if err != nil || !ok {
		return rest.ErrMissing
	}
	p.User = User{
		ID: id, IdentityNumber: bounded(v.Number), FullName: bounded(v.FullName), AvatarURL: bounded(v.AvatarURL),
		Biography: bounded(v.Biography), CodeURL: bounded(v.CodeURL), Bot: lenient.Kind(v.App) == '{',
	}
	p.CreatedAt, _ = lenient.Time(string(v.CreatedAt))
	return nil
}

// bounded returns a text of a profile, or "" if it is too long.
func bounded(s lenient.String) string {
	//mutant:profile-text
	if len(s) > maxProfileText {
		return ""
	}
	return string(s)
}

// askedUser is the response to a request for one user.
type askedUser struct {
	id, number string // one of them is ""
	own        bool   // of the bot, which must have an identity number
	profile
}

// UnmarshalJSON implements [json.Unmarshaler]. A profile of another user is no response.
func (a *askedUser) UnmarshalJSON(raw []byte) error {
	if err := a.profile.UnmarshalJSON(raw); err != nil {
		return err
	}
	//mutant:users-other
	if a.id != "" && a.ID != a.id || a.number != "" && a.IdentityNumber != a.number {
		return rest.ErrMissing
	}
	//mutant:me-number
	if a.own && a.IdentityNumber == "" {
		return rest.ErrMissing
	}
	return nil
}

// identity is the bot's own profile, requested once. Its methods are safe for concurrent use.
type identity struct {
	fetch func(ctx context.Context) (User, error)

	mu     sync.Mutex // not held during a request
	known  *User
	flight *profileRequest // in progress
}

// profileRequest is a request for the bot's profile. The caller that started it makes it, on its own goroutine and with
// its own context, so that Run can join the request that it began. singleflight would need a goroutine for that, or let
// the others wait without their contexts.
type profileRequest struct {
	done      chan struct{}
	me        User
	err       error
	abandoned bool // the context of its caller ended, or fetch did not return
}

// newIdentity returns the identity of the bot with an id.
func newIdentity(api *rest.Client, appID string) *identity {
	return &identity{fetch: func(ctx context.Context) (User, error) {
		me := askedUser{id: appID, own: true}
		if err := api.Do(ctx, "GET", "/me", nil, &me); err != nil {
			return User{}, httpError(err)
		}
		return me.User, nil
	}}
}

// get returns the profile. It waits for a request in progress, or makes one.
func (d *identity) get(ctx context.Context) (User, error) {
	for {
		known, f, leads := d.join()
		switch {
		case known != nil:
			return *known, nil
		case leads:
			d.lead(ctx, f)
			return f.me, f.err
		}
		select {
		case <-f.done:
			//mutant:me-abandoned
			if !f.abandoned {
				return f.me, f.err
			}
		case <-ctx.Done():
			return User{}, fmt.Errorf("blaze: GET /me: %w", ctx.Err())
		}
	}
}

// lookupTimeout bounds the wait of a handler for the bot's profile. A handler that waits uses a worker.
const lookupTimeout = 5 * time.Second

// soon is get with a bound on the wait.
func (d *identity) soon(ctx context.Context) (User, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return d.get(ctx)
}

// join returns the profile, or the request in progress. leads means that the caller must make it.
func (d *identity) join() (known *User, f *profileRequest, leads bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil && d.flight == nil {
		d.flight = &profileRequest{done: make(chan struct{}), abandoned: true}
		leads = true
	}
	return d.known, d.flight, leads
}

// keep caches a profile from another request, unless it lacks the identity number.
func (d *identity) keep(me User) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil && me.IdentityNumber != "" {
		d.known = &me
	}
}

// lead makes a request and keeps the profile. If fetch panics or calls Goexit, others make their own request.
func (d *identity) lead(ctx context.Context, f *profileRequest) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.flight = nil
		//mutant:me-errors
		if !f.abandoned && f.err == nil {
			d.known = &f.me
		}
		close(f.done)
	}()
	f.me, f.err = d.fetch(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
}

// introduction requests the bot's profile in the background and logs it. Its methods are called by Run's goroutine.
type introduction struct {
	ask   func() error
	stop  context.CancelFunc
	ended chan struct{} // nil: not begun
}

func newIntroduction(ctx context.Context, d *identity, log func(User)) *introduction {
	ctx, stop := context.WithCancel(ctx)
	return &introduction{stop: stop, ask: func() error {
		me, err := d.get(ctx)
		//mutant:me-late
		if err == nil && ctx.Err() == nil { // a transport may ignore the end of the context
			log(me)
		}
		return err
	}}
}

// begin requests the profile. Only the first call has an effect.
func (i *introduction) begin() {
	if i.ended != nil {
		return
	}
	ended := make(chan struct{})
	i.ended = ended
	go guard.Call(i.ask, func(error) { close(ended) }) // Me returns the same error again
}

// end stops the request and waits for it, but not longer than most: a user's transport may ignore the end of its
// context.
func (i *introduction) end(most time.Duration) {
	i.stop()
	if i.ended == nil {
		return
	}
	late := time.NewTimer(max(most, 0))
	defer late.Stop()
	//mutant:me-joined
	select {
	case <-i.ended:
	case <-late.C:
	}
}
