package blaze_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

// formsOf returns the forms in which a secret might be printed, with any text around it.
func formsOf(secret string) []string {
	p := []byte(secret)
	decimal := strings.Trim(fmt.Sprint(p), "[]")
	lower := hex.EncodeToString(p)
	forms := []string{
		secret, lower, strings.ToUpper(lower), decimal,
		strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "),
	}
	// base64 depends on the alignment to groups of three bytes, and at both ends on the neighbours.
	for before := range 3 {
		whole := p[(3-before)%3:]
		whole = whole[:len(whole)/3*3]
		forms = append(forms, base64.StdEncoding.EncodeToString(whole), base64.URLEncoding.EncodeToString(whole))
	}
	return forms
}

// assertSilent checks that a text contains no secret in any form.
func assertSilent(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for _, form := range formsOf(secret) {
			assert.False(t, strings.Contains(text, form), "%s shows a secret: %s", what, secret)
		}
	}
}

// reported returns all texts of the client for its operator: the log, the traced errors and errs.
func (r *rig) reported(errs ...error) string {
	texts := []string{r.log.String(), r.disconnects.String(), r.failures.String(), r.drops.String()}
	for _, err := range errs {
		texts = append(texts, fmt.Sprintf("%v %+v %#v %q", err, err, err, err))
	}
	return strings.Join(texts, "\n")
}

func TestNoMessageIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := ledgerFuncs{
			func(context.Context, string) (bool, error) { return false, errAny },
			func(context.Context, string) error { panic("boom") },
		}
		r := run(t, func(_ context.Context, m *blaze.Message) error {
			switch m.Attempt {
			case 1:
				return fmt.Errorf("cannot handle %v, %+v, %#v, %q: %w", m, m, *m, m, errAny)
			case 2:
				panic(m)
			case 3:
				runtime.Goexit()
			}
			return fmt.Errorf("%v: %w", m, blaze.ErrDrop)
		}, func(cfg *blaze.Config) { cfg.Ledger = fails })
		r.say("alice", canary)
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: "PLAIN_IMAGE", Data: []byte(canary)}})
		r.Deliver(userID("alice"), blaze.Outgoing{Payload: blaze.Raw{As: "ENCRYPTED_TEXT", Data: []byte(canary)}})
		r.idle()
		r.Intercept(actionSend, rejected(blaze.CodeForbidden))
		out := r.ToUser(userID("alice"), blaze.Text(canary))
		_, rejection := r.Send(t.Context(), out)
		_, invalid := r.Send(t.Context(), blaze.Outgoing{Payload: blaze.Text(canary)})
		r.Intercept(actionSend, ignored)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, unconfirmed := r.Send(ctx, out)
		assert.NotEmpty(t, r.log.all())
		assertSilent(t, "the client",
			r.reported(rejection, invalid, unconfirmed)+fmt.Sprintf("%v %+v %#v", out, out, out),
			canary, r.Key.SessionPrivateKey)
	})
}

func TestNoBadFrameIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, _ := surprised(t, nil, func(c *rawConn) {
			c.json(canary)
			c.json(`{"id":"` + canary + `","action":5}`)
			c.json(`{"id":"1","action":"CREATE_MESSAGE","data":{"message_id":{"` + canary + `":"` + canary + `"}}}`)
			c.json(`{"id":"1","action":"` + canary + `"}`)
			c.push(with(message("alice", canary), map[string]any{"message_id": nil}))
			c.push(with(message("alice", canary), map[string]any{"user_id": []string{canary}}))
			c.push(with(message("alice", canary), map[string]any{"data_base64": "*" + canary}))
			c.write(1, []byte(canary))
			c.write(2, []byte(canary))
		})
		assert.EqualValues(t, 7, r.Stats().BadFrames)
		assertSilent(t, "the client", r.reported(), canary)
	})
}
