package blaze

import (
	"fmt"

	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// unseal opens the data of an encrypted message that was sealed for this session, so that it is decoded like a plain one. What was
// sealed for others, what is damaged, and everything where the session's key is RSA, stays as it is, with the reason.
func (c *Client) unseal(v *wire.Message) ([]byte, error) {
	data, err := seal.Open(c.signer, c.signer.SessionID(), []byte(v.Data))
	if err != nil {
		return nil, fmt.Errorf("blaze: a %s message cannot be opened: %w", clip(v.Category), err)
	}
	return data, nil
}
