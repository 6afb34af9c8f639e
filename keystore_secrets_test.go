package blaze_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/mixin-blaze/blaze"
)

type holder struct{ Keystore blaze.Keystore }

// Encoders other than JSON would write the key.
func TestKeystoreIsNotEncoded(t *testing.T) {
	k := canaryKeystore()
	for name, encode := range map[string]func(w io.Writer, v any) error{
		"xml": func(w io.Writer, v any) error { return xml.NewEncoder(w).Encode(v) },
		"gob": func(w io.Writer, v any) error { return gob.NewEncoder(w).Encode(v) },
		"text": func(w io.Writer, v any) error {
			p, err := k.MarshalText()
			_, _ = w.Write(p)
			return err
		},
	} {
		for _, v := range []any{k, &k, []blaze.Keystore{k}, holder{k}, &holder{k}} {
			var b bytes.Buffer
			err := encode(&b, v)
			if err == nil || !strings.Contains(err.Error(), "keep the file") {
				t.Errorf("%s of a %T: %v", name, v, err)
			}
			requireNoCanary(t, b.String()+fmt.Sprint(err))
		}
	}
}

// New rejects an invalid Keystore. The error names the field and shows no part of the key.
func TestKeystoreBuiltByHand(t *testing.T) {
	k := blaze.Keystore{AppID: strings.ToUpper(keyApp), SessionID: keySession, SessionPrivateKey: keySeed}
	if _, err := blaze.New(k, nil); err != nil {
		t.Error(err)
	}
	if k.AppID != strings.ToUpper(keyApp) {
		t.Error("the caller's Keystore was changed")
	}
	seed := unhex(t, keySeed)
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	const begin = "-----BEGIN RSA PRIVATE KEY-----\n"
	for field, keys := range map[string][]blaze.Keystore{
		"Keystore.AppID":     {{}, {AppID: keySeed, SessionID: keySession, SessionPrivateKey: keySeed}},
		"Keystore.SessionID": {{AppID: keyApp, SessionPrivateKey: keySeed}},
		"Keystore.SessionPrivateKey": byHand(
			"", keySeed[1:], "canaryzz"+keySeed[8:], keySeed[:60], keySeed[:62], keySeed+"00", "[redacted]",
			begin+keySeed, begin, begin+"Y2FuYXJ5\n-----END RSA PRIVATE KEY-----\n", "Y2FuYXJ5",
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), // not RSA
			base64.StdEncoding.EncodeToString(slices.Concat(seed, seed)),            // two keys that do not match
		),
	} {
		for _, bad := range keys {
			_, err := blaze.New(bad, nil)
			requireInvalid(t, err, field)
			key := bad.SessionPrivateKey
			if len(key) > 8 && key != "[redacted]" && strings.Contains(err.Error(), key[:8]) {
				t.Errorf("%q is repeated: %v", key[:8], err)
			}
		}
	}
}

// byHand returns keystores with these keys.
func byHand(keys ...string) (all []blaze.Keystore) {
	for _, key := range keys {
		all = append(all, blaze.Keystore{AppID: keyApp, SessionID: keySession, SessionPrivateKey: key})
	}
	return all
}

// If the path is a key, the error does not repeat it. A real path is shown.
func TestLoadKeystoreOfAKey(t *testing.T) {
	_, pkcs1, pkcs8 := rsaPEM(t)
	pair := base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(unhex(t, keySeed)))
	for _, key := range []string{
		keySeed, strings.ToUpper(keySeed), " " + keySeed + "\n", keySeed[:50], pair, strings.TrimRight(pair, "="),
		strings.NewReplacer("+", "-", "/", "_").Replace(pair), pkcs1, pkcs8, strings.ReplaceAll(pkcs8, "\n", `\n`),
		strings.Split(pkcs8, "\n")[1], `{"session_private_key":"` + keySeed + `"}`,
		"{'session_private_key': '" + keySeed + "'}",
		"session_private_key: " + keySeed + "\napp_id: x",
		`"` + keySeed + `"`, "'" + pair + "'", keySeed + ",", "key: " + pair,
		"./" + keySeed, keySeed + ".json", "/keys/" + keySeed + "/" + keySeed + ".txt",
	} {
		_, err := blaze.LoadKeystore(key)
		requireInvalid(t, err, "keystore")
		for i := 0; i+16 <= len(key); i++ {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), key[i:i+16]) {
				t.Fatalf("%q is repeated: %v", key[i:i+16], err)
			}
		}
	}
	dir := "/none/of/these/Directories/is/There/1/2/3/4/5/6/7/8/9/keystore-of-a-bot"
	for _, path := range []string{"keystore.json", dir + ".json", "/run/secrets/keystore", "none/keystore"} {
		_, err := blaze.LoadKeystore(path)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("a missing file returns %v", err)
		}
	}
}

func TestModesOfKeystores(t *testing.T) {
	const all, group = "every user of this machine can ", "the group of the file can "
	for mode, want := range map[fs.FileMode]string{
		0o600: "", 0o400: "", 0o700: "", 0o611: "", 0o644: all + "read",
		0o604: all + "read", 0o640: group + "read", 0o440: group + "read",
		0o622: all + "change", 0o620: group + "change", 0o602: all + "change",
		0o664: all + "read, and " + group + "change", 0o660: group + "read, and " + group + "change",
		0o642: group + "read, and " + all + "change", 0o666: all + "read, and " + all + "change",
	} {
		if got := blaze.OpenTo(mode); got != want {
			t.Errorf("%o: %q, want %q", mode, got, want)
		}
	}
}
