package blaze

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/mixin-blaze/blaze/internal/auth"
)

// Keystore is one session of a bot: who it is, and the key it signs with. [LoadKeystore] reads one from the file that
// the dashboard exports; it may be built by hand as well, [New] checks it.
//
// A Keystore does not show its keys: fmt, log/slog and encoding/json print the ids and "[redacted]", also where it
// stands in an exported field, a slice or a map. That includes [json.Marshal], so it cannot be used to write a keystore
// file. Encoders of texts, such as encoding/xml, and encoding/gob get an error.
//
// What no type can prevent: its fields are plain strings; fmt shows them where it calls no methods, which is in an
// unexported field of another struct, even behind a pointer, and for the verbs %w and %p, which go vet reports. So give
// a Keystore to [New] and keep it nowhere: the Client holds the key in a way that nothing prints.
type Keystore struct {
	AppID     string `json:"app_id"`
	SessionID string `json:"session_id"`
	// 64 hex digits (ed25519 seed), base64 of 64 bytes, or an RSA key in PEM
	SessionPrivateKey string `json:"session_private_key"`
	ServerPublicKey   string `json:"server_public_key,omitempty"` // hex, as in the file; the websocket does not need it
}

const redacted = "[redacted]"

// newSigner is what a Client keeps of a Keystore: it cannot be printed. The Keystore may have been built by hand.
func newSigner(k Keystore) (*auth.Signer, error) {
	return signerOf(&k, "Keystore.AppID", "Keystore.SessionID", "Keystore.SessionPrivateKey")
}

// signerOf checks k and makes its ids lower case. Its errors use the names given.
func signerOf(k *Keystore, appField, sessionField, keyField string) (*auth.Signer, error) {
	var err error
	if k.AppID, err = auth.ID(k.AppID); err != nil {
		return nil, invalid(appField, "%v", err)
	}
	if k.SessionID, err = auth.ID(k.SessionID); err != nil {
		return nil, invalid(sessionField, "%v", err)
	}
	if k.SessionPrivateKey == redacted {
		return nil, invalid(keyField, "is what a Keystore prints instead of its key")
	}
	s, err := auth.New(k.AppID, k.SessionID, k.SessionPrivateKey)
	if err != nil {
		return nil, invalid(keyField, "%v", err)
	}
	return s, nil
}

// shown is what everything that prints a Keystore prints: ids, if that is what they are and not a key in the wrong
// place, and whether there are keys.
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

// secret tells only whether there is something.
func secret(s string) string {
	if s == "" {
		return ""
	}
	return redacted
}

// String shows the ids and not the keys.
func (k Keystore) String() string {
	k = k.shown()
	return fmt.Sprintf("Keystore{AppID: %q, SessionID: %q, SessionPrivateKey: %q, ServerPublicKey: %q}",
		k.AppID, k.SessionID, k.SessionPrivateKey, k.ServerPublicKey)
}

// GoString is String.
func (k Keystore) GoString() string { return "blaze." + k.String() }

// Format writes String, whatever the verb.
func (k Keystore) Format(f fmt.State, verb rune) {
	s := k.String()
	if verb == 'v' && f.Flag('#') {
		s = k.GoString()
	}
	_, _ = io.WriteString(f, s)
}

// LogValue is what log/slog shows: the ids and not the keys.
func (k Keystore) LogValue() slog.Value {
	k = k.shown()
	return slog.GroupValue(
		slog.String("app_id", k.AppID),
		slog.String("session_id", k.SessionID),
		slog.String("session_private_key", k.SessionPrivateKey),
	)
}

// errNotEncoded is why a Keystore is not encoded other than as JSON, in which a redacted key can be told.
var errNotEncoded = errors.New("blaze: a Keystore is not written, because of its keys: keep the file that it was " +
	"read from")

// MarshalText returns an error: encoders of XML, YAML and other texts would write the keys.
func (Keystore) MarshalText() ([]byte, error) { return nil, errNotEncoded }

// GobEncode returns an error: encoding/gob would write the keys.
func (Keystore) GobEncode() ([]byte, error) { return nil, errNotEncoded }

// MarshalJSON writes the ids and not the keys.
func (k Keystore) MarshalJSON() ([]byte, error) {
	type plain Keystore // without this method
	return json.Marshal(plain(k.shown()))
}
