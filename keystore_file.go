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

// Names of each field in a keystore file. The first one with a value is used.
var (
	namesOfAppID     = []string{"app_id", "client_id", "user_id"}
	namesOfSessionID = []string{"session_id"}
	namesOfKey       = []string{"session_private_key", "private_key", "session_key"}
	namesOfServerKey = []string{"server_public_key"}
)

// maxKeystore is the maximum size of a keystore file in bytes. Real ones have less than 4096.
const maxKeystore = 1 << 20

// LoadKeystore reads a keystore file; see [ParseKeystore]. It takes the path of the file, not its content. Errors name
// the path, unless it looks like a key. If other users of the machine, or the file's group, may read or change the
// file, LoadKeystore logs a warning to [slog.Default], once per process for each of these cases. On Linux it does not
// warn for files that are mounted read-only, such as secrets in containers.
func LoadKeystore(path string) (Keystore, error) {
	if strings.Contains(path, "{") && strings.Contains(path, `"`) { // file content: the error would quote it
		return Keystore{}, invalid("keystore", "is not a path but the content of a file: use ParseKeystore")
	}
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the file to open
	if err != nil && looksLikeKey(path) {
		return Keystore{}, invalid("keystore", "cannot be opened, and its path, which is not shown, looks like a key: "+
			"LoadKeystore takes the path of a file, and ParseKeystore its content")
	}
	if err != nil {
		return Keystore{}, fmt.Errorf("blaze: cannot open the keystore: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	warnIfOpen(f, path)
	data, err := io.ReadAll(io.LimitReader(f, maxKeystore+1))
	if err != nil {
		return Keystore{}, fmt.Errorf("blaze: cannot read the keystore: %w", err)
	}
	if len(data) > maxKeystore {
		return Keystore{}, invalid("keystore", "is over %d bytes, so it is something else (file %q)",
			maxKeystore, path)
	}
	k, err := ParseKeystore(data)
	if err != nil {
		return Keystore{}, fmt.Errorf("%w (file %q)", err, path)
	}
	return k, nil
}

// ParseKeystore parses the JSON of a keystore, in any of these forms:
//
//   - app_id, session_id, session_private_key (64 hex digits), server_public_key
//   - client_id, session_id, private_key (base64 of 64 bytes: an ed25519 seed and its public key)
//   - client_id (user_id in older SDKs for Node.js), session_id, private_key or session_key (an RSA key in PEM,
//     PKCS#1 or PKCS#8)
//
// The field names may be mixed, and each name may hold a key of any of the three formats. PEM may be on one line,
// contain \n instead of line breaks, or be indented. The JSON is UTF-8, or UTF-16 with a byte order mark. Ids are
// changed to lower case. Other fields are ignored, including pin_token.
//
// The error is an [InvalidError] that names the field as in the file, or "keystore". It contains no value of the file.
// If a field is missing, it lists the names of the others.
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

// parseKeystoreFile hides errors of encoding/json, because some quote the input.
func parseKeystoreFile(data []byte) (keystoreFile, error) {
	data = bytes.TrimSpace(utf8Of(data))
	if len(data) == 0 {
		return nil, invalid("keystore", "is empty")
	}
	if !json.Valid(data) {
		return nil, invalid("keystore", "is not JSON, or is cut off")
	}
	var file keystoreFile
	if err := json.Unmarshal(data, &file); err != nil || file == nil {
		return nil, invalid("keystore", "is JSON, but not an object")
	}
	return file, nil
}

// utf8Of removes the byte order mark, which some editors and shells write, and converts UTF-16. An odd last byte
// becomes a character that is not valid JSON.
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

// first returns the first of names with a value, and that value. If there is none, it returns the first name and "".
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

// has reports whether the file has a value under name.
func (f keystoreFile) has(name string) bool {
	switch string(f[name]) {
	case "", "null", `""`:
		return false
	}
	return true
}

// complete returns an error if a required field is missing.
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

// lacks returns the error for a file without a value under any of names.
func (f keystoreFile) lacks(names []string) error {
	return invalid(names[0], "is missing: a keystore has it as %s; %s", strings.Join(names, " or "), f.fields())
}

// fields lists the names of the fields with a value. Names that may be misplaced values are only counted.
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
		return "this one has no field with a value"
	case hidden > 0:
		names = append(names, fmt.Sprintf("%d more", hidden))
	}
	return "this one has " + strings.Join(names, ", ")
}

// fieldName reports whether name looks like a field name: a few words of letters. Every id and key contains a digit.
func fieldName(name string) bool {
	const most = 32
	return len(name) <= most && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.") == ""
}

// looksLikeKey reports whether a path may contain a key or the content of a keystore file. It is called for paths that
// cannot be opened.
func looksLikeKey(path string) bool {
	text := strings.TrimSpace(path)
	if strings.ContainsAny(text, "\r\n{") || strings.Contains(text, `\n`) || strings.Contains(text, "PRIVATE KEY") {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(base64Chars, r) })
	return slices.ContainsFunc(words, keyWord)
}

// keyWord reports whether a word may be a key. The slash is a base64 character and also part of paths. Letters and
// digits alternate often in base64 and rarely in paths.
func keyWord(word string) bool {
	// length of a key in hex or base64, of a long part of it, and number of changes between letters and digits
	const least, leastPart, leastTurns = 40, 24, 4
	return len(word) >= least && slices.ContainsFunc(strings.Split(word, "/"), func(part string) bool {
		isHex := len(part) >= least && strings.Trim(part, "0123456789abcdefABCDEF") == ""
		return isHex || len(part) >= leastPart && turns(part) >= leastTurns
	})
}

// turns counts the changes between letters and digits.
func turns(s string) (n int) {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	for i := 1; i < len(s); i++ {
		if isDigit(s[i]) != isDigit(s[i-1]) {
			n++
		}
	}
	return n
}

// base64Chars are the characters of both alphabets. They do not include the dot, which file names contain.
const base64Chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_="

// keystoreWarned holds the warnings that were logged. Each is logged once per process.
var keystoreWarned sync.Map

// warnIfOpen warns if others have access to a keystore file. Windows has no such mode bits. The mode of a file that is
// mounted read-only, such as a secret of a Kubernetes pod, cannot be changed.
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
	slog.Warn("blaze: keystore file is not private",
		"path", path, "mode", info.Mode().Perm().String(), "access", who, "hint", "chmod 600")
}

// openTo describes the access that a mode gives to users other than the owner. It returns "" if there is none.
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
