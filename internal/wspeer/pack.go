package wspeer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Pack returns a frame of the protocol: a binary message with the gzip of a text.
func Pack(text string) []byte { return Whole(Binary, Gzip(text)) }

// PackStored is like Pack, without compression. It is for many or large frames.
func PackStored(text string) []byte { return Whole(Binary, AppendStored(nil, []byte(text))) }

// spare holds unused compressors. Each has about 1 MB.
var spare = make(chan *gzip.Writer, 8)

// Gzip returns the gzip of a text.
func Gzip(text string) []byte {
	var b bytes.Buffer
	var zw *gzip.Writer
	select {
	case zw = <-spare:
		zw.Reset(&b)
	default:
		zw = gzip.NewWriter(&b)
	}
	// A Buffer returns no write errors.
	_, _ = io.WriteString(zw, text)
	_ = zw.Close()
	select {
	case spare <- zw:
	default:
	}
	return b.Bytes()
}

// Gunzip returns the content of one gzip stream. Trailing data is an error.
func Gunzip(p []byte) ([]byte, error) {
	src := bytes.NewReader(p)
	zr, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	zr.Multistream(false)
	text, err := io.ReadAll(zr)
	if err == nil && src.Len() > 0 {
		err = errBehind
	}
	return text, err
}

// maxStored is the maximum length of an uncompressed deflate block.
const maxStored = 0xFFFF

// AppendStored appends the gzip of p without compression. It does not allocate if b has the capacity. See RFC 1951,
// section 3.2.4, and RFC 1952.
func AppendStored(b, p []byte) []byte {
	b = append(b, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)
	for rest := p; ; {
		n, last := min(len(rest), maxStored), byte(0)
		if n == len(rest) {
			last = 1
		}
		b = append(b, last, byte(n), byte(n>>8), byte(^n), byte(^n>>8))
		b = append(b, rest[:n]...)
		if rest = rest[n:]; last == 1 {
			break
		}
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(p))
	return binary.LittleEndian.AppendUint32(b, uint32(len(p)))
}

// LenStored returns the number of bytes that AppendStored appends for n bytes.
func LenStored(n int) int { return 10 + n + 5*max(1, (n+maxStored-1)/maxStored) + 8 }
