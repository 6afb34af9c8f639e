package blaze_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// botNumber is the identity number of blazetest's bot.
const botNumber = "7000000001"

// stranger returns a client that does not know its own profile yet, with a server and a log.
func stranger(t *testing.T, edit func(*blaze.Config)) *rig {
	t.Helper()
	s := newServer()
	s.Errorf = t.Errorf
	t.Cleanup(s.Close)
	r := &rig{Server: s, t: t, log: new(logbook)}
	cfg := s.Config
	cfg.Logger, cfg.Trace = slog.New(r.log), r.trace()
	if edit != nil {
		edit(&cfg)
	}
	var err error
	r.Client, err = blaze.New(s.Key, &cfg)
	require.NoError(t, err)
	return r
}

// countRequests counts the requests with an action, and answers them with a, if it is set.
func countRequests(s *blazetest.Server, action string, n *atomic.Int64, a blazetest.Answer) (undo func()) {
	return s.InterceptAll(action, func(blazetest.Frame) blazetest.Answer {
		n.Add(1)
		return a
	})
}

// profileOf returns the data of a response in testdata/users. The fields are those of the service's documents.
func profileOf(t *testing.T, name string) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("testdata/users/" + name)
	require.NoError(t, err)
	return text
}

// data answers with the data of a response.
func data(raw json.RawMessage) blazetest.Answer {
	return blazetest.Answer{Reply: &blazetest.Frame{Data: raw}}
}

func TestProfilesOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		r.Intercept("GET /users/53bac64e-e1ff-408a-ad0e-aca20cdc68bd", func(blazetest.Frame) blazetest.Answer {
			return data(profileOf(t, "user.json"))
		})
		user, err := r.Client.User(t.Context(), strings.ToUpper(userB))
		require.NoError(t, err)
		assert.Equal(t, blaze.User{
			ID: userB, IdentityNumber: "1092619", FullName: "Alice 中", Biography: "hello\nworld",
			AvatarURL: "https://mixin-images.zeromesh.net/abc=s256", CodeURL: "https://mixin.one/codes/6b1c",
			CreatedAt: time.Date(2017, 11, 26, 20, 46, 10, 163418742, time.UTC),
		}, user)
		r.Intercept("GET /users/7000101488", func(blazetest.Frame) blazetest.Answer {
			return data(profileOf(t, "bot.json"))
		})
		bot, err := r.Client.User(t.Context(), "7000101488")
		require.NoError(t, err)
		assert.Equal(t, blaze.User{
			ID: userA, IdentityNumber: "7000101488", FullName: "Echo", Bot: true,
			CodeURL:   "https://mixin.one/codes/0c2e",
			CreatedAt: time.Date(2024, 5, 1, 7, 0, 0, 0, time.UTC),
		}, bot)
	})
}

func TestMeIsRequestedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		assert.Equal(t, r.Key.AppID, r.AppID())
		var queried atomic.Int64
		countRequests(r.Server, getMe, &queried, blazetest.Answer{})
		results := make(chan blaze.User, 10)
		for range cap(results) {
			go func() {
				me, err := r.Me(t.Context())
				assert.NoError(t, err)
				results <- me
			}()
		}
		for range cap(results) {
			me := <-results
			assert.Equal(t, r.Key.AppID, me.ID)
			assert.Equal(t, botNumber, me.IdentityNumber)
			assert.True(t, me.Bot)
			assert.True(t, strings.HasPrefix(me.CodeURL, "https://mixin.one/codes/"))
		}
		_, err := r.Me(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 1, queried.Load())
	})
}

func TestErrorsOfMeAreNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		r.Intercept(getMe, rejected(blaze.CodeForbidden))
		_, err := r.Me(t.Context())
		require.ErrorIs(t, err, blaze.CodeForbidden)
		me, err := r.Me(t.Context())
		require.NoError(t, err)
		assert.Equal(t, botNumber, me.IdentityNumber)
	})
}

// A profile without an identity number could not be told from that of another bot.
func TestAProfileWithoutANumberIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, func(cfg *blaze.Config) { cfg.SendAttempts = 1 })
		data := json.RawMessage(`{"user_id":"` + r.AppID() + `","full_name":"Bot"}`)
		r.Intercept(getMe, testkit.Answer(blazetest.Answer{Reply: &blazetest.Frame{Data: data}}))
		_, err := r.Me(t.Context())
		require.ErrorIs(t, err, blaze.ErrNoAnswer)
		me, err := r.Me(t.Context())
		require.NoError(t, err)
		assert.Equal(t, botNumber, me.IdentityNumber)
	})
}

// The end of the context of the call that makes the shared request concerns no other call.
func TestMeOfACallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		r.Intercept(getMe, func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Hang: true} })
		first, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := r.Me(first)
			left <- err
		}()
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := r.Me(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		got := make(chan error, 1)
		go func() {
			_, err := r.Me(t.Context())
			got <- err
		}()
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		require.NoError(t, <-got)
	})
}

func TestRunLogsTheProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		var queried atomic.Int64
		countRequests(r.Server, getMe, &queried, blazetest.Answer{})
		r.start(t.Context(), ok)
		synctest.Wait()
		lines := r.log.lines("blaze: connected as")
		require.Len(t, lines, 1)
		assert.Contains(t, lines[0], "level=INFO")
		for _, part := range []string{"name=Bot", "identity_number=7000000001", "https://mixin.one/codes/"} {
			assert.Contains(t, lines[0], part)
		}
		r.Cut()
		time.Sleep(time.Minute)
		assert.EqualValues(t, 2, r.Stats().Connects)
		assert.EqualValues(t, 1, queried.Load())
		assert.Len(t, r.log.lines("blaze: connected as"), 1)
	})
}

// Nothing waits for the background request, and the end of Run ends it.
func TestRunDoesNotWaitForTheProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		var queried atomic.Int64
		countRequests(r.Server, getMe, &queried, blazetest.Answer{Hang: true})
		r.start(t.Context(), ok)
		r.say("alice", "hello")
		r.idle()
		assert.EqualValues(t, 1, queried.Load())
		began := time.Now()
		require.NoError(t, r.stop())
		assert.Zero(t, time.Since(began))
		assert.Empty(t, r.log.lines("blaze: connected as"))
	})
}

// A transport that ignores the end of its context delays the end of Run by a second.
func TestRunJoinsTheProfileRequest(t *testing.T) {
	for wait, delay := range map[time.Duration]time.Duration{
		300 * time.Millisecond: 300 * time.Millisecond, time.Minute: time.Second,
	} {
		bubble(t, wait.String(), func(t *testing.T) {
			leave, over := make(chan struct{}), make(chan struct{})
			r := stranger(t, func(cfg *blaze.Config) {
				cfg.HTTPClient = &http.Client{Transport: roundTrips(func(r *http.Request) (*http.Response, error) {
					<-leave
					<-r.Context().Done()
					close(over)
					time.Sleep(wait)
					return nil, errors.New("no network")
				})}
			})
			r.start(t.Context(), ok)
			synctest.Wait()
			close(leave)
			began := time.Now()
			require.NoError(t, r.stop())
			assert.Equal(t, delay, time.Since(began))
			<-over
			time.Sleep(time.Hour)
		})
	}
}

// A transport may ignore the end of its context. The profile that it returns later is not logged.
func TestNothingIsLoggedAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		var r *rig
		r = stranger(t, func(cfg *blaze.Config) {
			cfg.Drain = 500 * time.Millisecond
			cfg.HTTPClient = &http.Client{Transport: roundTrips(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				time.Sleep(2 * time.Second)
				defer close(over)
				body := strings.NewReader(`{"data":{"user_id":"` + r.AppID() + `","identity_number":"7000"}}`)
				return &http.Response{StatusCode: 200, Body: io.NopCloser(body), Request: req}, nil
			})}
		})
		r.start(t.Context(), ok)
		synctest.Wait()
		require.NoError(t, r.stop())
		<-over
		time.Sleep(time.Second)
		assert.Empty(t, r.log.lines("blaze: connected as"))
	})
}

// A profile in the response that confirmed the session after a 401 is not requested again.
func TestTheProbeTellsTheProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		var queried atomic.Int64
		countRequests(r.Server, getMe, &queried, blazetest.Answer{})
		r.Intercept("handshake", rejected(blaze.CodeUnauthorized))
		r.start(t.Context(), ok)
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, r.Stats().Connects)
		assert.EqualValues(t, 1, queried.Load())
		assert.Len(t, r.log.lines("blaze: connected as"), 1)
	})
}

func TestUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		alice := r.Server.User("alice")
		for _, query := range []string{alice.ID(), strings.ToUpper(alice.ID()), alice.IdentityNumber()} {
			got, err := r.Client.User(t.Context(), query)
			require.NoError(t, err)
			assert.Equal(t, alice.ID(), got.ID)
			assert.Equal(t, "alice", got.FullName)
			assert.Equal(t, alice.IdentityNumber(), got.IdentityNumber)
			assert.False(t, got.Bot)
		}
		_, err := r.Client.User(t.Context(), userB)
		require.ErrorIs(t, err, blaze.CodeNotFound)
		var rejection *blaze.Error
		require.ErrorAs(t, err, &rejection)
		assert.Equal(t, "GET /users/"+userB, rejection.Action)
		for _, query := range []string{"", "alice", "@7000101488", "../me", "7000 ", strings.Repeat("7", 21)} {
			_, err := r.Client.User(t.Context(), query)
			require.ErrorIs(t, err, blaze.ErrInvalid, query)
		}
	})
}

