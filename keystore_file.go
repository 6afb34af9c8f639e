package blaze

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
)

// The names that a keystore file may have for each field; the first one that says something counts.
var (
	namesOfAppID     = []string{"app_id", "client_id", "user_id"}
	namesOfSessionID = []string{"session_id"}
	namesOfKey       = []string{"session_private_key", "private_key", "session_key"}
	namesOfServerKey = []string{"server_public_key"}
)

// mostKeystore is how many bytes a keystore file may have; a real one has less than 4096.
const mostKeystore = 1 << 20

// LoadKeystore reads a keystore file; see [ParseKeystore]. Its errors name the path, unless that looks like a key. A
// file that other users of the machine may read or change, its group among them, is used, with a warning to
// [slog.Default], once a process for each of these cases. There is none where the file is mounted read-only, as secrets
// are in containers (Linux).
func LoadKeystore(path string) (Keystore, error) {
	if strings.Contains(path, "{") && strings.Contains(path, `"`) { // or the error would show all of it as the path
		return Keystore{}, invalid("keystore", "is given where its path belongs; ParseKeystore takes what a file says")
	}
	f, err := os.Open(path) //nolint:gosec // G304: opening the file the caller names is what this function is for
	if err != nil && looksLikeKey(path) {
		return Keystore{}, invalid("keystore", "cannot be opened, and its path, which is not shown, looks like a key: "+
			"LoadKeystore takes the path of a file, and ParseKeystore what a file says")
	}
	if err != nil {
		return Keystore{}, fmt.Errorf("blaze: cannot open the keystore: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	warnIfOpen(f, path)
	data, err := io.ReadAll(io.LimitReader(f, mostKeystore+1))
	if err != nil {
		return Keystore{}, fmt.Errorf("blaze: cannot read the keystore: %w", err)
	}
	if len(data) > mostKeystore {
		return Keystore{}, invalid("keystore", "is over %d bytes, so it is something else (file %q)",
			mostKeystore, path)
	}
	k, err := ParseKeystore(data)
	if err != nil {
		return Keystore{}, fmt.Errorf("%w (file %q)", err, path)
	}
	return k, nil
}

// ParseKeystore reads the JSON of a keystore, of any of the generations there have been:
//
//   - app_id, session_id, session_private_key (64 hex digits), server_public_key
//   - client_id, session_id, private_key (base64 of 64 bytes: an ed25519 seed and its public key)
//   - client_id, or user_id as older SDKs for Node.js write it, session_id, private_key or session_key (an RSA key in
//     PEM, PKCS#1 or PKCS#8)
//
// The names may be mixed, and a key may have any of the three forms under any of its names. PEM may be on one line,
// have \n in place of line ends, or be indented. The JSON is UTF-8, or UTF-16 with a byte order mark. The ids become
// lower case, the key stays as it is. Other fields are ignored, and so is pin_token: for an RSA session it is a secret
// and no key, for an ed25519 session it is a key for X25519, which does not tell the ed25519 key it was made from.
//
// An error is an [InvalidError] with the field as the file names it, or "keystore" for the whole. It shows names of
// fields, and nothing else that the file says.
func ParseKeystore(data []byte) (Keystore, error) {
	file, err := parseKeystoreFile(data)
	if err != nil {
		return Keystore{}, err
	}
	var k Keystore
	var appField, sessionField, keyField string
	if appField, k.AppID, err = file.first(namesOfAppID); err != nil {
		return Keystore{}, err
	}
	if sessionField, k.SessionID, err = file.first(namesOfSessionID); err != nil {
		return Keystore{}, err
	}
	if keyField, k.SessionPrivateKey, err = file.first(namesOfKey); err != nil {
		return Keystore{}, err
	}
	if _, k.ServerPublicKey, err = file.first(namesOfServerKey); err != nil {
		return Keystore{}, err
	}
	if err := file.complete(&k); err != nil {
		return Keystore{}, err
	}
	if _, err := signerOf(&k, appField, sessionField, keyField); err != nil {
		return Keystore{}, err
	}
	return k, nil
}

// keystoreFile is the top level of a keystore file.
type keystoreFile map[string]json.RawMessage

// parseKeystoreFile passes no error of encoding/json on: some quote what they could not read.
func parseKeystoreFile(data []byte) (keystoreFile, error) {
	data = bytes.TrimSpace(utf8Of(data))
	if len(data) == 0 {
		return nil, invalid("keystore", "is empty")
	}
	if !json.Valid(data) {
		return nil, invalid("keystore", "is not JSON, or not all of it")
	}
	var file keystoreFile
	if err := json.Unmarshal(data, &file); err != nil || file == nil {
		return nil, invalid("keystore", "is JSON, but not an object")
	}
	return file, nil
}

// utf8Of returns the text of a file without its byte order mark, which some editors and shells write. With one of
// UTF-16, a byte left over at the end stays a character that is not JSON.
func utf8Of(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(data)/2)
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	if len(data) > 0 {
		units = append(units, '?')
	}
	return []byte(string(utf16.Decode(units)))
}

// first returns the first of the names that the file has with something to it, and its value; the first name and "" if
// it has none.
func (f keystoreFile) first(names []string) (name, value string, err error) {
	for _, name := range names {
		if !f.has(name) {
			continue
		}
		if err := json.Unmarshal(f[name], &value); err != nil {
			return name, "", invalid(name, "is not a string")
		}
		return name, value, nil
	}
	return names[0], "", nil
}

// has reports whether the file says something under the name.
func (f keystoreFile) has(name string) bool {
	switch string(f[name]) {
	case "", "null", `""`:
		return false
	}
	return true
}

// complete reports what the file does not have.
func (f keystoreFile) complete(k *Keystore) error {
	switch {
	case k.AppID == "":
		return f.lacks(namesOfAppID)
	case k.SessionID == "" && f.has("authorization_id"):
		return invalid("authorization_id",
			"makes this the keystore of an OAuth grant, which has no session; the bot's own is needed")
	case k.SessionID == "":
		return f.lacks(namesOfSessionID)
	case k.SessionPrivateKey == "":
		return f.lacks(namesOfKey)
	}
	return nil
}

// lacks is the error of a file that says nothing under any of the names.
func (f keystoreFile) lacks(names []string) error {
	return invalid(names[0], "is missing: a keystore has it as %s; %s", strings.Join(names, " or "), f.fields())
}

// fields tells the names of the fields of the file that say something. What may be a value in the wrong place is
// counted only.
func (f keystoreFile) fields() string {
	const most = 20
	var names []string
	hidden := 0
	for _, name := range slices.Sorted(maps.Keys(f)) {
		switch {
		case !f.has(name):
		case len(names) < most && fieldName(name):
			names = append(names, name)
		default:
			hidden++
		}
	}
	switch {
	case len(names) == 0 && hidden == 0:
		return "this one has no field that says something"
	case hidden > 0:
		names = append(names, fmt.Sprintf("%d more", hidden))
	}
	return "this one has " + strings.Join(names, ", ")
}

// fieldName reports whether a name looks like one of a field: short words of letters, without a digit, which every id
// and key has.
func fieldName(name string) bool {
	const most = 32
	return len(name) <= most && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.") == ""
}

// looksLikeKey reports whether a path may have a key in it, or what a keystore file says. It is asked about paths that
// cannot be opened.
func looksLikeKey(path string) bool {
	text := strings.TrimSpace(path)
	if strings.ContainsAny(text, "\r\n{") || strings.Contains(text, `\n`) || strings.Contains(text, "PRIVATE KEY") {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(base64Chars, r) })
	return slices.ContainsFunc(words, keyWord)
}

