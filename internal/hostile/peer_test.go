package hostile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Opcodes and the first bit of a frame: RFC 6455, section 5.2.
const (
	opContinuation byte = 0x0
	opText         byte = 0x1
	opBinary       byte = 0x2
	opClose        byte = 0x8
	opPing         byte = 0x9
	opPong         byte = 0xA
	final          byte = 0x80
	masked         byte = 0x80 // of the second byte
)

// peer is the server's end of one connection.
type peer struct {
	conn net.Conn
	br   *bufio.Reader
	req  *http.Request // that asked for the websocket, or the last one
	auth string        // its Authorization header
	deaf chan struct{} // the server reads frames until it is closed; nil: always
}

// write writes bytes as they are. An error means that the client has gone.
func (p *peer) write(b []byte) error {
	_, err := p.conn.Write(b)
	return err
}

// say writes a text as it is.
func (p *peer) say(text string) error { return p.write([]byte(text)) }

// repeat writes the same bytes again and again, at most so many bytes in all. It returns how many it wrote.
func (p *peer) repeat(b []byte, most int64) (written int64) {
	for written < most {
		n, err := p.conn.Write(b[:min(int64(len(b)), most-written)])
		if written += int64(n); err != nil {
			return written
		}
	}
	return written
}

// trickle writes the same bytes again and again, with a pause before each, until the client has gone or for so long.
func (p *peer) trickle(b []byte, pause, most time.Duration) {
	for began := time.Now(); time.Since(began) < most; {
		time.Sleep(pause)
		if p.write(b) != nil {
			return
		}
	}
}

// upgrade returns the answer that accepts a websocket. edit may change its lines; the first one is the status line.
func (p *peer) upgrade(edit func(lines []string) []string) string {
	sum := sha1.Sum([]byte(p.req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	lines := []string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]), "Sec-WebSocket-Protocol: Mixin-Blaze-1",
	}
	if edit != nil {
		lines = edit(lines)
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// readMessage reads one message of the client, which does not fragment.
func (p *peer) readMessage() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.br, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] &^ masked)
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(p.br, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(p.br, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	var key [4]byte
	if _, err := io.ReadFull(p.br, key[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.br, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0] & 0xF, payload, err
}

// header returns the head of a frame with so many bytes of payload.
func header(first byte, n int) []byte {
	switch {
	case n <= 125:
		return []byte{first, byte(n)}
	case n <= 0xFFFF:
		return []byte{first, 126, byte(n >> 8), byte(n)}
	}
	return binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))
}

// encode returns one frame of a server.
func encode(first byte, payload []byte) []byte {
	return append(header(first, len(payload)), payload...)
}

// packed returns a frame of the protocol: gzip of JSON.
func packed(json string) []byte { return encode(final|opBinary, gz(json)) }

// stored is packed for many frames: nothing is compressed. Source: RFC 1951, section 3.2.4, and RFC 1952.
func stored(json string) []byte {
	const most = 0xffff // of one block
	b := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	for rest := json; ; {
		n := min(len(rest), most)
		last := byte(0)
		if n == len(rest) {
			last = 1
		}
		b = append(b, last, byte(n), byte(n>>8), byte(^n), byte(^n>>8))
		b = append(b, rest[:n]...)
		if rest = rest[n:]; last == 1 {
			break
		}
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(json)))
	return encode(final|opBinary, binary.LittleEndian.AppendUint32(b, uint32(len(json))))
}

func gz(s string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = io.WriteString(zw, s)
	_ = zw.Close()
	return b.Bytes()
}

func gunzip(p []byte) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zr)
}

// closing returns a close frame.
func closing(code int, text string) []byte {
	return encode(final|opClose, append([]byte{byte(code >> 8), byte(code)}, text...))
}
