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

// An encrypted attachment is IV, AES-256-CBC with PKCS #7, HMAC-SHA256 over both. Its key has 64 bytes, 32 for each.
// Its digest is the SHA-256 of all of it. Source: the service's clients, which have this from Signal.
const (
	AttachmentKeySize = 2 * halfKey
	halfKey           = 32
	macSize           = sha256.Size
	chunk             = 32 << 10 // a multiple of the block, and all the memory that a stream takes
)

// EncryptedSize returns how many bytes size bytes become.
func EncryptedSize(size int64) int64 {
	return aes.BlockSize + (size/aes.BlockSize+1)*aes.BlockSize + macSize
}

// Encrypter encrypts what it reads from a Reader. Key and Digest belong to what was read from it.
type Encrypter struct {
	src    io.Reader
	key    []byte
	cbc    cipher.BlockMode
	mac    hash.Hash
	digest hash.Hash
	out    []byte // encrypted, and not read yet
	buf    []byte // room for a chunk, its padding and the MAC
	tail   []byte // read, and no full block yet
	err    error  // comes after out
}

// NewEncrypter draws a key. The memory it takes does not depend on how much there is to read.
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

// Key returns the 64 bytes that open what is read.
func (e *Encrypter) Key() []byte { return bytes.Clone(e.key) }

// Digest returns the SHA-256 of what was read, to be asked for after io.EOF.
func (e *Encrypter) Digest() []byte { return e.digest.Sum(nil) }

// Read implements [io.Reader]. It reads on from the source only when everything before was read.
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

// give has b read next, after hashing it.
func (e *Encrypter) give(b []byte) {
	_, _ = e.mac.Write(b) // hashes do not fail
	_, _ = e.digest.Write(b)
	e.out = b
}

// next encrypts what the next read of the source brings.
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

// last encrypts the n bytes before the end, with their padding, and puts the MAC behind them.
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

// Errors of a Decrypter's last Read.
var (
	ErrDigest = errors.New("seal: the digest of what came is another one")
	ErrMAC    = errors.New("seal: what came was not encrypted with this key, or was changed")
)

// Decrypter decrypts an attachment while it is read from a Reader. What it gives is not proven before its last Read:
// that one returns io.EOF only if digest and MAC fit, and else ErrDigest, ErrMAC, or ErrDamaged where the length cannot
// be.
type Decrypter struct {
	src    io.Reader
	want   []byte // the digest
	cbc    cipher.BlockMode
	block  cipher.Block
	mac    hash.Hash
	digest hash.Hash
	out    []byte // decrypted, and not read yet
	buf    []byte
	held   []byte // read, and maybe what has to be held back
	err    error  // comes after out
}

// NewDecrypter takes the key and the digest that came with the attachment. The memory it takes does not depend on how
// much there is to read.
func NewDecrypter(src io.Reader, key, digest []byte) (*Decrypter, error) {
	if len(key) != AttachmentKeySize {
		return nil, fmt.Errorf("seal: a key of %d bytes, and an attachment's has %d", len(key), AttachmentKeySize)
	}
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("seal: a digest of %d bytes, and SHA-256 has %d", len(digest), sha256.Size)
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

// lastSize is what is held back until the end: one block, which has the padding, and the MAC.
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

// next decrypts what the next read of the source brings.
func (d *Decrypter) next() {
	kept := copy(d.buf, d.held)
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
	d.held = append(d.held[:0], b[full:]...)
	d.hash(b[:full])
	if full > 0 {
		d.cbc.CryptBlocks(b[:full], b[:full])
	}
	d.out, d.err = b[:full], err
}

// last checks everything before it gives what was held back.
func (d *Decrypter) last(b []byte) {
	if d.cbc == nil || len(b) < lastSize || (len(b)-macSize)%aes.BlockSize != 0 {
		d.err = fmt.Errorf("%w: an attachment cannot have this length", ErrDamaged)
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
		d.err = fmt.Errorf("%w: an attachment without its padding", ErrDamaged)
		return
	}
	d.out, d.err = b[:len(b)-padding], io.EOF
}

func (d *Decrypter) hash(b []byte) {
	_, _ = d.mac.Write(b) // hashes do not fail
	_, _ = d.digest.Write(b)
}
