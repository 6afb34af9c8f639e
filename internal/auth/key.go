package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// errForm is the answer to what cannot be told to be any of the three forms.
var errForm = errors.New(
	"is none of: 64 hex digits (an ed25519 seed), base64 of 64 bytes (an ed25519 key), an RSA private key in PEM")

// parseKey tells the three forms apart by their looks. They cannot be confused: 64 hex digits are base64 of 48 bytes,
// and PEM has characters that neither has. A literal \n around a key is a line end that was escaped. No error of the
// decoders is passed on, because some quote what they were given.
func parseKey(text string) (jwt.SigningMethod, crypto.Signer, error) {
	text = strings.TrimSpace(escapedEnds.Replace(text))
	switch {
	case text == "":
		return nil, nil, errors.New("is missing")
	case strings.HasPrefix(text, "-----"):
		key, err := parseRSA(text)
		if err != nil {
			return nil, nil, err
		}
		return jwt.SigningMethodRS512, key, nil
	}
	key, err := parseEd25519(text)
	if err != nil {
		return nil, nil, err
	}
	return jwt.SigningMethodEdDSA, key, nil
}

func parseEd25519(text string) (ed25519.PrivateKey, error) {
	if seed, err := hex.DecodeString(text); err == nil && len(seed) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(seed), nil
	}
	// Both alphabets, with padding and without.
	std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	pair, err := base64.RawStdEncoding.DecodeString(std)
	switch {
	case err == nil && len(pair) == ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(pair[:ed25519.SeedSize])
		if !bytes.Equal(key, pair) {
			return nil, errors.New("does not fit together: its last 32 bytes are not the public key of its first 32")
		}
		return key, nil
	case isHex(text):
		return nil, fmt.Errorf("has %d hex digits, and an ed25519 seed has 64", len(text))
	case err == nil:
		return nil, fmt.Errorf("is base64 of %d bytes, and an ed25519 key has 64", len(pair))
	}
	return nil, errForm
}

// agreementKey returns the X25519 key that belongs to an ed25519 key: RFC 8032, section 5.1.5, makes its scalar of the
// first half of the seed's SHA-512.
func agreementKey(pair ed25519.PrivateKey) (*ecdh.PrivateKey, error) {
	h := sha512.Sum512(pair.Seed())
	key, err := ecdh.X25519().NewPrivateKey(h[:32])
	if err != nil {
		return nil, errors.New("cannot agree on secrets") // which 32 bytes always can
	}
	return key, nil
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// escapedEnds are line ends as they are written in variables of the environment. No form of a key has a backslash.
var escapedEnds = strings.NewReplacer(`\r`, "\n", `\n`, "\n")

// pemLines returns PEM in the form of encoding/pem, which has marks and data on lines of their own. In keystore
// files it also is on one line, or indented.
func pemLines(text string) string {
	const dashes = "-----"
	rest, begins := strings.CutPrefix(text, dashes+"BEGIN ")
	kind, rest, marked := strings.Cut(rest, dashes)
	end := dashes + "END " + kind + dashes
	data, _, ends := strings.Cut(rest, end)
	if !begins || !marked || !ends || strings.Contains(data, ":") { // a colon: headers, which stay as they are
		return text
	}
	return dashes + "BEGIN " + kind + dashes + "\n" + strings.Join(strings.Fields(data), "\n") + "\n" + end + "\n"
}

// protected reports whether PEM has the header of a key that a password protects.
func protected(text string) bool {
	return strings.Contains(text, "DEK-Info:") || strings.Contains(text, ",ENCRYPTED")
}

func parseRSA(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(pemLines(text)))
	if protected(text) || block != nil && strings.Contains(block.Type, "ENCRYPTED") {
		return nil, errors.New("is PEM protected by a password, which is not supported")
	}
	if block == nil {
		return nil, errors.New("is PEM that is damaged or cut short")
	}
	if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, errors.New("is PEM of something else than a private key")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is PEM without an RSA private key of PKCS#1 or PKCS#8 in it")
		}
		var ok bool
		if key, ok = other.(*rsa.PrivateKey); !ok {
			return nil, errors.New("is PEM of a private key that is not RSA")
		}
	}
	// The sizes that can sign are crypto/rsa's affair. Better to hear of it now than at each dial.
	digest := sha512.Sum512(nil)
	if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, digest[:]); err != nil {
		return nil, fmt.Errorf("is an RSA key of %d bits that cannot sign; at least 1024 bits are needed",
			key.N.BitLen())
	}
	return key, nil
}
