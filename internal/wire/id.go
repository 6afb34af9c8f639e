package wire

import (
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// LowerID returns an id in lower case if it has the length of a UUID: the service writes its ids so, and rejects
// message ids with capital letters. A longer or shorter text is not an id of the service and is returned unchanged.
func LowerID(id string) string {
	if len(id) != 36 {
		return id
	}
	return strings.ToLower(id)
}

// NewID returns a random UUID for a frame or a message.
func NewID() (string, error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", fmt.Errorf("blaze: cannot create an id: %w", err)
	}
	return id.String(), nil
}
