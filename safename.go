package blaze

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a safe file name, in bytes. File systems take 255, some of them less for names in other scripts.
const (
	mostName      = 200
	mostExtension = 20 // with its dot; what is longer is cut like the rest
)

// SafeName returns a name for the file that is safe to create in a directory on any operating system: the last element
// of Name, with / and \ as separators, and never empty, "." or "..". Removed are control characters, characters that
// change the direction of text, dots and spaces at both ends; replaced by an underscore are <>:"|?* and bytes that are
// no UTF-8. A name that Windows reserves, such as CON or nul.txt, gets an underscore in front. The result has at most
// 200 bytes: a longer one keeps its extension. Where nothing is left, it is "file".
//
// A user chose Name: two files may have the same SafeName, and it says nothing about their contents.
func (d Data) SafeName() string {
	name := d.Name
	//mutant:safe-separators
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(safeRune, strings.ToValidUTF8(name, "_"))
	name = shorten(strings.TrimRight(strings.TrimLeft(name, ". "), ". "))
	switch {
	case name == "":
		return "file"
	case reserved(name): // which a name may be only once it is short
		return shorten("_" + name)
	}
	return name
}

// safeRune returns what stands for a character, -1 for none.
func safeRune(r rune) rune {
	switch {
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp), r == '\ufeff':
		return -1
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	}
	return r
}

// devices are the names that Windows opens a device for, whatever their extension.
// Source: Microsoft's "Naming Files, Paths, and Namespaces".
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

// shorten cuts a name that is too long in front of its extension, between two characters.
func shorten(name string) string {
	if len(name) <= mostName {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > mostExtension {
		extension = ""
	}
	stem := name[:mostName-len(extension)]
	for !utf8.ValidString(stem) { // the whole name is valid
		stem = stem[:len(stem)-1]
	}
	return strings.TrimRight(stem, ". ") + extension
}
