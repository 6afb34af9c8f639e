// Package seal encrypts and decrypts messages, for the sessions of their recipients, and attachments, for holders of
// their key. It does no I/O of its own.
//
// An encrypted message has this layout (source: the service's documentation of encrypted messages, which all its
// clients follow byte for byte; that text calls the body AES-CBC, the clients use GCM):
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
	wrapSize   = 2 * aes.BlockSize // of a message key with its padding, which is as long as the key
	entrySize  = idSize + aes.BlockSize + wrapSize
	keySize    = 16 // of a message
	nonceSize  = 12
	tagSize    = 16
)

// MostSessions is the maximum number of sessions of one message. Source: the service's documentation, for 256
// participants.
const MostSessions = 510

// Errors of Open. The text of an ErrDamaged has details, but no part of the message.
var (
	ErrNotForUs = errors.New("seal: not encrypted for this session")
	ErrDamaged  = errors.New("seal: damaged")
)

// Errors of keys.
var (
	ErrSession = errors.New("seal: session without a usable key")
	ErrNoKey   = errors.New("seal: no X25519 key: encrypted messages need an ed25519 session")
)

// Key is our side of a key agreement. It does not reveal the private key.
type Key interface {
	// Public returns the 32 bytes of the X25519 public key, or nil if there is none.
	Public() []byte
	// Shared returns the secret shared with the owner of another public key. A key of low order is an error.
	Shared(public *ecdh.PublicKey) ([]byte, error)
}

// Session is a session of a recipient.
type Session struct {
	ID     string // a UUID
	Public []byte // X25519, 32 bytes
}

// Seal encrypts a message so that each of the sessions can decrypt it. At least one session is required. If a session
// has no usable id or key, the error wraps [ErrSession].
func Seal(own Key, sessions []Session, message []byte) ([]byte, error) {
	if len(own.Public()) != publicSize {
		return nil, ErrNoKey
	}
	if len(sessions) == 0 || len(sessions) > MostSessions {
		return nil, fmt.Errorf("seal: %d sessions, want 1 to %d", len(sessions), MostSessions)
	}
	var secrets [keySize + nonceSize]byte
	_, _ = rand.Read(secrets[:]) // never fails
	key, nonce := secrets[:keySize], secrets[keySize:]
	encrypted := make([]byte, 0, headSize+len(sessions)*entrySize+nonceSize+len(message)+tagSize)
	encrypted = append(encrypted, version)
	//nolint:gosec // G115: at most MostSessions
	encrypted = binary.LittleEndian.AppendUint16(encrypted, uint16(len(sessions)))
	encrypted = append(encrypted, own.Public()...)
	for _, s := range sessions {
		var err error
		if encrypted, err = appendEntry(encrypted, own, s, key); err != nil {
			return nil, err
		}
	}
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	encrypted = append(encrypted, nonce...)
	return gcm.Seal(encrypted, nonce, message, nil), nil
}

func appendEntry(dst []byte, own Key, s Session, key []byte) ([]byte, error) {
	id, err := uuid.FromString(s.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: its id is not a UUID", ErrSession)
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

// Open decrypts a message that was encrypted for the session with the given id. The error is ErrNotForUs if it was
// encrypted for other sessions only, otherwise it wraps ErrDamaged.
func Open(own Key, sessionID string, encrypted []byte) ([]byte, error) {
	id, err := uuid.FromString(sessionID)
	if err != nil {
		return nil, errors.New("seal: the session id is not a UUID")
	}
	if len(own.Public()) != publicSize {
		return nil, ErrNoKey
	}
	sender, entries, body, err := split(encrypted)
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
			return nil, fmt.Errorf("%w: the tag of the message does not match", ErrDamaged)
		}
		return message, nil
	}
	return nil, ErrNotForUs
}

// split returns the parts of an encrypted message. It checks all bounds.
func split(encrypted []byte) (sender, entries, body []byte, err error) {
	if len(encrypted) < headSize {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes, less than the head of %d", ErrDamaged, len(encrypted), headSize)
	}
	if encrypted[0] != version {
		return nil, nil, nil, fmt.Errorf("%w: version %d, want %d", ErrDamaged, encrypted[0], version)
	}
	n := int(binary.LittleEndian.Uint16(encrypted[1:]))
	sender, rest := encrypted[3:headSize], encrypted[headSize:]
	if len(rest) < n*entrySize+nonceSize+tagSize {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes are too few for the %d sessions claimed",
			ErrDamaged, len(encrypted), n)
	}
	return sender, rest[:n*entrySize], rest[n*entrySize:], nil
}

// unwrap returns the message key from an entry without its session id.
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
		return nil, fmt.Errorf("%w: invalid padding of the message key", ErrDamaged)
	}
	return key[:keySize], nil
}

// agree returns AES-256 under the secret shared with another public key. It rejects keys of low order, because their
// shared secret is public.
func agree(own Key, public []byte) (cipher.Block, error) {
	other, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("the public key has %d bytes, want %d", len(public), publicSize)
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

// Checksum returns the value that the service uses to compare sets of sessions: the MD5 of their ids, in lower case and
// ascending order, or "" for none. It does not modify ids.
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
