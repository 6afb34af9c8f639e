package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/seal"
)

// open decrypts an encrypted attachment by the description of the format, without streaming.
func open(t *testing.T, file, key, digest []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(file)
	require.Equal(t, digest, sum[:])
	body, mac := file[:len(file)-32], file[len(file)-32:]
	h := hmac.New(sha256.New, key[32:])
	h.Write(body)
	require.Equal(t, h.Sum(nil), mac)
	block, err := aes.NewCipher(key[:32])
	require.NoError(t, err)
	plain := make([]byte, len(body)-16)
	cipher.NewCBCDecrypter(block, body[:16]).CryptBlocks(plain, body[16:])
	padding := int(plain[len(plain)-1])
	require.Equal(t, bytes.Repeat([]byte{byte(padding)}, padding), plain[len(plain)-padding:])
	return plain[:len(plain)-padding]
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// encrypted returns a file encrypted by this package, its key and its digest.
func encrypted(t *testing.T, r io.Reader) (file, key, digest []byte) {
	t.Helper()
	e, err := seal.NewEncrypter(r)
	require.NoError(t, err)
	file, err = io.ReadAll(e)
	require.NoError(t, err)
	return file, e.Key(), e.Digest()
}

// readers vary how a Reader returns its bytes.
var readers = map[string]func(io.Reader) io.Reader{
	"at once":           func(r io.Reader) io.Reader { return r },
	"byte by byte":      iotest.OneByteReader,
	"by halves":         iotest.HalfReader,
	"end with the last": iotest.DataErrReader,
}

func TestAttachmentThereAndBack(t *testing.T) {
	for _, n := range []int{
		0, 1, 15, 16, 17, 31, 32, 33, 32<<10 - 17, 32<<10 - 16, 32 << 10, 32<<10 + 1, 32<<10 + 48, 100_000,
	} {
		for name, as := range readers {
			t.Run(fmt.Sprint(n, " bytes ", name), func(t *testing.T) {
				plain := noise(n)
				file, key, digest := encrypted(t, as(bytes.NewReader(plain)))
				assert.EqualValues(t, seal.EncryptedSize(int64(n)), len(file))
				assert.True(t, bytes.Equal(plain, open(t, file, key, digest)))
				d, err := seal.NewDecrypter(as(bytes.NewReader(file)), key, digest)
				require.NoError(t, err)
				require.NoError(t, iotest.TestReader(d, plain))
			})
		}
	}
}

func TestEachAttachmentHasAKeyOfItsOwn(t *testing.T) {
	file, key, _ := encrypted(t, bytes.NewReader(nil))
	again, other, _ := encrypted(t, bytes.NewReader(nil))
	assert.NotEqual(t, key, other)
	assert.NotEqual(t, file[:16], again[:16])
}

func TestAttachmentThatWasChanged(t *testing.T) {
	file, key, digest := encrypted(t, bytes.NewReader(noise(100)))
	read := func(file, key, digest []byte) ([]byte, error) {
		d, err := seal.NewDecrypter(bytes.NewReader(file), key, digest)
		require.NoError(t, err)
		b, err := io.ReadAll(d)
		_, again := d.Read(make([]byte, 1))
		assert.Equal(t, err, again, "the error stays")
		return b, err
	}
	for i := range file {
		p := bytes.Clone(file)
		p[i] ^= 1
		b, err := read(p, key, digest)
		require.ErrorIs(t, err, seal.ErrDigest)
		require.Less(t, len(b), 100)
		sum := sha256.Sum256(p)
		b, err = read(p, key, sum[:])
		require.ErrorIs(t, err, seal.ErrMAC)
		require.Less(t, len(b), 100)
	}
	for n := range file {
		sum := sha256.Sum256(file[:n])
		b, err := read(file[:n], key, sum[:])
		require.Error(t, err, n)
		require.NotErrorIs(t, err, io.EOF)
		require.Less(t, len(b), 100)
	}
	_, err := read(append(bytes.Clone(file), noise(16)...), key, digest)
	require.ErrorIs(t, err, seal.ErrDigest)
	wrong := bytes.Clone(key)
	wrong[63] ^= 1
	_, err = read(file, wrong, digest)
	require.ErrorIs(t, err, seal.ErrMAC)
}

// A holder of the key may have encrypted anything: the MAC is correct, but the last block need not end in a padding.
func TestAttachmentsWithoutTheirPadding(t *testing.T) {
	key := noise(64)
	block, err := aes.NewCipher(key[:32])
	require.NoError(t, err)
	for last, plain := range map[string]int{
		"\x01":                              15,
		"\x02\x02":                          14,
		strings.Repeat("\x10", 16):          0,
		"\x00":                              -1,
		"\x11":                              -1,
		"\xff":                              -1,
		"\x01\x02":                          -1,
		"\x01" + strings.Repeat("\x10", 15): -1,
	} {
		file := noise(16 + 48)
		copy(file[len(file)-len(last):], last)
		want := bytes.Clone(file[16:])
		cipher.NewCBCEncrypter(block, file[:16]).CryptBlocks(file[16:], file[16:])
		mac := hmac.New(sha256.New, key[32:])
		mac.Write(file)
		file = mac.Sum(file)
		digest := sha256.Sum256(file)
		d, err := seal.NewDecrypter(bytes.NewReader(file), key, digest[:])
		require.NoError(t, err)
		got, err := io.ReadAll(d)
		if plain >= 0 {
			require.NoError(t, err, "%q", last)
			require.Equal(t, want[:32+plain], got, "%q", last)
			continue
		}
		require.ErrorIs(t, err, seal.ErrDamaged, "%q", last)
		_, again := d.Read(make([]byte, 1))
		require.Equal(t, err, again, "the error stays")
	}
}

func TestDecrypterRefuses(t *testing.T) {
	for _, c := range [][2]int{{0, 32}, {63, 32}, {65, 32}, {64, 0}, {64, 31}} {
		_, err := seal.NewDecrypter(nil, make([]byte, c[0]), make([]byte, c[1]))
		assert.Error(t, err)
	}
}

func TestErrorsOfTheSourceArePassedOn(t *testing.T) {
	broken := func(b []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(b), iotest.ErrReader(assert.AnError))
	}
	e, err := seal.NewEncrypter(broken(noise(1000)))
	require.NoError(t, err)
	_, err = io.ReadAll(e)
	require.ErrorIs(t, err, assert.AnError)
	file, key, digest := encrypted(t, bytes.NewReader(noise(1000)))
	for n := range file {
		d, err := seal.NewDecrypter(broken(file[:n]), key, digest)
		require.NoError(t, err)
		b, err := io.ReadAll(d)
		require.ErrorIs(t, err, assert.AnError)
		require.Less(t, len(b), 1000)
	}
}

// FuzzDecrypter changes an encrypted file: the result is an error or the original file, in any way of reading.
func FuzzDecrypter(f *testing.F) {
	plain := noise(100)
	e, err := seal.NewEncrypter(bytes.NewReader(plain))
	require.NoError(f, err)
	file, err := io.ReadAll(e)
	require.NoError(f, err)
	f.Add(file, true)
	f.Add(file[:50], true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, in []byte, slow bool) {
		sum := sha256.Sum256(in) // so that only the MAC can detect the change
		d, err := seal.NewDecrypter(bytes.NewReader(in), e.Key(), sum[:])
		require.NoError(t, err)
		var r io.Reader = d
		if slow {
			r = iotest.OneByteReader(d)
		}
		got, err := io.ReadAll(r)
		assert.Equal(t, bytes.Equal(in, file), err == nil)
		if err == nil {
			assert.Equal(t, plain, got)
		}
	})
}
