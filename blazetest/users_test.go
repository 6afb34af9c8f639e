package blazetest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// The fields are those documented at developers.mixin.one, and code_id and app as the apps and SDKs read them.
func TestUsersOverHTTP(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	number := alice.IdentityNumber()
	require.Regexp(t, `^1[0-9]{9}$`, number)

	byID := c.get("GET", "/users/"+alice.ID(), nil)
	require.Equal(t, "alice", byID["full_name"])
	require.Equal(t, number, byID["identity_number"])
	require.Equal(t, blazetest.UserID("alice"), byID["user_id"])
	require.Equal(t, "0001-01-01T00:00:00Z", byID["mute_until"], "clients parse it")
	require.Nil(t, byID["app"], "no bot")
	for _, key := range []string{
		"type", "phone", "biography", "avatar_url", "relationship", "created_at", "is_verified", "code_id", "code_url",
	} {
		require.Contains(t, byID, key)
	}
	require.Equal(t, byID, c.get("GET", "/users/"+number, nil), "the SDKs ask by either")
	require.Equal(t, byID, c.get("GET", "/search/"+number, nil))

	for _, path := range []string{
		"/users/" + id1, "/users/x", "/search/" + id1, "/search/" + alice.ID(), "/search/7000",
	} {
		code, _ := c.rejection("GET", path, nil)
		require.Equal(t, 404, code, path)
	}
}

// Only known users are returned.
func TestFetchUsers(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	s.Deliver(id1, blaze.Outgoing{Payload: blaze.Text("a user by id")})
	bob := s.User("bob")
	data, rejection := c.ask("POST", "/users/fetch", []string{bob.ID(), id2, s.Key.AppID, id1})
	require.Nil(t, rejection)
	var found []struct {
		UserID   string `json:"user_id"`
		FullName string `json:"full_name"`
	}
	require.NoError(t, json.Unmarshal(data, &found))
	require.Len(t, found, 3)
	require.Equal(t, "bob", found[0].FullName)
	require.Equal(t, s.Key.AppID, found[1].UserID)
	require.Equal(t, id1, found[2].UserID)
	require.NotEmpty(t, found[2].FullName)

	data, rejection = c.ask("POST", "/users/fetch", []string{id2})
	require.Nil(t, rejection)
	require.JSONEq(t, `[]`, string(data))

	for _, body := range []string{`[]`, `{}`, `[` + strings.Repeat(`"x",`, 100) + `"x"]`} {
		code, _ := c.rejection("POST", "/users/fetch", body)
		require.Equal(t, 10002, code)
		require.Len(t, f.take(), 1)
	}
}

func TestTheProfileOfTheBot(t *testing.T) {
	s, _ := newServer(t)
	c := newRESTClient(t, s)
	me := c.get("GET", "/me", nil)
	require.Equal(t, s.Key.AppID, me["user_id"])
	require.Equal(t, s.Key.SessionID, me["session_id"])
	require.Equal(t, "7000000001", me["identity_number"])
	app, ok := me["app"].(object)
	require.True(t, ok)
	require.Equal(t, s.Key.AppID, app["app_id"])
	require.Equal(t, "7000000001", app["app_number"])
	require.Contains(t, app["capabilities"], "ENCRYPTED")
	for _, key := range []string{
		"full_name", "avatar_url", "biography", "code_url", "created_at", "has_pin", "fiat_currency",
	} {
		require.Contains(t, me, key)
	}
	other := c.get("GET", "/users/7000000001", nil)
	require.Equal(t, s.Key.AppID, other["user_id"])
	require.NotContains(t, other, "session_id")
}

// A name may be set after the first message of a person. Each person has a different identity number.
func TestIdentityNumbers(t *testing.T) {
	s, _ := newServer(t)
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")})
	c := newRESTClient(t, s)
	before := c.get("GET", "/users/"+blazetest.UserID("alice"), nil)
	alice := s.User("alice")
	require.Same(t, alice, s.User("alice"))
	require.Equal(t, before["identity_number"], alice.IdentityNumber())
	require.Equal(t, "alice", c.get("GET", "/users/"+alice.ID(), nil)["full_name"])

	again, _ := newServer(t)
	require.Equal(t, alice.IdentityNumber(), again.User("alice").IdentityNumber(), "the same in every process")
	require.NotEqual(t, alice.IdentityNumber(), again.User("bob").IdentityNumber())

	one, other := s.User("user 14304"), s.User("user 40830") // their numbers collide
	require.NotEqual(t, one.IdentityNumber(), other.IdentityNumber())
	require.Equal(t, other.ID(), c.get("GET", "/search/"+other.IdentityNumber(), nil)["user_id"])
}

// Unsupported requests are answered with 404, and reported once.
func TestUnknownPaths(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	for _, path := range []string{
		"/assets", "/me/", "//me", "/conversations/" + id1 + "/mute", "/users", "/attachments/",
	} {
		for range 3 {
			_, rejection := c.ask("GET", path, nil)
			require.NotNil(t, rejection)
			require.Equal(t, 404, rejection.Code)
			require.Equal(t, 202, rejection.Status)
			require.Equal(t, "The endpoint is not found.", rejection.Description)
		}
		require.Equal(t, []string{"blazetest: the client: GET " + path + " is not supported by blazetest"}, f.take())
	}
	code, _ := c.rejection("DELETE", "/me", nil)
	require.Equal(t, 404, code)
	require.Len(t, f.take(), 1)
}

func TestLargeBodies(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	code, field := c.rejection("POST", "/messages", `["`+strings.Repeat("x", 1<<20)+`"]`)
	require.Equal(t, 10002, code)
	require.Equal(t, "body", field)
	require.Len(t, f.take(), 1)
}
