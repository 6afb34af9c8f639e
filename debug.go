package blaze

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// DebugTrace returns a Trace that writes every frame and every change of the connection to w, one line each, with the
// time. Of bytes that are not JSON it writes the beginning. It is for development: the lines contain message bodies and
// ids, and the keys of encrypted files. Frames contain no token. Data in base64 is written as text if it is text. The
// first line says all this. Setting it as Config.Trace turns off parallel decompression, and a slow w slows the Client
// down. Errors of w are ignored.
func DebugTrace(w io.Writer) *Trace {
	l := log.New(w, "", log.Ltime|log.Lmicroseconds|log.Lmsgprefix)
	l.Print("blaze: every frame follows, with message bodies, ids and keys of files; do not share it")
	return &Trace{
		Connected: func(endpoint string) { l.Printf("== connected to %s", clip(endpoint)) },
		Disconnected: func(err error, retryIn time.Duration) {
			l.Printf("== disconnected, retry in %v: %s", retryIn.Round(time.Millisecond), clip(err.Error()))
		},
		FrameRead:    func(frame []byte) { l.Printf("<- %s", readable(frame)) },
		FrameWritten: func(frame []byte) { l.Printf("-> %s", readable(frame)) },
	}
}

// readable returns a frame as one line of JSON in which base64 of text is replaced by the text.
func readable(frame []byte) string {
	d := json.NewDecoder(strings.NewReader(string(frame)))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil || d.More() {
		return clip(string(frame))
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(decodeData(value)) != nil {
		return clip(string(frame))
	}
	return printable(strings.TrimSuffix(b.String(), "\n"))
}

// printable escapes characters that a terminal would carry out or hide, as JSON does.
func printable(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// decodeData decodes the base64 in "data" and "data_base64", at any depth.
func decodeData(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			text, isText := field.(string)
			if isText && (name == "data" || name == "data_base64") {
				v[name] = decodeText(text)
			} else {
				v[name] = decodeData(field)
			}
		}
	case []any:
		for i := range v {
			v[i] = decodeData(v[i])
		}
	}
	return value
}

func decodeText(s string) string {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if text, err := encoding.DecodeString(s); err == nil && utf8.Valid(text) {
			return string(text)
		}
	}
	return s
}
