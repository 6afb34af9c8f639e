// Package seal encrypts and opens what only its recipients may read: messages, for the sessions they are sent to, and
// attachments, for whoever has their key. It knows no network.
//
// A sealed message has this layout (source: the service's documentation of encrypted messages, which all its clients
// follow byte for byte; that text calls the body AES-CBC, the clients use GCM):
//
//	1 byte             version, 1
//	2 bytes            number of sessions, little endian
//	32 bytes           X25519 public key of the sender
//	64 bytes a session 16 session id, 16 IV, 32 the message key: AES-256-CBC under the shared secret, PKCS #7
//	12 bytes           nonce
//	n bytes, 16 bytes  the message under AES-128-GCM, without additional data, and its tag
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/md5" //nolint:gosec // the protocol defines the checksum of sessions by MD5; nothing secret depends on it
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// The layout, in bytes.
const (
	version    = 1
	publicSize = 32
	headSize   = 1 + 2 + publicSize
	idSize     = 16
	wrapSize   = 2 * aes.BlockSize // of a message key: as long again with its padding
	entrySize  = idSize + aes.BlockSize + wrapSize
	keySize    = 16 // of a message
	nonceSize  = 12
	tagSize    = 16
)

// MostSessions is for how many sessions one message can be sealed. Source: the service's documentation, for 256
// participants.
const MostSessions = 510

// Errors of Open. What is damaged says more in its text, and no error holds a part of the message.
var (
	ErrNotForUs = errors.New("seal: not sealed for this session")
	ErrDamaged  = errors.New("seal: damaged")
)

// Errors of keys.
var (
	ErrSession = errors.New("seal: a session without a usable key")
	ErrNoKey   = errors.New("seal: our own key cannot agree on secrets: encrypted messages need an ed25519 session")
)

// Key is one side of the agreement on a secret. The private key stays behind it.
type Key interface {
	// Public returns the 32 bytes of the X25519 public key, nil where there is none.
	Public() []byte
	// Shared returns the secret shared with the owner of another public key. It fails for one of low order.
	Shared(public *ecdh.PublicKey) ([]byte, error)
}

// Session is one of the recipient's.
type Session struct {
	ID     string // a UUID
	Public []byte // X25519, 32 bytes
}

// Seal encrypts a message so that each of the sessions can open it. There has to be at least one: a message for none
// can be read by nobody. The error of a session that nothing can be sealed for wraps [ErrSession].
func Seal(own Key, sessions []Session, message []byte) ([]byte, error) {
	if len(own.Public()) != publicSize {
		return nil, ErrNoKey
	}
	if len(sessions) == 0 || len(sessions) > MostSessions {
		return nil, fmt.Errorf("seal: for %d sessions, and it has to be 1 to %d", len(sessions), MostSessions)
	}
	var secrets [keySize + nonceSize]byte
	_, _ = rand.Read(secrets[:]) // never fails
	key, nonce := secrets[:keySize], secrets[keySize:]
	sealed := make([]byte, 0, headSize+len(sessions)*entrySize+nonceSize+len(message)+tagSize)
	sealed = append(sealed, version)
	//nolint:gosec // G115: at most MostSessions
	sealed = binary.LittleEndian.AppendUint16(sealed, uint16(len(sessions)))
	sealed = append(sealed, own.Public()...)
	for _, s := range sessions {
		var err error
		if sealed, err = appendEntry(sealed, own, s, key); err != nil {
			return nil, err
		}
	}
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	sealed = append(sealed, nonce...)
	return gcm.Seal(sealed, nonce, message, nil), nil
}

