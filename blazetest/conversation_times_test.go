package blazetest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

func TestMutingOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t)
		c := newRESTClient(t, s)
		alice := s.User("alice")
		alice.Say("hello")
		path := "/conversations/" + alice.ConversationID()
		s.Clock(time.Minute)
		muted := c.get("POST", path+"/mute", object{"duration": 60})
		until := time.Now().Add(2 * time.Minute).UTC().Format(time.RFC3339Nano)
		require.Equal(t, until, muted["mute_until"])
		require.Equal(t, muted, c.get("GET", path, nil))
		require.Equal(t, "0001-01-01T00:00:00Z", c.get("POST", path+"/mute", object{"duration": 0})["mute_until"])
	})
}

func TestDisappearingMessagesOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idOrMisuse := make(chan blaze.SystemConversation, 8)
		s, _ := blazetest.Start(t, func(*blaze.Client) blaze.Handler {
			return blaze.On(func(_ context.Context, _ *blaze.Message, p blaze.SystemConversation) error {
				idOrMisuse <- p
				return nil
			})
		}, nil)
		c := newRESTClient(t, s)
		mine := newGroup(c)
		contact := s.User("alice").ConversationID()
		s.User("alice").Send(blaze.Sticker{StickerID: id1})
		for _, id := range []string{mine, contact} {
			changed := c.get("POST", "/conversations/"+id+"/disappear", object{"duration": 3600})
			require.EqualValues(t, 3600, changed["expire_in"])
			require.Equal(t, changed, c.get("GET", "/conversations/"+id, nil))
		}
		forever := c.get("POST", "/conversations/"+mine+"/disappear", object{"duration": 0})
		require.EqualValues(t, 0, forever["expire_in"])
		synctest.Wait()
		require.Equal(t, "CREATE", (<-idOrMisuse).Action)
		change := blaze.SystemConversation{Action: "EXPIRE", UserID: s.Key.AppID, ExpireIn: time.Hour}
		require.ElementsMatch(t, []blaze.SystemConversation{change, change, {Action: "EXPIRE", UserID: s.Key.AppID}},
			[]blaze.SystemConversation{<-idOrMisuse, <-idOrMisuse, <-idOrMisuse})
	})
}

func TestTimesOfConversationsThatAreRefused(t *testing.T) {
	s, f := newServer(t)
	c := newRESTClient(t, s)
	alice := s.User("alice")
	theirs := s.Group("theirs", alice)
	left := s.Group("left", alice)
	left.RemoveBot()
	for _, test := range []struct {
		path string
		body any
		code int
	}{
		{theirs.ID() + "/disappear", object{"duration": 60}, 403},
		{left.ID() + "/disappear", object{"duration": 60}, 403},
		{left.ID() + "/mute", object{"duration": 60}, 403},
		{id2 + "/mute", object{"duration": 60}, 403},
		{theirs.ID() + "/mute", object{"duration": -1}, 10002},
		{theirs.ID() + "/mute", object{"duration": int64(1) << 60}, 10002},
		{theirs.ID() + "/mute", object{"duration": "60"}, 10002},
		{theirs.ID() + "/mute", object{}, 10002},
		{theirs.ID() + "/disappear", `[`, 10002},
	} {
		code, _ := c.rejection("POST", "/conversations/"+test.path, test.body)
		require.Equal(t, test.code, code, test.path)
		require.Len(t, f.take(), 1)
	}
	require.NotEmpty(t, c.get("POST", "/conversations/"+theirs.ID()+"/mute", object{"duration": 60})["mute_until"])
}
