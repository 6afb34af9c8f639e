package blazetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// Messages are decrypted, and keys derived, without holding Server.mu.
func TestNoKeyIsDerivedUnderTheLock(t *testing.T) {
	s := NewServer()
	t.Cleanup(s.Close)
	alice := s.User("alice")
	alice.Say("hello")
	own, err := sessionOf(alice.ID())
	require.NoError(t, err)
	to := []seal.Session{{ID: own.SessionID(), Public: own.Public()}}
	data, err := seal.Seal(own, to, []byte("secret"))
	require.NoError(t, err)
	p := &player{s: s}
	require.NoError(t, p.begin())

	s.mu.Lock()
	s.store(blaze.Outgoing{
		MessageID: alice.ID(), ConversationID: alice.ConversationID(), Encrypted: true,
		Payload: blaze.Raw{As: "ENCRYPTED_TEXT", Data: data},
	})
	found := p.unreadLocked()
	view := s.viewOfConversation(s.conversations[alice.ConversationID()])
	s.mu.Unlock()

	require.Len(t, found, 1)
	require.IsType(t, blaze.Raw{}, found[0].out.Payload)
	require.Equal(t, blaze.Text("secret"), found[0].botMessage().out.Payload)
	require.Len(t, view.Participants, 2)
	require.Empty(t, view.Sessions)
}
