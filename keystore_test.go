package blaze_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mixin-blaze/blaze"
)

const (
	keyApp     = "89e0bdee-c355-47f2-945a-be48be875606"
	keySession = "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"

	// The first test key of RFC 8032, section 7.1.
	keySeed   = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	keyPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rsaPEM(t testing.TB) (public any, pkcs1, pkcs8 string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024) // the dashboard's former key size
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		text := string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return key.Public(), encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), encode("PRIVATE KEY", der)
}

// file returns a keystore as JSON. The fields are name, value, name, value...
func file(fields ...any) string {
	m := map[string]any{}
	for i := 0; i < len(fields); i += 2 {
		m[fields[i].(string)] = fields[i+1]
	}
	b, _ := json.Marshal(m) // the fields of these tests can be marshaled
	return string(b)
}

// safeFile and oldFile are file with the ids in the names of either kind of keystore. Later fields override earlier
// ones.
func safeFile(more ...any) string {
	return file(append([]any{"app_id", keyApp, "session_id", keySession}, more...)...)
}

func oldFile(more ...any) string {
	return file(append([]any{"client_id", keyApp, "session_id", keySession}, more...)...)
}

func TestParseKeystore(t *testing.T) {
	ed := ed25519.PublicKey(unhex(t, keyPublic))
	legacy := base64.RawURLEncoding.EncodeToString(unhex(t, keySeed+keyPublic))
	public, pkcs1, pkcs8 := rsaPEM(t)
	safe := safeFile("session_private_key", keySeed, "server_public_key", keyPublic)
	for name, c := range map[string]struct {
		json   string
		key    string
		server string
		public any
	}{
		"safe": {safe, keySeed, keyPublic, ed},
		"safe, upper case ids, no server key": {
			file("app_id", strings.ToUpper(keyApp),
				"session_id", strings.ToUpper(keySession), "session_private_key", keySeed), keySeed, "", ed,
		},
		"byte order mark and white space": {"\xef\xbb\xbf\r\n " + safe + "\n\n", keySeed, keyPublic, ed},
		"unknown fields": {
			safeFile("session_private_key", keySeed, "version", 3, "pin", nil, "scope", []string{"FULL"},
				"client_id", "", "private_key", nil, "spend_key", map[string]any{}), keySeed, "", ed,
		},
		"network user":   {safeFile("session_private_key", keySeed, "pin_token_base64", legacy[:43]), keySeed, "", ed},
		"legacy ed25519": {oldFile("private_key", legacy, "pin_token", legacy[:43], "pin", "123456"), legacy, "", ed},
		"user_id of older Node SDKs": {
			file("user_id", keyApp, "session_id", keySession, "private_key", legacy), legacy, "", ed,
		},
		"client_id counts before user_id": {oldFile("user_id", keySession, "private_key", legacy), legacy, "", ed},
		"legacy RSA, PKCS#1":              {oldFile("private_key", pkcs1, "pin_token", "AAAA"), pkcs1, "", public},
		"legacy RSA, session_key":         {oldFile("session_key", pkcs1, "pin_token", 5), pkcs1, "", public},
		"PEM on one line": {
			file("client_id", keyApp, "session_id", keySession, "private_key", strings.ReplaceAll(pkcs1, "\r\n", "")),
			strings.ReplaceAll(pkcs1, "\r\n", ""), "", public,
		},
		"PEM with literal line ends": {
			file("client_id", keyApp, "session_id", keySession, "private_key", strings.ReplaceAll(pkcs1, "\r\n", `\n`)),
			strings.ReplaceAll(pkcs1, "\r\n", `\n`), "", public,
		},
		"UTF-16, little endian": {utf16Of(binary.LittleEndian, safe), keySeed, keyPublic, ed},
		"UTF-16, big endian":    {utf16Of(binary.BigEndian, "\r\n"+safe+"\r\n"), keySeed, keyPublic, ed},
		"legacy RSA, PKCS#8":    {oldFile("private_key", pkcs8), pkcs8, "", public},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := blaze.ParseKeystore([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			if k.AppID != keyApp || k.SessionID != keySession ||
				k.SessionPrivateKey != c.key || k.ServerPublicKey != c.server {
				t.Errorf("got %v", k)
			}
			s, err := blaze.NewSigner(k)
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := s.Token("GET", "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			claims := jwt.MapClaims{}
			key := func(*jwt.Token) (any, error) { return c.public, nil }
			if _, err := jwt.ParseWithClaims(token, claims, key); err != nil {
				t.Fatal(err)
			}
			if claims["uid"] != keyApp || claims["sid"] != keySession {
				t.Errorf("claims are %v", claims)
			}
		})
	}
}

// utf16Of encodes a text as PowerShell writes it to a file.
func utf16Of(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, codeUnit := range utf16.Encode([]rune("\ufeff" + text)) {
		b = order.AppendUint16(b, codeUnit)
	}
	return string(b)
}

func TestParseKeystoreRejects(t *testing.T) {
	_, pkcs1, _ := rsaPEM(t)
	pair := unhex(t, keySeed+keyPublic)
	pair[40] ^= 1
	mismatch := base64.RawURLEncoding.EncodeToString(pair)
	safe := func(key any) string { return safeFile("session_private_key", key) }
	legacy := func(key any) string { return oldFile("private_key", key) }
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: unhex(t, keySeed)}))
	for name, c := range map[string]struct{ json, field string }{
		"empty":                {"", "keystore"},
		"white space":          {"\xef\xbb\xbf \n", "keystore"},
		"not JSON":             {keySeed, "keystore"},
		"UTF-16, empty":        {utf16Of(binary.LittleEndian, " "), "keystore"},
		"UTF-16, odd length":   {utf16Of(binary.LittleEndian, safe(keySeed)) + "\x00", "keystore"},
		"UTF-16, no mark":      {utf16Of(binary.LittleEndian, safe(keySeed))[2:], "keystore"},
		"a PEM file":           {pkcs1, "keystore"},
		"cut short":            {safe(keySeed)[:150], "keystore"},
		"something after it":   {safe(keySeed) + keySeed, "keystore"},
		"a string":             {`"` + keySeed + `"`, "keystore"},
		"an array":             {`["` + keySeed + `"]`, "keystore"},
		"null":                 {"null", "keystore"},
		"nested too deep":      {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "keystore"},
		"nothing in it":        {"{}", "app_id"},
		"no app id":            {file("session_id", keySession, "session_private_key", keySeed), "app_id"},
		"app id is a number":   {file("app_id", 5, "session_id", keySession, "session_private_key", keySeed), "app_id"},
		"app id is no UUID":    {safeFile("app_id", keySeed, "session_private_key", keySeed), "app_id"},
		"client id is no UUID": {oldFile("client_id", keySeed[:36], "private_key", keySeed), "client_id"},
		"no session id":        {file("app_id", keyApp, "session_private_key", keySeed), "session_id"},
		"session id no UUID":   {safeFile("session_id", keySeed, "session_private_key", keySeed), "session_id"},
		"OAuth": {
			file("app_id", keyApp, "authorization_id", keySession, "session_private_key", keySeed), "authorization_id",
		},
		"no key":              {file("app_id", keyApp, "session_id", keySession), "session_private_key"},
		"key is null":         {safe(nil), "session_private_key"},
		"key is empty":        {safe(""), "session_private_key"},
		"key is an object":    {safe(map[string]string{"hex": keySeed}), "session_private_key"},
		"key is a list":       {legacy([]string{keySeed}), "private_key"},
		"odd hex":             {safe(keySeed[:63]), "session_private_key"},
		"short hex":           {safe(keySeed[:62]), "session_private_key"},
		"long hex":            {safe(keySeed + "00"), "session_private_key"},
		"hex with a typo":     {safe(keySeed[:63] + "x"), "session_private_key"},
		"not even base64":     {safe(keySeed[:63] + "\x00"), "session_private_key"},
		"mismatch":            {legacy(mismatch), "private_key"},
		"PEM cut short":       {legacy(pkcs1[:400]), "private_key"},
		"PEM of a public key": {oldFile("session_key", public), "session_key"},
		"a redacted keystore": {blazeJSON(t), "session_private_key"},
		"server key is a list": {
			safeFile("session_private_key", keySeed, "server_public_key", []int{1}), "server_public_key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := blaze.ParseKeystore([]byte(c.json))
			requireInvalid(t, err, c.field)
			if k != (blaze.Keystore{}) {
				t.Error("a keystore came with the error")
			}
			// LoadKeystore returns the same error with the file's name.
			path := filepath.Join(t.TempDir(), "keystore.json")
			if err := os.WriteFile(path, []byte(c.json), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = blaze.LoadKeystore(path)
			requireInvalid(t, err, c.field)
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

// An error lists the accepted names and the names in the file, and no value, even if a value is in the place of a name.
func TestKeystoreErrorsNameTheFields(t *testing.T) {
	for name, c := range map[string]struct{ json, want string }{
		"no app id": {
			file("appId", keyApp, "session_id", keySession, "pin", "123456", "scope", nil, "private_key", keySeed),
			"blaze: invalid app_id: is missing: a keystore has it as app_id or client_id or user_id; " +
				"this one has appId, pin, private_key, session_id",
		},
		"no session": {
			file("user_id", keyApp, "private_key", keySeed),
			"blaze: invalid session_id: is missing: a keystore has it as session_id; this one has private_key, user_id",
		},
		"no key": {
			file("user_id", keyApp, "session_id", keySession, keySeed, "x", keySeed[:16], "x", "123456", 1),
			"blaze: invalid session_private_key: is missing: a keystore has it as session_private_key or private_key " +
				"or session_key; this one has session_id, user_id, 3 more",
		},
		"nothing": {
			`{"app_id":"","key":null}`,
			"blaze: invalid app_id: is missing: a keystore has it as app_id or client_id or user_id; " +
				"this one has no field with a value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := blaze.ParseKeystore([]byte(c.json))
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// blazeJSON is a Keystore encoded by json.Marshal. It must not be accepted as a keystore.
func blazeJSON(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(canaryKeystore())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func requireInvalid(t *testing.T, err error, field string) {
	t.Helper()
	var bad *blaze.InvalidError
	if !errors.As(err, &bad) || !errors.Is(err, blaze.ErrInvalid) {
		t.Fatalf("error is %v, want an InvalidError", err)
	}
	if bad.Field != field || bad.Reason == "" {
		t.Errorf("error is %q, want one of %q", err, field)
	}
	requireNoCanary(t, fmt.Sprintf("%v %+v %#v %q", err, err, err, err)+fmt.Sprintf("%#v", bad))
}

func TestLoadKeystore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keystore.json")
	text := file("app_id", keyApp, "session_id", keySession, "session_private_key", keySeed)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := blaze.LoadKeystore(path); err != nil || k.SessionPrivateKey != keySeed {
		t.Errorf("got %v, error %v", k, err)
	}
	_, err := blaze.LoadKeystore(text) // a common mistake
	requireInvalid(t, err, "keystore")
	if _, err := blaze.LoadKeystore(filepath.Join(dir, "none.json")); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "none.json") {
		t.Errorf("a missing file returns %v", err)
	}
	if _, err := blaze.LoadKeystore(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory returns %v", err)
	}
	if err := os.WriteFile(path, []byte(text+strings.Repeat(" ", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = blaze.LoadKeystore(path)
	requireInvalid(t, err, "keystore")
	if err := os.Chmod(path, 0); err != nil || os.Geteuid() <= 0 { // root may read everything, Windows has no such bits
		return
	}
	if _, err := blaze.LoadKeystore(path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("an unreadable file returns %v", err)
	}
}

func canaryKeystore() blaze.Keystore {
	return blaze.Keystore{AppID: keyApp, SessionID: keySession, SessionPrivateKey: keySeed, ServerPublicKey: keyPublic}
}

// requireNoCanary fails if the text contains the test key's secret half, or a large part of it, as bytes or as text in
// any form.
func requireNoCanary(t testing.TB, text string) {
	t.Helper()
	for _, form := range append(formsOf(string(unhex(t, keySeed))), formsOf(keySeed)...) {
		for _, part := range []string{form[:len(form)/4], form[len(form)/2 : len(form)*3/4]} {
			if strings.Contains(text, part) {
				t.Errorf("the key is shown as %q", part)
			}
		}
	}
}

func TestKeystoreDoesNotPrintItsKeys(t *testing.T) {
	k := canaryKeystore()
	swapped := blaze.Keystore{AppID: keySeed, SessionID: keySeed, SessionPrivateKey: keyApp}
	type exported struct{ Key blaze.Keystore }
	values := []any{
		k, &k, swapped,
		exported{k},
		&exported{k},
		struct{ Key *blaze.Keystore }{&k},
		[]blaze.Keystore{k},
		[]any{k},
		map[string]any{"key": k},
		map[string]exported{"key": {k}},
		[1]*blaze.Keystore{&k},
		struct{ blaze.Keystore }{k},
	}
	var out strings.Builder
	for _, v := range values {
		for _, verb := range strings.Fields("%v %+v %#v %q %+q %x %X %#x %s %20s %.3s %d %t %c %U %e %b %o") {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(handler)
			log.Info("canary", "value", v, slog.Group("group", "value", v))
			log.With("value", v).Error("canary")
		}
		b, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	// fmt prints an unexported field in full, as the documentation states. JSON omits the field.
	type unexported struct {
		key     blaze.Keystore
		pointer *blaze.Keystore
	}
	u := unexported{k, &k}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("canary", "value", u, "key", u.key, "pointer", u.pointer)
	out.WriteString(k.String() + k.GoString() + k.LogValue().String())
	requireNoCanary(t, out.String())
	if strings.Contains(out.String(), keyPublic) {
		t.Error("the server's key is shown")
	}
}

func TestKeystorePrintsItsIDs(t *testing.T) {
	k := canaryKeystore()
	const want = `Keystore{AppID: "` + keyApp + `", SessionID: "` + keySession +
		`", SessionPrivateKey: "[redacted]", ServerPublicKey: "[redacted]"}`
	if got := fmt.Sprint(k); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprintf("%#v", &k); got != "blaze."+want {
		t.Errorf("got %s", got)
	}
	const empty = `Keystore{AppID: "", SessionID: "", SessionPrivateKey: "", ServerPublicKey: ""}`
	if got := fmt.Sprint(blaze.Keystore{}); got != empty {
		t.Errorf("got %s", got)
	}
	b, err := json.Marshal(k)
	if err != nil || string(b) != `{"app_id":"`+keyApp+`","session_id":"`+keySession+
		`","session_private_key":"[redacted]","server_public_key":"[redacted]"}` {
		t.Errorf("got %s, error %v", b, err)
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("up", "key", k)
	line := "key.app_id=" + keyApp + " key.session_id=" + keySession + " key.session_private_key=[redacted]"
	if !strings.Contains(out.String(), line) {
		t.Errorf("log line is %s", out.String())
	}
}

func FuzzParseKeystore(f *testing.F) {
	f.Add([]byte(file("app_id", keyApp, "session_id", keySession, "session_private_key", keySeed)))
	f.Add([]byte(file("client_id", keyApp, "session_id", keySession, "private_key",
		base64.RawURLEncoding.EncodeToString(unhex(f, keySeed+keyPublic)))))
	_, pkcs1, _ := rsaPEM(f)
	f.Add([]byte(file("client_id", keyApp, "session_id", keySession, "session_key", pkcs1, "pin_token", "AAAA")))
	f.Add([]byte(`{"app_id":null,"session_id":5,"session_private_key":"-----BEGIN"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := blaze.ParseKeystore(data)
		if err != nil {
			var bad *blaze.InvalidError
			if !errors.As(err, &bad) || k != (blaze.Keystore{}) {
				t.Errorf("error is %v", err)
			}
			requireNoCanary(t, err.Error())
			return
		}
		if _, err := blaze.NewSigner(k); err != nil {
			t.Errorf("a parsed keystore is rejected: %v", err)
		}
	})
}
