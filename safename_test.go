package blaze_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze"
)

func TestSafeName(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, want := range map[string]string{
		"report.pdf":                   "report.pdf",
		"résumé 2026 (1).tar.gz":       "résumé 2026 (1).tar.gz",
		"照片.jpg":                       "照片.jpg",
		"👩‍👩‍👧.png":                    "👩‍👩‍👧.png",
		"":                             "file",
		".":                            "file",
		"..":                           "file",
		" . . ":                        "file",
		"/":                            "file",
		"a/":                           "file",
		"\x00\x1f\x7f\u0085":           "file",
		"../../etc/passwd":             "passwd",
		`..\..\windows\win.ini`:        "win.ini",
		`/etc\passwd`:                  "passwd",
		`C:\autoexec.bat`:              "autoexec.bat",
		"C:autoexec.bat":               "C_autoexec.bat",
		"file.txt:stream":              "file.txt_stream",
		`a<b>c"d|e?f*g`:                "a_b_c_d_e_f_g",
		".bashrc":                      "bashrc",
		"...x":                         "x",
		"x...":                         "x",
		"x. . ":                        "x",
		"a\nb\tc\x00d":                 "abcd",
		"invoice\u202efdp.exe":         "invoicefdp.exe",
		"\u2066a\u2069\u200eb":         "ab",
		"a\u2028b\ufeff":               "ab",
		"bad\xff\xfe.txt":              "bad_.txt",
		"CON":                          "_CON",
		"con.txt":                      "_con.txt",
		"nul":                          "_nul",
		"NUL .tar.gz":                  "_NUL .tar.gz",
		"com1":                         "_com1",
		"COM¹.x":                       "_COM¹.x",
		"lpt9.":                        "_lpt9",
		"CONIN$":                       "_CONIN$",
		"com10":                        "com10",
		"console.log":                  "console.log",
		"com":                          "com",
		"C\u202eON":                    "_CON",
		" aux":                         "_aux",
		long:                           long[:200],
		long + ".jpeg":                 long[:195] + ".jpeg",
		"x." + long:                    "x." + long[:198],
		strings.Repeat("é", 150):       strings.Repeat("é", 100),
		"x" + strings.Repeat("é", 150): "x" + strings.Repeat("é", 99),
		strings.Repeat("x ", 98) + "x . .j" + long: strings.Repeat("x ", 98) + "x",
		"CON" + strings.Repeat(" ", 200) + "x.txt": "_CON.txt",
		"con." + long:                "_con." + long[:195],
		"con." + long[:192] + ".txt": "_con." + long[:191] + ".txt",
	} {
		assert.Equal(t, want, blaze.Data{Name: name}.SafeName(), "%q", name)
	}
}

// FuzzSafeName looks for a name that escapes its directory, or that a system or a reader mistakes for another name.
func FuzzSafeName(f *testing.F) {
	for _, name := range []string{
		"../a", `..\a`, "con.txt", "a\x00b", "\xff", "a\u202eb", strings.Repeat("é", 150) + ".jpg", " . ",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		safe := blaze.Data{Name: name}.SafeName()
		assert.NotEmpty(t, safe)
		assert.LessOrEqual(t, len(safe), 200)
		assert.True(t, utf8.ValidString(safe))
		assert.True(t, filepath.IsLocal(safe))
		assert.Equal(t, safe, filepath.Base(safe))
		assert.NotContains(t, "/\\.", safe[:1])
		assert.False(t, strings.ContainsAny(safe, `/\<>:"|?*`))
		assert.False(t, strings.ContainsFunc(safe, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}))
		assert.Equal(t, strings.Trim(safe, ". "), safe)
		assert.Equal(t, safe, blaze.Data{Name: safe}.SafeName(), "already safe")
	})
}
