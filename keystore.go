package blaze

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/mixin-blaze/blaze/internal/auth"
)

// Keystore identifies a session of a bot and holds its private key. [LoadKeystore] reads the file that the dashboard
// exports. A Keystore may also be built by hand; [New] validates it.
//
// A Keystore does not print its keys: fmt, log/slog and encoding/json write the ids and "[redacted]", also for a
// Keystore in an exported field, a slice or a map. [json.Marshal] therefore cannot write a keystore file. Text
// encoders, such as encoding/xml, and encoding/gob return an error.
//
// The fields are plain strings, and fmt prints them in two cases: if the Keystore is in an unexported field of a
// struct, or with the verbs %w and %p, which go vet reports. So pass a Keystore to [New] and do not store it. The
// Client keeps the key in a form that nothing prints.
type Keystore struct {
	AppID     string `json:"app_id"`
	SessionID string `json:"session_id"`
	// 64 hex digits (ed25519 seed), base64 of 64 bytes, or an RSA key in PEM
	SessionPrivateKey string `json:"session_private_key"`
	ServerPublicKey   string `json:"server_public_key,omitempty"` // hex, as in the file; the websocket does not need it
}

const redacted = "[redacted]"

// newSigner returns the signer for a Keystore, which may have been built by hand. The key of a signer
// cannot be printed.
func newSigner(k Keystore) (*auth.Signer, error) {
	return signerOf(&k, "Keystore.AppID", "Keystore.SessionID", "Keystore.SessionPrivateKey")
}

// signerOf validates k and changes its ids to lower case. Errors use the given field names.
func signerOf(k *Keystore, appField, sessionField, keyField string) (*auth.Signer, error) {
	var err error
	if k.AppID, err = auth.ID(k.AppID); err != nil {
		return nil, invalid(appField, "%v", err)
	}
	if k.SessionID, err = auth.ID(k.SessionID); err != nil {
		return nil, invalid(sessionField, "%v", err)
	}
	if k.SessionPrivateKey == redacted {
		return nil, invalid(keyField, "is the printed form of a Keystore, without the key")
	}
	s, err := auth.New(k.AppID, k.SessionID, k.SessionPrivateKey)
	if err != nil {
		return nil, invalid(keyField, "%v", err)
	}
	return s, nil
}

// shown returns the printable form of a Keystore. Keys are redacted, and so is an id that is not a UUID, because it may
// be a misplaced key.
func (k Keystore) shown() Keystore {
	id := func(s string) string {
		if u, err := auth.ID(s); err == nil {
			return u
		}
		return secret(s)
	}
	return Keystore{
		AppID:             id(k.AppID),
		SessionID:         id(k.SessionID),
		SessionPrivateKey: secret(k.SessionPrivateKey),
		ServerPublicKey:   secret(k.ServerPublicKey),
	}
}

// secret redacts s unless it is empty.
func secret(s string) string {
	if s == "" {
		return ""
	}
	return redacted
}

// String returns the ids without the keys.
func (k Keystore) String() string {
	k = k.shown()
	return fmt.Sprintf("Keystore{AppID: %q, SessionID: %q, SessionPrivateKey: %q, ServerPublicKey: %q}",
		k.AppID, k.SessionID, k.SessionPrivateKey, k.ServerPublicKey)
}

// GoString is like String.
func (k Keystore) GoString() string { return "blaze." + k.String() }

// Format writes GoString for %#v, and String for every other verb.
func (k Keystore) Format(f fmt.State, verb rune) {
	s := k.String()
	if verb == 'v' && f.Flag('#') {
		s = k.GoString()
	}
	_, _ = io.WriteString(f, s)
}

// LogValue implements [slog.LogValuer]. It shows the ids without the keys.
func (k Keystore) LogValue() slog.Value {
	k = k.shown()
	return slog.GroupValue(
		slog.String("app_id", k.AppID),
		slog.String("session_id", k.SessionID),
		slog.String("session_private_key", k.SessionPrivateKey),
	)
}

// errNotEncoded is returned by all encodings but JSON, which redacts the keys.
var errNotEncoded = errors.New("blaze: a Keystore is not written, because of its keys: keep the file that it was " +
	"read from")

// MarshalText returns an error, because encoders of XML, YAML and other texts would write the keys.
func (Keystore) MarshalText() ([]byte, error) { return nil, errNotEncoded }

// GobEncode returns an error, because encoding/gob would write the keys.
func (Keystore) GobEncode() ([]byte, error) { return nil, errNotEncoded }

// MarshalJSON writes the ids without the keys.
func (k Keystore) MarshalJSON() ([]byte, error) {
	type plain Keystore // without this method
	return json.Marshal(plain(k.shown()))
}
