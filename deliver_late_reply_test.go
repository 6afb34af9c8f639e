package blaze_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// fullView is the data of a reply to CREATE_MESSAGE with the whole message, in the form of POST /messages.
func fullView(t *testing.T, r request) string {
	t.Helper()
	v := with(message("alice", "ours"), map[string]any{"user_id": botID, "message_id": r.Params.MessageID})
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return `,"data":` + string(text)
}

// A late reply to an abandoned request is not a push, whatever data it has.
func TestALateReplyIsNoPush(t *testing.T) {
	for name, tt := range map[string]func(t *testing.T, r request) string{
		"the whole message": fullView,
		"in capitals": func(t *testing.T, r request) string {
			return strings.Replace(fullView(t, r), botID, strings.ToUpper(botID), 1)
		},
		"an empty object": func(*testing.T, request) string { return `,"data":{}` },
		"an empty list":   func(*testing.T, request) string { return `,"data":[]` },
		"a list":          func(*testing.T, request) string { return `,"data":[{"message_id":"x"}]` },
		"a text":          func(*testing.T, request) string { return `,"data":"ok"` },
	} {
		for _, retried := range []bool{false, true} {
			how := "unanswered"
			if retried {
				how = "answered at last"
			}
			bubble(t, name+", "+how, func(t *testing.T) {
				var got diary
				var late request
				s := newReplyingServer(t)
				attempts := 0
				s.answer = func(r request) bool {
					if r.Action != actionSend {
						return false
					}
					late = r
					attempts++
					return attempts == 1 || !retried
				}
				r := s.run(got.texts(), nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := r.Send(ctx, r.ToUser(userID("alice"), blaze.Text("hello")))
				if retried {
					require.NoError(t, err)
				} else {
					var unconfirmed *blaze.UnconfirmedError
					require.ErrorAs(t, err, &unconfirmed)
				}
				synctest.Wait()
				before := r.Stats()
				if data := tt(t, late); name == "in capitals" { // the id of the frame too
					late.conn.json(fmt.Sprintf(`{"id":%q,"action":%q%s}`, strings.ToUpper(late.ID), late.Action, data))
				} else {
					late.reply(data)
				}
				time.Sleep(time.Second)
				assert.Zero(t, got.len())
				assert.Empty(t, s.ackedIDs())
				after := r.Stats()
				assert.Equal(t, before.Ignored+1, after.Ignored)
				assert.Zero(t, after.BadFrames)
				assert.Zero(t, after.Acked)
				// A message of another session of the bot is pushed and acknowledged.
				own := with(message("alice", "from elsewhere"), map[string]any{"user_id": botID})
				s.conn().push(own)
				time.Sleep(time.Second)
				assert.Equal(t, []string{own["message_id"].(string)}, s.ackedIDs())
			})
		}
	}
}
