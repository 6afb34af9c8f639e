package wire

import (
	"fmt"

	"github.com/gofrs/uuid/v5"
)

// NewID returns a random UUID, as the ids of frames and messages are.
func NewID() (string, error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", fmt.Errorf("blaze: cannot make an id: %w", err)
	}
	return id.String(), nil
}
