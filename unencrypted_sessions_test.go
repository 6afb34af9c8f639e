package blaze_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// answerSessions makes the service answer each lookup of sessions with a list.
func answerSessions(s *blazetest.Server, list string) {
	many(s, fetchAction, func(blazetest.Frame) blazetest.Answer {
		return blazetest.Answer{Reply: &blazetest.Frame{Data: []byte(list)}}
	})
}

// aliceKey is the public key of alice's session in blazetest. The second constant has the standard alphabet.
const (
	aliceSession = "38276b47-4c08-5ae3-a8f2-f33952aa2fa2"
	aliceKey     = "OKpuxQGMC9M1MV6wDKihS_1GZv8DnqKfMKZJGZY0HjI"
	aliceKeyStd  = "OKpuxQGMC9M1MV6wDKihS/1GZv8DnqKfMKZJGZY0HjI="
)

func sessionJSON(user, id, key string) string {
	return fmt.Sprintf(`{"type":"session","user_id":%s,"session_id":%s,"public_key":%s}`, user, id, key)
}

// An encrypted reply is sent unencrypted only if the lookup proves that the user has no session that can decrypt it.
func TestInvalidSessionsDoNotExposeAReply(t *testing.T) {
	alice, session, key := `"`+userID("alice")+`"`, `"`+aliceSession+`"`, `"`+aliceKey+`"`
	for name, c := range map[string]struct {
		list      string
		encrypted bool
		fails     bool
	}{
		"as the service writes it":  {`[` + sessionJSON(alice, session, key) + `]`, true, false},
		"in the standard alphabet":  {`[` + sessionJSON(alice, session, `"`+aliceKeyStd+`"`) + `]`, true, false},
		"with the user in capitals": {`[` + sessionJSON(strings.ToUpper(alice), session, key) + `]`, true, false},
		"with no session":           {`[]`, false, false},
		"null":                      {`null`, false, false}, // some encoders write an empty list as null
		"without a key":             {`[` + sessionJSON(alice, session, `""`) + `]`, false, false},
		"with a null for a key":     {`[` + sessionJSON(alice, session, `null`) + `]`, false, false},
		"without a user":            {`[` + sessionJSON(`{}`, session, key) + `]`, false, true},
		"without an id":             {`[` + sessionJSON(alice, `{}`, key) + `]`, false, true},
		"with a key that is a list": {`[` + sessionJSON(alice, session, `[`+key+`]`) + `]`, false, true},
		"with a broken key":         {`[` + sessionJSON(alice, session, `"!"`) + `]`, false, true},
		"with half a key":           {`[` + sessionJSON(alice, session, `"`+aliceKey[:22]+`"`) + `]`, false, true},
		"with a text for a session": {`["x"]`, false, true},
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, func(cfg *blaze.Config) { cfg.HandlerAttempts = 3 })
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				return r.Reply(ctx, m, blaze.Text("the code is 1234"))
			})
			answerSessions(r.Server, c.list)
			r.secret("alice", "", "question")
			time.Sleep(time.Minute)
			if c.fails {
				assert.Empty(t, r.Sent())
				assert.Equal(t, 3, r.failures.len())
				return
			}
			assert.Empty(t, r.failures.all())
			require.Len(t, r.Sent(), 1)
			assert.Equal(t, c.encrypted, r.Sent()[0].Encrypted)
		})
	}
}

// If a user has many sessions, an encrypted reply may exceed the service's limit. It is then sent unencrypted.
func TestAReplyTooLargeForManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lens []int
		r := prepare(t, nil)
		r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
			return r.Reply(ctx, m, blaze.Text(strings.Repeat("x", 94_000)))
		})
		list := make([]string, 60)
		for i := range list {
			list[i] = sessionJSON(`"`+userID("alice")+`"`, `"`+blaze.DeriveID(fmt.Sprint(i))+`"`, `"`+aliceKey+`"`)
		}
		answerSessions(r.Server, `[`+strings.Join(list, ",")+`]`)
		many(r.Server, encryptedAction, func(f blazetest.Frame) blazetest.Answer {
			lens = append(lens, len(f.Params))
			return blazetest.Answer{}
		})
		r.secret("alice", "", "question")
		r.idle()
		assert.Empty(t, lens, "no request that is too large")
		assert.Empty(t, r.failures.all())
		require.Len(t, r.Sent(), 1)
		assert.False(t, r.Sent()[0].Encrypted)
	})
}
