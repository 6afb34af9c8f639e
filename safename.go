package blaze

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a safe file name, in bytes. File systems accept 255, some of them less for other scripts.
const (
	maxName      = 200
	maxExtension = 20 // with its dot; a longer one is cut like the rest
)

// SafeName returns a file name that is safe on any operating system: the last element of Name, with / and \ as
// separators. It is never empty, "." or "..", and has at most 200 bytes; a longer name keeps its extension. An empty
// result becomes "file".
//
//   - Removed: control characters, characters that change the text direction, dots and spaces at both ends.
//   - Replaced by an underscore: <>:"|?* and invalid UTF-8.
//   - Prefixed with an underscore: names that Windows reserves, such as CON or nul.txt.
//
// Name is chosen by a user. Two files may have the same SafeName, and it says nothing about their content.
func (d Data) SafeName() string {
	name := d.Name
	//mutant:safe-separators
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(safeRune, strings.ToValidUTF8(name, "_"))
	name = shorten(strings.TrimRight(strings.TrimLeft(name, ". "), ". "))
	switch {
	case name == "":
		return "file"
	case reserved(name): // shortening may produce a reserved name
		return shorten("_" + name)
	}
	return name
}

// safeRune returns the replacement of a character, or -1 to remove it.
func safeRune(r rune) rune {
	switch {
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp), r == '\ufeff':
		return -1
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	}
	return r
}

// devices are names that Windows reserves for devices, with any extension. Source: Microsoft's "Naming Files, Paths,
// and Namespaces".
var devices = []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}

func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if slices.Contains(devices, stem) {
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// shorten cuts a long name before its extension, between two characters.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtension {
		extension = ""
	}
	stem := name[:maxName-len(extension)]
	for !utf8.ValidString(stem) { // the whole name is valid
		stem = stem[:len(stem)-1]
	}
	return strings.TrimRight(stem, ". ") + extension
}
