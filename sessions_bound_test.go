package blaze_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// sessionsOf returns the sessions of a user in the directory's form.
func sessionsOf(t *testing.T, all []blaze.Session) []blaze.Session {
	t.Helper()
	d := blaze.NewSessionDirectory(10, func(context.Context, []string) ([]blaze.Session, error) { return all, nil })
	found, err := blaze.SessionsOf(d, t.Context(), []string{"alice"})
	require.NoError(t, err)
	again, err := blaze.SessionsOf(d, t.Context(), []string{"alice"})
	require.NoError(t, err)
	assert.Equal(t, found, again)
	blaze.SetSessions(d, "alice", all)
	set, err := blaze.SessionsOf(d, t.Context(), []string{"alice"})
	require.NoError(t, err)
	assert.Equal(t, found, set)
	return found["alice"]
}

// If a user has many sessions, the 256 newest are used.
func TestTheNewestSessionsOfAUserCount(t *testing.T) {
	made := func(created func(i int) string) (all []blaze.Session) {
		for i := range 300 {
			var s blaze.Session
			require.NoError(t, json.Unmarshal(
				fmt.Appendf(nil, `{"user_id":"alice","session_id":"%d","created_at":%q}`, i, created(i)), &s,
			))
			all = append(all, s)
		}
		return all
	}
	ids := func(all []blaze.Session) (ids []string) {
		for _, s := range all {
			ids = append(ids, s.SessionID)
		}
		return ids
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	listed := ids(sessionsOf(t, made(func(int) string { return "" })))
	require.Len(t, listed, 256)
	assert.Equal(t, "44", listed[0])
	assert.Equal(t, "299", listed[255])
	dated := ids(sessionsOf(t, made(func(i int) string {
		return at.Add(-time.Duration(i) * time.Hour).Format(time.RFC3339)
	})))
	require.Len(t, dated, 256)
	assert.Equal(t, "255", dated[0])
	assert.Equal(t, "0", dated[255])
	few := made(func(int) string { return "" })[:256]
	assert.Equal(t, few, sessionsOf(t, few))
}

// The remembered sessions of all users need 4 MiB at most, whatever the service sends.
func TestTheSessionsThatAreRememberedAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		users, sessions int
		text            string
	}{
		"many users": {9000, 1, "x"}, "many sessions": {100, 256, strings.Repeat("x", 40)},
		"long texts": {160, 256, strings.Repeat("x", 300)},
	} {
		t.Run(name, func(t *testing.T) {
			d := blaze.NewSessionDirectory(10_000, func(_ context.Context, users []string) ([]blaze.Session, error) {
				return nil, assert.AnError
			})
			before := heap()
			for i := range c.users {
				user := fmt.Sprintf("user-%032d", i)
				var all []blaze.Session
				for range c.sessions {
					var s blaze.Session
					data := fmt.Appendf(nil, `{"user_id":%q,"session_id":%q,"public_key":%q}`, user, c.text, c.text)
					require.NoError(t, json.Unmarshal(data, &s))
					all = append(all, s)
				}
				blaze.SetSessions(d, user, all)
			}
			assert.Less(t, heap()-before, int64(5<<20))
			newest, err := blaze.SessionsOf(d, t.Context(), []string{fmt.Sprintf("user-%032d", c.users-1)})
			require.NoError(t, err)
			assert.Len(t, newest[fmt.Sprintf("user-%032d", c.users-1)], c.sessions)
			_, err = blaze.SessionsOf(d, t.Context(), []string{fmt.Sprintf("user-%032d", 0)})
			assert.ErrorIs(t, err, assert.AnError, "the oldest is forgotten")
		})
	}
}
