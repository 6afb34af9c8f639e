package blaze_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// withTransport sets an HTTPClient with a wrapped transport.
func withTransport(wrap func(next http.RoundTripper) roundTripperFunc) func(cfg *blaze.Config) {
	return func(cfg *blaze.Config) {
		direct := &http.Transport{DialContext: cfg.DialContext, DisableKeepAlives: true}
		cfg.HTTPClient = &http.Client{Transport: wrap(direct)}
	}
}

type roundTripperFunc func(r *http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// If the response to a stored message is lost, the error is an UnconfirmedError, even if the transport does not support
// httptrace.
func TestAResponseThatAnotherTransportLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, withTransport(func(next http.RoundTripper) roundTripperFunc {
			return func(r *http.Request) (*http.Response, error) {
				// The fresh context removes the httptrace, as transports without support for it do.
				resp, err := next.RoundTrip(r.Clone(context.Background()))
				if err == nil && strings.HasSuffix(r.URL.Path, "/encrypted_messages") {
					_ = resp.Body.Close()
					return nil, errors.New("the answer was lost")
				}
				return resp, err
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := r.Send(ctx, encryptedText(r.Client, "alice", "x"))
		assert.Len(t, r.Sent(), 1)
		var unconfirmed *blaze.UnconfirmedError
		require.ErrorAs(t, err, &unconfirmed)
	})
}

// Encrypted messages are sent even if the HTTP API responds later than ReplyTimeout.
func TestEncryptedMessagesOverASlowAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, ok, withTransport(func(next http.RoundTripper) roundTripperFunc {
			return func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil {
					return nil, err
				}
				select {
				case <-time.After(100 * time.Second):
					return resp, nil
				case <-r.Context().Done():
					_ = resp.Body.Close()
					return nil, r.Context().Err()
				}
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := r.Send(ctx, encryptedText(r.Client, "alice", "x"))
		require.NoError(t, err)
		_, err = r.SendBatch(ctx, encryptedText(r.Client, "bob", "x"), encryptedText(r.Client, "carol", "x"))
		require.NoError(t, err)
	})
}
