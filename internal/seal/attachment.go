package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// An encrypted attachment is an IV, the file in AES-256-CBC with PKCS #7, and the HMAC-SHA256 of both. Its key has 64
// bytes: 32 for AES and 32 for HMAC. Its digest is the SHA-256 of all of it. Source: the service's clients, which have
// the format from Signal.
const (
	AttachmentKeySize = 2 * halfKey
	halfKey           = 32
	macSize           = sha256.Size
	chunk             = 32 << 10 // a multiple of the block size; bounds the memory of a stream
)

// EncryptedSize returns the encrypted size of a file of size bytes.
func EncryptedSize(size int64) int64 {
	return aes.BlockSize + (size/aes.BlockSize+1)*aes.BlockSize + macSize
}

// Encrypter encrypts the bytes of a Reader. Key and Digest belong to the encrypted bytes.
type Encrypter struct {
	src    io.Reader
	key    []byte
	cbc    cipher.BlockMode
	mac    hash.Hash
	digest hash.Hash
	out    []byte // encrypted and not returned yet
	buf    []byte // space for a chunk, its padding and the MAC
	tail   []byte // read, and not a full block yet
	err    error  // returned after out
}

// NewEncrypter returns an Encrypter with a random key. Its memory does not depend on the size of src.
func NewEncrypter(src io.Reader) (*Encrypter, error) {
	key := make([]byte, AttachmentKeySize)
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(key) // never fails
	_, _ = rand.Read(iv)
	return newEncrypter(src, key, iv)
}

func newEncrypter(src io.Reader, key, iv []byte) (*Encrypter, error) {
	block, err := aes.NewCipher(key[:halfKey])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	e := &Encrypter{
		src: src, key: key, cbc: cipher.NewCBCEncrypter(block, iv),
		mac: hmac.New(sha256.New, key[halfKey:]), digest: sha256.New(),
		buf: make([]byte, chunk+aes.BlockSize+macSize),
	}
	e.give(iv)
	return e, nil
}

// Key returns the 64 bytes that decrypt the result.
func (e *Encrypter) Key() []byte { return bytes.Clone(e.key) }

// Digest returns the SHA-256 of the result. It is complete after io.EOF.
func (e *Encrypter) Digest() []byte { return e.digest.Sum(nil) }

// Read implements [io.Reader]. It reads from the source only if no encrypted bytes are left.
func (e *Encrypter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(e.out) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		e.next()
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

// give hashes b and makes it the next bytes to return.
func (e *Encrypter) give(b []byte) {
	_, _ = e.mac.Write(b) // hashes do not fail
	_, _ = e.digest.Write(b)
	e.out = b
}

// next encrypts the bytes of one read of the source.
func (e *Encrypter) next() {
	kept := copy(e.buf, e.tail)
	n, err := e.src.Read(e.buf[kept:chunk])
	n += kept
	if errors.Is(err, io.EOF) {
		e.last(n)
		return
	}
	full := n - n%aes.BlockSize
	e.tail = append(e.tail[:0], e.buf[full:n]...)
	e.cbc.CryptBlocks(e.buf[:full], e.buf[:full])
	e.give(e.buf[:full])
	e.err = err
}

// last encrypts the last n bytes with their padding, and appends the MAC.
func (e *Encrypter) last(n int) {
	padding := aes.BlockSize - n%aes.BlockSize
	for i := range padding {
		e.buf[n+i] = byte(padding)
	}
	b := e.buf[:n+padding]
	e.cbc.CryptBlocks(b, b)
	e.give(b)
	mac := e.mac.Sum(nil)
	_, _ = e.digest.Write(mac)
	b = append(b, mac...)
	e.out, e.err = b, io.EOF
}

// Errors of the last Read of a Decrypter.
var (
	ErrDigest = errors.New("seal: the digest does not match")
	ErrMAC    = errors.New("seal: the MAC does not match: wrong key or modified data")
)

// Decrypter decrypts an attachment that it reads from a Reader. The bytes it returns are not verified before its last
// Read. That one returns io.EOF only if digest and MAC match, and otherwise ErrDigest, ErrMAC, or ErrDamaged for an
// impossible length.
type Decrypter struct {
	src    io.Reader
	want   []byte // the digest
	cbc    cipher.BlockMode
	block  cipher.Block
	mac    hash.Hash
	digest hash.Hash
	out    []byte // decrypted and not returned yet
	buf    []byte
	tail   []byte // read, and possibly part of the last bytes
	err    error  // returned after out
}

// NewDecrypter returns a Decrypter for the key and the digest of an attachment. Its memory does not depend on the size
// of src.
func NewDecrypter(src io.Reader, key, digest []byte) (*Decrypter, error) {
	if len(key) != AttachmentKeySize {
		return nil, fmt.Errorf("seal: the key has %d bytes, want %d", len(key), AttachmentKeySize)
	}
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("seal: the digest has %d bytes, want %d", len(digest), sha256.Size)
	}
	block, err := aes.NewCipher(key[:halfKey])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Decrypter{
		src: src, want: bytes.Clone(digest), block: block,
		mac: hmac.New(sha256.New, key[halfKey:]), digest: sha256.New(),
		buf: make([]byte, chunk+lastSize),
	}, nil
}

// lastSize is the number of bytes withheld until the end: one block, which has the padding, and the MAC.
const lastSize = aes.BlockSize + macSize

// Read implements [io.Reader].
func (d *Decrypter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.next()
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// next decrypts the bytes of one read of the source.
func (d *Decrypter) next() {
	kept := copy(d.buf, d.tail)
	n, err := d.src.Read(d.buf[kept:])
	b := d.buf[:kept+n]
	if d.cbc == nil && len(b) >= aes.BlockSize {
		d.hash(b[:aes.BlockSize])
		d.cbc = cipher.NewCBCDecrypter(d.block, b[:aes.BlockSize])
		b = b[aes.BlockSize:]
	}
	if errors.Is(err, io.EOF) {
		d.last(b)
		return
	}
	full := max(len(b)-lastSize, 0)
	if full -= full % aes.BlockSize; d.cbc == nil {
		full = 0
	}
	d.tail = append(d.tail[:0], b[full:]...)
	d.hash(b[:full])
	if full > 0 {
		d.cbc.CryptBlocks(b[:full], b[:full])
	}
	d.out, d.err = b[:full], err
}

// last verifies the attachment before it returns the withheld bytes.
func (d *Decrypter) last(b []byte) {
	if d.cbc == nil || len(b) < lastSize || (len(b)-macSize)%aes.BlockSize != 0 {
		d.err = fmt.Errorf("%w: impossible length of an attachment", ErrDamaged)
		return
	}
	b, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	d.hash(b)
	_, _ = d.digest.Write(mac)
	switch {
	case !hmac.Equal(d.digest.Sum(nil), d.want):
		d.err = ErrDigest
		return
	case !hmac.Equal(d.mac.Sum(nil), mac):
		d.err = ErrMAC
		return
	}
	d.cbc.CryptBlocks(b, b)
	padding := int(b[len(b)-1])
	if padding == 0 || padding > aes.BlockSize ||
		!bytes.Equal(b[len(b)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		d.err = fmt.Errorf("%w: invalid padding of an attachment", ErrDamaged)
		return
	}
	d.out, d.err = b[:len(b)-padding], io.EOF
}

func (d *Decrypter) hash(b []byte) {
	_, _ = d.mac.Write(b) // hashes do not fail
	_, _ = d.digest.Write(b)
}
