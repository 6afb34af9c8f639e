package blazetest_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// Messages that a script has not read are left for the next script, whatever was sent after them.
func TestAScriptLeavesWhatItDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		path := filepath.Join(t.TempDir(), "talk.txt")
		for _, text := range []string{
			"alice@g: a\nwait 1s\nalice: b\nbot> what is b?\n",
			"bot@g> what is a?\nbot> (nothing)\n",
		} {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			blazetest.Script(t, s, path)
		}
	})
}

// An updated script uses the id of a group if scripts cannot contain its name.
func TestUpdateNamesGroups(t *testing.T) {
	t.Setenv("BLAZE_UPDATE", "1")
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		g := s.Group("a group of two words", s.User("alice"))
		g.As(s.User("alice")).Say("a")
		path := filepath.Join(t.TempDir(), "talk.txt")
		require.NoError(t, os.WriteFile(path, []byte("wait 1s\n"), 0o600))
		blazetest.Script(t, s, path)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "bot@"+g.ID()+"> what is a?\nwait 1s\n", string(got))
	})
}

// After RemoveBot the bot is notified, and its messages to the group are rejected and reported.
func TestTheBotIsRemovedFromAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := newServer(t)
		alice := s.User("alice")
		g := s.Group("g", alice)
		c := connectAndList(t, s)
		c.pushed() // CREATE
		for _, action := range []string{"REMOVE", "ADD"} {
			if action == "REMOVE" {
				g.RemoveBot()
			} else {
				g.AddBot()
			}
			data, err := base64.StdEncoding.DecodeString(c.pushed().Data)
			require.NoError(t, err)
			want := `{"action":"` + action + `","participant_id":"` + s.Key.AppID + `","user_id":"` + alice.ID() + `"}`
			require.JSONEq(t, want, string(data))
			said := c.call(wire.ActionCreateMessage, textMessage(object{"conversation_id": g.ID()}))
			if action == "REMOVE" {
				require.Equal(t, 403, said.Error.Code)
				require.Len(t, f.take(), 1)
				g.RemoveBot()
				require.Len(t, f.take(), 1, "it is gone")
			} else {
				require.Nil(t, said.Error)
			}
		}
	})
}
