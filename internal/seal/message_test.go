package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/auth"
	"github.com/mixin-blaze/blaze/internal/seal"
)

// The following is a second implementation of the layout, from its description and without this package: X25519 by RFC
// 7748 in big integers, and every part at its offset.

var (
	prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	a24   = big.NewInt(121665)
)

func mod(x *big.Int) *big.Int      { return x.Mod(x, prime) }
func mul(a, b *big.Int) *big.Int   { return mod(new(big.Int).Mul(a, b)) }
func plus(a, b *big.Int) *big.Int  { return mod(new(big.Int).Add(a, b)) }
func minus(a, b *big.Int) *big.Int { return mod(new(big.Int).Sub(a, b)) }
func square(a *big.Int) *big.Int   { return mul(a, a) }

func little(b []byte) *big.Int {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func bytes32(x *big.Int) []byte {
	b := x.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// x25519 is the ladder of RFC 7748, section 5.
func x25519(scalar, u []byte) []byte {
	k := bytes.Clone(scalar)
	k[0] &= 248
	k[31] = k[31]&127 | 64
	point := bytes.Clone(u)
	point[31] &= 127
	x1 := mod(little(point))
	x2, z2, x3, z3 := big.NewInt(1), big.NewInt(0), x1, big.NewInt(1)
	for t := 254; t >= 0; t-- {
		swap := k[t/8]>>(t%8)&1 == 1
		if swap {
			x2, z2, x3, z3 = x3, z3, x2, z2
		}
		a, b := plus(x2, z2), minus(x2, z2)
		aa, bb := square(a), square(b)
		e := minus(aa, bb)
		da, cb := mul(minus(x3, z3), a), mul(plus(x3, z3), b)
		x3, z3 = square(plus(da, cb)), mul(x1, square(minus(da, cb)))
		x2, z2 = mul(aa, bb), mul(e, plus(aa, mul(a24, e)))
		if swap {
			x2, z2, x3, z3 = x3, z3, x2, z2
		}
	}
	return bytes32(mul(x2, new(big.Int).Exp(z2, new(big.Int).Sub(prime, big.NewInt(2)), prime)))
}

func scalarOf(seed []byte) []byte {
	h := sha512.Sum512(seed)
	return h[:32]
}

func publicOf(seed []byte) []byte {
	return x25519(scalarOf(seed), append([]byte{9}, make([]byte, 31)...))
}

// vector is an encrypted message and all its inputs, bytes in hexadecimal.
type vector struct {
	Sender   string   `json:"sender_seed"`
	Sessions []string `json:"session_ids"`
	Seeds    []string `json:"session_seeds"`
	IVs      []string `json:"ivs"`
	Key      string   `json:"message_key"`
	Nonce    string   `json:"nonce"`
	Message  string   `json:"message"`
	Sealed   string   `json:"sealed"`
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	require.NoError(t, err)
	return b
}

// seal returns the encrypted message of a vector.
func (v *vector) seal(t testing.TB) []byte {
	sender, key, nonce := unhex(t, v.Sender), unhex(t, v.Key), unhex(t, v.Nonce)
	n := len(v.Sessions)
	b := make([]byte, 35+64*n)
	b[0], b[1], b[2] = 1, byte(n%256), byte(n/256)
	copy(b[3:35], publicOf(sender))
	for i := range n {
		entry := b[35+64*i:]
		copy(entry[:16], unhex(t, v.Sessions[i]))
		copy(entry[16:32], unhex(t, v.IVs[i]))
		block, err := aes.NewCipher(x25519(scalarOf(sender), publicOf(unhex(t, v.Seeds[i]))))
		require.NoError(t, err)
		cipher.NewCBCEncrypter(block, entry[16:32]).CryptBlocks(entry[32:64],
			append(bytes.Clone(key), bytes.Repeat([]byte{16}, 16)...))
	}
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return append(append(b, nonce...), gcm.Seal(nil, nonce, unhex(t, v.Message), nil)...)
}

var update = flag.Bool("update", false,
	"write the encrypted messages of testdata/seal anew, by the implementation in this test")

func vectors(t testing.TB) map[string]vector {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/seal/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	all := make(map[string]vector)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var v vector
		require.NoError(t, json.Unmarshal(text, &v))
		if *update {
			v.Sealed = hex.EncodeToString(v.seal(t))
			text, err := json.MarshalIndent(v, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
		}
		all[filepath.Base(path)] = v
	}
	return all
}

const app = "b1a2e000-0000-4000-8000-000000000001"

// keyOf returns our side: the session of a keystore.
func keyOf(t testing.TB, sessionID, seed string) *auth.Signer {
	t.Helper()
	s, err := auth.New(app, sessionID, seed)
	require.NoError(t, err)
	return s
}

// Checks the ladder of this test with the numbers in section 5.2 of the RFC.
func TestRFC7748(t *testing.T) {
	got := x25519(unhex(t, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
		unhex(t, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))
	assert.Equal(t, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", hex.EncodeToString(got))
}

func TestVectors(t *testing.T) {
	for name, v := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			encrypted := unhex(t, v.Sealed)
			assert.Equal(t, v.seal(t), encrypted)
			for i, id := range v.Sessions {
				own := keyOf(t, id, v.Seeds[i])
				assert.Equal(t, publicOf(unhex(t, v.Seeds[i])), own.Public())
				message, err := seal.Open(own, strings.ToUpper(id), encrypted)
				require.NoError(t, err)
				assert.Equal(t, v.Message, hex.EncodeToString(message))
			}
		})
	}
}

func TestChecksum(t *testing.T) {
	assert.Empty(t, seal.Checksum(nil))
	ids := []string{"c09cf313-7ded-425d-ad3f-a1ce4cfd5e5e", "6AB63DE1-7483-497C-8916-35D1249CE9C0"}
	assert.Equal(t, "c14bf94bb747aa4af4910587faaf9a92", seal.Checksum(ids))
	assert.Equal(t, "6AB63DE1-7483-497C-8916-35D1249CE9C0", ids[1], "not changed")
	slices.Reverse(ids)
	assert.Equal(t, fmt.Sprintf("%x", md5.Sum([]byte(strings.ToLower(strings.Join(ids, ""))))), seal.Checksum(ids))
}

func sessionOf(t testing.TB, id, seed string) (seal.Session, *auth.Signer) {
	t.Helper()
	own := keyOf(t, id, seed)
	return seal.Session{ID: id, Public: publicOf(unhex(t, seed))}, own
}

const (
	idA   = "c09cf313-7ded-425d-ad3f-a1ce4cfd5e5e"
	idB   = "6ab63de1-7483-497c-8916-35d1249ce9c0"
	idC   = "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"
	seedA = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	seedB = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
	seedC = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
)

func TestSealedBothWays(t *testing.T) {
	a, ownA := sessionOf(t, idA, seedA)
	b, ownB := sessionOf(t, idB, seedB)
	c, ownC := sessionOf(t, idC, seedC)
	for _, message := range []string{"", "x", "hello", strings.Repeat("long ", 30_000)} {
		encrypted, err := seal.Seal(ownA, []seal.Session{b, c}, []byte(message))
		require.NoError(t, err)
		assert.Len(t, encrypted, 35+2*64+12+len(message)+16)
		for id, own := range map[string]*auth.Signer{idB: ownB, idC: ownC} {
			got, err := seal.Open(own, id, encrypted)
			require.NoError(t, err)
			assert.Equal(t, message, string(got))
		}
		_, err = seal.Open(ownA, idA, encrypted)
		require.ErrorIs(t, err, seal.ErrNotForUs)
		again, err := seal.Seal(ownA, []seal.Session{b, c}, []byte(message))
		require.NoError(t, err)
		assert.NotEqual(t, encrypted[35+16:], again[35+16:], "a new key each time")

		back, err := seal.Seal(ownB, []seal.Session{a}, []byte(message))
		require.NoError(t, err)
		got, err := seal.Open(ownA, idA, back)
		require.NoError(t, err)
		assert.Equal(t, message, string(got))
	}
}

// The points of low order, from section 6.1 of RFC 7748 and the usual list. A secret agreed on with one of them is
// public.
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestSealRefuses(t *testing.T) {
	_, own := sessionOf(t, idA, seedA)
	b, _ := sessionOf(t, idB, seedB)
	_, err := seal.Seal(own, nil, []byte("x"))
	require.ErrorContains(t, err, "0 sessions, want")
	many := slices.Repeat([]seal.Session{b}, 511)
	_, err = seal.Seal(own, many, nil)
	require.ErrorContains(t, err, "511 sessions, want")
	encrypted, err := seal.Seal(own, many[:510], nil)
	require.NoError(t, err)
	assert.Len(t, encrypted, 35+510*64+12+16)
	bad := map[string][]byte{"none": nil, "31 bytes": b.Public[:31], "33 bytes": append(bytes.Clone(b.Public), 0)}
	for i, p := range lowOrder {
		bad[fmt.Sprint("low order ", i)] = unhex(t, p)
	}
	for name, public := range bad {
		_, err := seal.Seal(own, []seal.Session{b, {ID: idC, Public: public}}, []byte("x"))
		require.ErrorIs(t, err, seal.ErrSession, name)
		require.ErrorContains(t, err, idC, name)
	}
	_, err = seal.Seal(own, []seal.Session{{ID: "x", Public: b.Public}}, []byte("x"))
	require.ErrorIs(t, err, seal.ErrSession)
}

func TestOpenRefuses(t *testing.T) {
	_, ownA := sessionOf(t, idA, seedA)
	b, ownB := sessionOf(t, idB, seedB)
	_, other := sessionOf(t, idB, seedC)
	good, err := seal.Seal(ownA, []seal.Session{b}, []byte("secret text"))
	require.NoError(t, err)
	claims := make([]byte, 111)
	claims[0], claims[1], claims[2] = 1, 0xff, 0xff
	damaged := map[string][]byte{
		"nothing": nil, "version 0": append([]byte{0}, good[1:]...),
		"version 2": append([]byte{2}, good[1:]...), "65,535 sessions": claims,
	}
	for n := range good {
		damaged[fmt.Sprint("cut at ", n)] = good[:n]
	}
	for i := range good {
		if i < 1 || i >= 35 && i < 51 {
			continue // the version, above, and the session id, below
		}
		p := bytes.Clone(good)
		p[i] ^= 1
		damaged[fmt.Sprint("changed at ", i)] = p
	}
	for i, point := range lowOrder {
		p := bytes.Clone(good)
		copy(p[3:35], unhex(t, point))
		damaged[fmt.Sprint("low order ", i)] = p
	}
	for name, p := range damaged {
		got, err := seal.Open(ownB, idB, p)
		require.Error(t, err, name)
		assert.True(t, errors.Is(err, seal.ErrDamaged) || errors.Is(err, seal.ErrNotForUs) && name == "changed at 1",
			"%s: %v", name, err)
		assert.Nil(t, got)
		assert.NotContains(t, err.Error(), "secret")
	}
	_, err = seal.Open(other, idB, good)
	require.ErrorIs(t, err, seal.ErrDamaged, "our session's id, and another key")
	_, err = seal.Open(ownB, idC, good)
	require.ErrorIs(t, err, seal.ErrNotForUs)
	_, err = seal.Open(ownB, "x", good)
	require.Error(t, err)
}

func FuzzOpen(f *testing.F) {
	own := keyOf(f, idB, seedB)
	for _, v := range vectors(f) {
		f.Add(unhex(f, v.Sealed))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, encrypted []byte) {
		got, err := seal.Open(own, idB, encrypted)
		if err == nil {
			assert.Len(t, encrypted, len(got)+35+64*(int(encrypted[1])+int(encrypted[2])<<8)+12+16)
		}
	})
}