func appendEntry(dst []byte, own Key, s Session, key []byte) ([]byte, error) {
	id, err := uuid.FromString(s.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: its id is no UUID", ErrSession)
	}
	block, err := agree(own, s.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: session %s: %w", ErrSession, id, err)
	}
	var iv, wrapped [2 * aes.BlockSize]byte
	_, _ = rand.Read(iv[:aes.BlockSize])
	copy(wrapped[:], key)
	for i := keySize; i < wrapSize; i++ {
		wrapped[i] = wrapSize - keySize // PKCS #7
	}
	cipher.NewCBCEncrypter(block, iv[:aes.BlockSize]).CryptBlocks(wrapped[:], wrapped[:])
	dst = append(dst, id[:]...)
	dst = append(dst, iv[:aes.BlockSize]...)
	return append(dst, wrapped[:]...), nil
}

// Open decrypts a message that was sealed for the session with the given id. It returns ErrNotForUs where it was sealed
// for others only, and else an error that is ErrDamaged.
func Open(own Key, sessionID string, sealed []byte) ([]byte, error) {
	id, err := uuid.FromString(sessionID)
	if err != nil {
		return nil, errors.New("seal: the session's id is no UUID")
	}
	if len(own.Public()) != publicSize {
		return nil, ErrNoKey
	}
	sender, entries, body, err := split(sealed)
	if err != nil {
		return nil, err
	}
	for ; len(entries) > 0; entries = entries[entrySize:] {
		if uuid.UUID(entries[:idSize]) != id {
			continue
		}
		key, err := unwrap(own, sender, entries[idSize:entrySize])
		if err != nil {
			return nil, err
		}
		gcm, err := newGCM(key)
		if err != nil {
			return nil, err
		}
		message, err := gcm.Open(nil, body[:nonceSize], body[nonceSize:], nil)
		if err != nil {
			return nil, fmt.Errorf("%w: the message does not fit its tag", ErrDamaged)
		}
		return message, nil
	}
	return nil, ErrNotForUs
}

// split takes a sealed message apart, with all its bounds checked.
func split(sealed []byte) (sender, entries, body []byte, err error) {
	if len(sealed) < headSize {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes, and its head alone has %d", ErrDamaged, len(sealed), headSize)
	}
	if sealed[0] != version {
		return nil, nil, nil, fmt.Errorf("%w: version %d, and only %d is known", ErrDamaged, sealed[0], version)
	}
	n := int(binary.LittleEndian.Uint16(sealed[1:]))
	sender, rest := sealed[3:headSize], sealed[headSize:]
	if len(rest) < n*entrySize+nonceSize+tagSize {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes, too few for the %d sessions it claims",
			ErrDamaged, len(sealed), n)
	}
	return sender, rest[:n*entrySize], rest[n*entrySize:], nil
}

// unwrap returns the message key from what an entry has behind the session's id.
func unwrap(own Key, sender, entry []byte) ([]byte, error) {
	block, err := agree(own, sender)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	key := make([]byte, wrapSize)
	cipher.NewCBCDecrypter(block, entry[:aes.BlockSize]).CryptBlocks(key, entry[aes.BlockSize:])
	padding := make([]byte, wrapSize-keySize)
	for i := range padding {
		padding[i] = wrapSize - keySize
	}
	if subtle.ConstantTimeCompare(key[keySize:], padding) == 0 {
		return nil, fmt.Errorf("%w: the message key does not fit its padding", ErrDamaged)
	}
	return key[:keySize], nil
}

// agree returns AES-256 under the secret shared with another public key. Keys whose secret everybody knows, those of
// low order, are refused.
func agree(own Key, public []byte) (cipher.Block, error) {
	other, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("a public key of %d bytes, and X25519 has %d", len(public), publicSize)
	}
	secret, err := own.Shared(other)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(secret)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return gcm, nil
}

// Checksum is what the service compares a set of sessions by: MD5 over their ids, lower case, in ascending order; ""
// for none. ids is not changed.
func Checksum(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	sorted := make([]string, len(ids))
	for i, id := range ids {
		sorted[i] = strings.ToLower(id)
	}
	slices.Sort(sorted)
	sum := md5.Sum([]byte(strings.Join(sorted, ""))) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