// keyWord reports whether a word may be a key. A slash is a character of base64, and stands in paths. In base64 letters
// and digits alternate, and in the parts of a path they seldom do.
func keyWord(word string) bool {
	// characters of a key in hex or base64, of a long part of it, and turns
	const least, leastPart, leastTurns = 40, 24, 4
	return len(word) >= least && slices.ContainsFunc(strings.Split(word, "/"), func(part string) bool {
		isHex := len(part) >= least && strings.Trim(part, "0123456789abcdefABCDEF") == ""
		return isHex || len(part) >= leastPart && turns(part) >= leastTurns
	})
}

// turns counts where a digit follows a letter, or a letter a digit.
func turns(s string) (n int) {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	for i := 1; i < len(s); i++ {
		if isDigit(s[i]) != isDigit(s[i-1]) {
			n++
		}
	}
	return n
}

// base64Chars are those of both alphabets. No dot is among them, which names of files have.
const base64Chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_="

// keystoreWarned has what was warned of: one warning of a kind is enough for a process.
var keystoreWarned sync.Map

// warnIfOpen warns of a keystore that is not its owner's alone. Windows has no such bits. Where the file is mounted
// read-only, as the secrets of a Kubernetes pod are, its mode cannot be changed.
func warnIfOpen(f *os.File, path string) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || runtime.GOOS == "windows" {
		return
	}
	who := openTo(info.Mode())
	if who == "" || readOnly(path) {
		return
	}
	if _, known := keystoreWarned.LoadOrStore(who, true); known {
		return
	}
	slog.Warn("blaze: "+who+" the keystore; chmod 600 keeps it to yourself",
		"path", path, "mode", info.Mode().Perm().String())
}

// openTo says what other users than its owner can do with a file of that mode; "" for nothing.
func openTo(mode fs.FileMode) string {
	const all, group = "every user of this machine can ", "the group of the file can "
	reads, writes := "", ""
	switch perm := mode.Perm(); {
	case perm&0o004 != 0:
		reads = all + "read"
	case perm&0o040 != 0:
		reads = group + "read"
	}
	switch perm := mode.Perm(); {
	case perm&0o002 != 0:
		writes = all + "change"
	case perm&0o020 != 0:
		writes = group + "change"
	}
	if reads != "" && writes != "" {
		return reads + ", and " + writes
	}
	return reads + writes
}
