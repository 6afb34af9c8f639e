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

// errForm is the error of a text that resembles none of the three forms.
var errForm = errors.New(
	"is none of: 64 hex digits (an ed25519 seed), base64 of 64 bytes (an ed25519 key), an RSA private key in PEM")

// parseKey distinguishes the three forms by their characters. They are disjoint: 64 hex digits are base64 of 48 bytes,
// and PEM has characters that the other two do not use. A literal \n around a key is an escaped line end. Errors of the
// decoders are not returned, because some quote their input.
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
	// The standard and the URL alphabet, with and without padding.
	std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	pair, err := base64.RawStdEncoding.DecodeString(std)
	switch {
	case err == nil && len(pair) == ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(pair[:ed25519.SeedSize])
		if !bytes.Equal(key, pair) {
			return nil, errors.New("is inconsistent: its last 32 bytes are not the public key of its first 32")
		}
		return key, nil
	case isHex(text):
		return nil, fmt.Errorf("has %d hex digits; an ed25519 seed has 64", len(text))
	case err == nil:
		return nil, fmt.Errorf("is base64 of %d bytes; an ed25519 key has 64", len(pair))
	}
	return nil, errForm
}

// agreementKey returns the X25519 key of an ed25519 key. By RFC 8032, section 5.1.5, its scalar is the first half of
// the SHA-512 of the seed.
func agreementKey(pair ed25519.PrivateKey) (*ecdh.PrivateKey, error) {
	h := sha512.Sum512(pair.Seed())
	key, err := ecdh.X25519().NewPrivateKey(h[:32])
	if err != nil {
		return nil, errors.New("cannot agree on secrets") // impossible with 32 bytes
	}
	return key, nil
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// escapedEnds replaces line ends that are escaped, as in environment variables. A valid key contains no backslash.
var escapedEnds = strings.NewReplacer(`\r`, "\n", `\n`, "\n")

// pemLines returns PEM in the form that encoding/pem requires, with marks and data on separate lines. In keystore files
// it may also be on one line, or indented.
func pemLines(text string) string {
	const dashes = "-----"
	rest, begins := strings.CutPrefix(text, dashes+"BEGIN ")
	kind, rest, marked := strings.Cut(rest, dashes)
	end := dashes + "END " + kind + dashes
	data, _, ends := strings.Cut(rest, end)
	if !begins || !marked || !ends || strings.Contains(data, ":") { // a colon means headers, which are not changed
		return text
	}
	return dashes + "BEGIN " + kind + dashes + "\n" + strings.Join(strings.Fields(data), "\n") + "\n" + end + "\n"
}

// protected reports whether PEM has the header of a password-protected key.
func protected(text string) bool {
	return strings.Contains(text, "DEK-Info:") || strings.Contains(text, ",ENCRYPTED")
}

func parseRSA(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(pemLines(text)))
	if protected(text) || block != nil && strings.Contains(block.Type, "ENCRYPTED") {
		return nil, errors.New("is PEM protected by a password, which is not supported")
	}
	if block == nil {
		return nil, errors.New("is damaged or truncated PEM")
	}
	if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, errors.New("is PEM without a private key")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is PEM without an RSA private key in PKCS#1 or PKCS#8")
		}
		var ok bool
		if key, ok = other.(*rsa.PrivateKey); !ok {
			return nil, errors.New("is PEM with a private key that is not RSA")
		}
	}
	// crypto/rsa decides which sizes can sign. The check is made here, to fail now and not at each dial.
	digest := sha512.Sum512(nil)
	if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, digest[:]); err != nil {
		return nil, fmt.Errorf("is an RSA key of %d bits that cannot sign; at least 1024 bits are needed",
			key.N.BitLen())
	}
	return key, nil
}
