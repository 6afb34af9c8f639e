package blaze

import (
	"context"
	"fmt"
	"slices"

	"github.com/mixin-blaze/blaze/internal/lenient"
)

// maxUsers is the maximum number of users in one request.
const maxUsers = 100

// AppID returns the bot's id, a UUID in lower case.
func (c *Client) AppID() string { return c.appID }

// Me returns the bot's own profile. The first success is cached for the life of the Client; errors are not cached.
// Concurrent calls share a request. Run requests the profile in the background after its first connection, and logs it.
// Me works before, during and without Run.
//
// The error is an *[Error], [ErrNoAnswer] or the error of ctx. After each it may be called again.
//
// Source: GET /me of the service's HTTP API.
func (c *Client) Me(ctx context.Context) (User, error) { return c.identity.get(ctx) }

// User returns the profile of a user or bot with an id or an identity number. If there is none, the error is
// [CodeNotFound]. Other errors are an [InvalidError] and those of Me. The result is not cached.
//
// Source: GET /users/:id of the service's HTTP API.
func (c *Client) User(ctx context.Context, idOrNumber string) (User, error) {
	var found askedUser
	id, ok := canonicalUUID(idOrNumber)
	switch {
	case ok:
		found.id = id
	case idOrNumber != "" && len(idOrNumber) <= maxNumber && leadingDigits(idOrNumber) == idOrNumber:
		found.number = idOrNumber
	default:
		return User{}, invalid("idOrNumber", "must be a user's id, a UUID, or an identity number such as 7000101488")
	}
	err := c.rest.Do(ctx, "GET", "/users/"+found.id+found.number, nil, &found)
	if err != nil {
		return User{}, httpError(err)
	}
	return found.User, nil
}

// Users returns the profiles of users and bots, in the order of their ids. A User is zero if the service has none with
// its id. Requests have at most 100 ids each. The errors are those of [Client.User], except for CodeNotFound. The
// results are not cached.
//
// Source: POST /users/fetch of the service's HTTP API.
func (c *Client) Users(ctx context.Context, ids ...string) ([]User, error) {
	asked := make([]string, len(ids))
	for i, id := range ids {
		var ok bool
		if asked[i], ok = canonicalUUID(id); !ok {
			return nil, invalid(fmt.Sprintf("ids[%d]", i), "is not a UUID; identity numbers are for User")
		}
	}
	unique := slices.Compact(slices.Sorted(slices.Values(asked)))
	found := make(map[string]User, len(unique))
	for chunk := range slices.Chunk(unique, maxUsers) {
		if err := c.fetchUsers(ctx, chunk, found); err != nil {
			return nil, err
		}
	}
	users := make([]User, len(ids))
	for i, id := range asked {
		users[i] = found[id]
	}
	return users, nil
}

// fetchUsers adds the profiles of users, which are sorted, to found.
func (c *Client) fetchUsers(ctx context.Context, ids []string, found map[string]User) error {
	var list lenient.List[profile]
	if err := c.rest.Do(ctx, "POST", "/users/fetch", ids, &list); err != nil {
		return httpError(err)
	}
	for _, p := range list.All {
		if _, asked := slices.BinarySearch(ids, p.ID); asked {
			found[p.ID] = p.User
		}
	}
	// An unreadable profile may be that of a missing user.
	if list.Odd && slices.ContainsFunc(ids, func(id string) bool { return found[id].ID == "" }) {
		return fmt.Errorf("%w: POST /users/fetch returned an unreadable profile", ErrNoAnswer)
	}
	return nil
}
