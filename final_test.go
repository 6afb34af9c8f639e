package blaze_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

func TestFinal(t *testing.T) {
	invalid := &blaze.InvalidError{Field: "Text", Reason: "must not be empty"}
	forbidden := &blaze.Error{Code: blaze.CodeForbidden, Status: 202}
	busy := &blaze.Error{Code: blaze.CodeTooManyRequests, Status: 202}
	for _, tt := range []struct {
		final bool
		err   error
	}{
		{false, nil},
		{true, invalid},
		{true, fmt.Errorf("to alice: %w", forbidden)},
		{false, busy},
		{false, &blaze.Error{Code: 10500, Status: 502}},
		{false, &blaze.Error{Code: blaze.CodeUnauthorized, Status: 202}},
		{false, &blaze.UnconfirmedError{MessageID: messageA, Err: forbidden}},
		{false, errors.Join(blaze.ErrClosed, forbidden)},
		{false, blaze.ErrNoAnswer},
		{false, context.DeadlineExceeded},
		{false, errors.New("of a Limiter")},
		{true, &blaze.BatchError{Errs: []error{nil, invalid, forbidden}}},
		{false, &blaze.BatchError{Errs: []error{invalid, busy}}},
	} {
		assert.Equal(t, tt.final, blaze.Final(tt.err), "%v", tt.err)
	}
}