// A profile of somebody else is no response.
func TestUserOfAnother(t *testing.T) {
	for name, query := range map[string]string{"id": userB, "number": "7000101489"} {
		bubble(t, name, func(t *testing.T) {
			r := stranger(t, func(cfg *blaze.Config) { cfg.SendAttempts = 2 })
			var queried atomic.Int64
			countRequests(r.Server, "GET /users/"+query, &queried, data(profileOf(t, "bot.json")))
			_, err := r.Client.User(t.Context(), query)
			require.ErrorIs(t, err, blaze.ErrNoAnswer)
			assert.EqualValues(t, 2, queried.Load())
		})
	}
}

func TestUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		alice, bob := r.Server.User("alice").ID(), r.Server.User("bob").ID()
		users, err := r.Users(t.Context(), bob, userB, strings.ToUpper(alice), bob)
		require.NoError(t, err)
		require.Len(t, users, 4)
		assert.Equal(t, []string{"bob", "", "alice", "bob"},
			[]string{users[0].FullName, users[1].FullName, users[2].FullName, users[3].FullName})
		assert.Equal(t, blaze.User{}, users[1])

		users, err = r.Users(t.Context())
		require.NoError(t, err)
		assert.Empty(t, users)
		_, err = r.Users(t.Context(), alice, "7000101488")
		require.ErrorIs(t, err, blaze.ErrInvalid)
		assert.ErrorContains(t, err, "ids[1]")
	})
}

// blazetest rejects requests of more than 100 users, so they are divided.
func TestManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		var queried atomic.Int64
		countRequests(r.Server, "POST /users/fetch", &queried, blazetest.Answer{})
		var ids []string
		for i := range 201 {
			ids = append(ids, r.Server.User(fmt.Sprint(i)).ID())
		}
		users, err := r.Users(t.Context(), ids...)
		require.NoError(t, err)
		require.Len(t, users, len(ids))
		for i, user := range users {
			assert.Equal(t, fmt.Sprint(i), user.FullName)
		}
		assert.EqualValues(t, 3, queried.Load())
	})
}

func TestUsersInAnOddResponse(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"nobody": {`{"data":[]}`, []string{"", ""}},
		"null":   {`{"data":null}`, []string{"", ""}},
		"others": {`{"data":[{"user_id":"` + messageA + `"}]}`, []string{"", ""}},
		"an odd one too": {
			`{"data":[7,{"user_id":"` + userA + `"},{"user_id":"` + userB + `"}]}`, []string{userA, userB},
		},
		"an odd one":        {`{"data":[7,{"user_id":"` + userA + `"}]}`, nil},
		"no list":           {`{"data":{}}`, nil},
		"text in a profile": {`{"data":["` + userA + `"]}`, nil},
	} {
		bubble(t, name, func(t *testing.T) {
			queried := 0
			cfg := blaze.Config{HTTPClient: answersAll(tt.body, &queried), SendAttempts: 1}
			c := newClient(t, keyOf(botID), cfg, nil)
			users, err := c.Users(t.Context(), userA, userB)
			if tt.want == nil {
				require.ErrorIs(t, err, blaze.ErrNoAnswer)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, []string{users[0].ID, users[1].ID})
		})
	}
}

// Values of odd types and texts of more than 8 KiB are zero.
func TestOddProfiles(t *testing.T) {
	long, longest := strings.Repeat("x", 8<<10+1), strings.Repeat("y", 8<<10)
	body := `{"data":{"user_id":"` + userA + `","identity_number":7000101488,"full_name":"` + long + `",` +
		`"biography":"` + longest + `","avatar_url":{},"code_url":null,"created_at":"noon","app":[]}}`
	queried := 0
	c := newClient(t, keyOf(botID), blaze.Config{HTTPClient: answersAll(body, &queried)}, nil)
	user, err := c.User(t.Context(), userA)
	require.NoError(t, err)
	assert.Equal(t, blaze.User{ID: userA, IdentityNumber: "7000101488", Biography: longest}, user)
}

// An outdated client learns it from the background request, too.
func TestAnOutdatedProfileRequestEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := stranger(t, nil)
		r.Intercept(getMe, rejected(blaze.CodeUpdateRequired))
		r.start(t.Context(), ok)
		require.ErrorIs(t, r.wait(), blaze.CodeUpdateRequired)
	})
}

// A name cannot forge log records.
func TestANameInTheLogIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := `{"data":{"user_id":"` + botID + `","identity_number":"7000",` +
			`"full_name":"evil\nlevel=ERROR msg=forged"}}`
		s := newReplyingServer(t)
		cfg := s.config()
		log := new(logbook)
		cfg.Logger = slog.New(log)
		s.me = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
		c, err := blaze.New(keyOf(botID), &cfg)
		require.NoError(t, err)
		stop := runClient(t, c, ok)
		synctest.Wait()
		stop()
		lines := log.lines("blaze: connected as")
		require.Len(t, lines, 1)
		assert.NotContains(t, lines[0], "\nlevel=ERROR")
	})
}
