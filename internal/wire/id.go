package wire

import (
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// LowerID returns an id in lower case if it has the length of a UUID: the service writes its ids so, and refuses
// capital letters in those of messages. What is longer or shorter is no id of the service, and stays as it is.
func LowerID(id string) string {
	if len(id) != 36 {
		return id
	}
	return strings.ToLower(id)
}

// NewID returns a random UUID, as the ids of frames and messages are.
func NewID() (string, error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", fmt.Errorf("blaze: cannot make an id: %w", err)
	}
	return id.String(), nil
}
